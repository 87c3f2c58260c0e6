"""The lines that say how a run stands: header, figures, what is shown, what went wrong, keys."""

from operator import attrgetter

from rich.cells import cell_len
from textual import events
from textual.message import Message

from vmtiming_tui.analysis.phase_count import phase_count
from vmtiming_tui.analysis.progress import TimeLeft
from vmtiming_tui.escape import plural
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.config import BootMode
from vmtiming_tui.model.fleet import RunState
from vmtiming_tui.model.plan import StormKind
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.model.storm import Storm
from vmtiming_tui.report.findings import decision_lines
from vmtiming_tui.tui.drawing.braille import sparkline
from vmtiming_tui.tui.drawing.glyphs import Glyphs
from vmtiming_tui.tui.drawing.scale_bars import BarMaker
from vmtiming_tui.tui.drawing.styled import (
    Part,
    clip,
    clock,
    parts_width,
    seconds,
    shown,
    spread,
    to_come,
)
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.state.keymap import Need, Scope, useful
from vmtiming_tui.tui.state.played_run import PlayedRun
from vmtiming_tui.tui.state.view import Sort
from vmtiming_tui.tui.widgets.lines_widget import LinesWidget, ModelLines
from vmtiming_tui.tui.widgets.player_line import chip_of

_SPARK = 12
_OVER = 40


class Header(ModelLines):
    """What runs, how many VMs are in each state, since when, on what, and whether it still runs."""

    def _chip(self) -> Part:
        palette, model = self.host.palette, self.model
        if isinstance(model, PlayedRun):
            return chip_of(model, palette)
        if model.is_frozen:
            return " HELD ", palette.chip_bad
        if model.engine_is_lost:
            return " ENGINE LOST ", palette.chip_bad
        if model.is_beginning:
            return " STARTING ", palette.chip_live
        match model.fleet.state:
            case RunState.RUNNING:
                count = phase_count(model.fleet)
                word = count.what.upper() if count else "RUNNING"
                return f" {word} ", palette.chip_live
            case RunState.FINISHED:
                return " FINISHED ", palette.chip_done
            case RunState.WAITING:
                return " STARTING ", palette.chip_live
            case state:
                return f" {state.upper()} ", palette.chip_bad

    def _watching(self) -> list[Part]:
        """Say that another process makes the run, where one is followed."""
        there = self.model.there
        is_followed = Need.ENGINE not in there and Need.PLAYER not in there
        return [("WATCHING  ", self.host.palette.accent)] if is_followed else []

    def _title(self, *, long: bool) -> list[Part]:
        palette, glyphs, model = self.host.palette, self.host.glyphs, self.model
        config = model.config
        number = len(model.fleet.vms) or model.plan.number
        name = shown(model.plan.name or config.prefix)
        parts: list[Part] = [
            (f" {clip(name, 28, glyphs.ellipsis)} ", palette.strong),
            (f"{glyphs.times}{number:,}", palette.strong),
        ]
        if long:
            parts.append(
                (
                    f"  {config.memory_mib} MiB {glyphs.dot} {plural(config.smp, 'vCPU')}",
                    palette.dim,
                )
            )
        if storm := self._storm():
            parts.append((f"  {storm}", palette.accent))
        return [*parts, ("  ", palette.text)]

    def _storm(self) -> str:
        storm = self.model.fleet.storm
        if storm is None:
            return ""
        if storm.kind.is_beside and storm.ended_ns is not None:
            return ""
        words = [self._which(storm)]
        if storm.rounds > 1 and storm.ended_ns is None:
            words.append(f"round {storm.round}/{storm.rounds}")
        return "  ".join(word for word in words if word)

    def _which(self, storm: Storm) -> str:
        if storm.kind is StormKind.RERUN:
            return f"rerun of {plural(len(storm.vms), 'VM')}"
        if storm.kind is StormKind.DETAIL:
            return "kernel details, not counted"
        what = "warm-up " if storm.kind is StormKind.WARMUP else "storm "
        planned = max(len(self.model.plan), storm.planned)
        varied = " ".join(f"{name}={value}" for name, value in storm.parameters.items())
        may_end_sooner = self.model.plan.until_decided and not self.model.fleet.concluded
        most = self.host.glyphs.at_most if may_end_sooner else ""
        return (
            f"{what}{storm.number}/{most}{planned} {shown(varied)}".strip() if planned > 1 else ""
        )

    def _counts(self, *, words: bool) -> list[Part]:
        palette, glyphs, counts = self.host.palette, self.host.glyphs, self.model.fleet.counts
        parts: list[Part] = []
        for state in VmState:
            if not (count := counts[state]):
                continue
            word = f" {state}" if words else ""
            space = " " if words else ""
            parts.append((f"{glyphs.states[state]}{space}{count:,}{word}", palette.states[state]))
            parts.append(("  " if words else " ", palette.text))
        return parts

    def lines(self, width: int) -> list[list[Part]]:
        """Return the header, with as many words as fit."""
        palette, model = self.host.palette, self.model
        fleet = model.fleet
        accel = (fleet.storm.accel if fleet.storm else fleet.accel).upper()
        elapsed = model.elapsed_ns
        right: list[Part] = [
            (f"{shown(accel)}  " if accel else "", palette.dim),
            (f"{clock(elapsed)}  " if elapsed is not None else "", palette.strong),
            *self._watching(),
            self._chip(),
        ]
        room = width - parts_width(right)
        left: list[Part] = []
        for long, words in ((True, True), (False, True), (True, False), (False, False)):
            left = [*self._title(long=long), *self._counts(words=words)]
            if parts_width(left) <= room:
                break
        return [spread(left, right, width, self.host.glyphs.ellipsis)]


def left_words(left: TimeLeft, glyphs: Glyphs, *, brief: bool = False) -> str:
    """Return the estimate and the bound, as far as they are known and differ; else a dash.

    Where they are to be ``brief`` it is the bound, which holds.
    """
    about, bound = (ns if ns is None else to_come(ns) for ns in (left.about_ns, left.at_most_ns))
    if bound is None:
        return "-" if about is None else f"~{about}"
    is_alone = brief or about in (None, bound)
    return f"{glyphs.at_most} {bound}" if is_alone else f"~{about}, {glyphs.at_most} {bound}"


class StatsLine(ModelLines):
    """Median, p95 and max of what has booted, what is left to do, and how busy the host is."""

    def _figures(self, *, brief: bool, p95: bool) -> list[Part]:
        palette, figures = self.host.palette, self.model.figures
        parts: list[Part] = []
        known = (
            ("median", figures.median_ns),
            *([("p95", figures.p95_ns)] if p95 else []),
            ("max", figures.max_ns),
        )
        for name, ns in known if self.model.outcome is None else ():  # which tells them, and more
            parts.append((f" {name} ", palette.dim))
            parts.append((f"{seconds(ns)} s" if ns is not None else "-", palette.strong))
            parts.append((" ", palette.text))
        if self.model.fleet.state is RunState.RUNNING:
            parts += self._to_do(brief=brief)
        return parts

    def _to_do(self, *, brief: bool) -> list[Part]:
        """Return how long the boots to come take, and how far what follows boots is."""
        palette, glyphs, left = self.host.palette, self.host.glyphs, self.model.figures.left
        parts: list[Part] = []
        count = phase_count(self.model.fleet)
        if count is not None:
            done = f"{count.done:,}/{count.number:,} "
            parts += [(f" {count.what} ", palette.dim), (done, palette.strong)]
        if count is None or left not in (TimeLeft(), TimeLeft(0, 0)):
            parts.append((" left ", palette.dim))
            parts.append((left_words(left, glyphs, brief=brief), palette.strong))
        return parts

    def lines(self, width: int) -> list[list[Part]]:
        """Return the figures at the left, the host at the right."""
        palette, glyphs, fleet = self.host.palette, self.host.glyphs, self.model.fleet
        host = fleet.host
        right: list[Part] = []
        if host is not None:
            if width >= 100:
                spark = sparkline(self.model.host_cpu(), glyphs.blocks, _SPARK)
                right = [(f"{spark} ", palette.dim)]
            busy = palette.warning if host.cpu_percent >= 95 else palette.strong
            right += [("host CPU ", palette.dim), (f"{host.cpu_percent:.0f} %", busy)]
            if width >= 100:
                right += [("  load ", palette.dim), (f"{host.load1:.1f}", palette.strong)]
            if width >= 120 and host.psi_cpu is not None:
                right += [
                    ("  CPU pressure ", palette.dim),
                    (f"{host.psi_cpu:.0f} %", palette.strong),
                ]
            right.append((" ", palette.text))
        left: list[Part] = []
        for brief, p95 in ((False, True), (True, True), (True, False)):
            left = self._figures(brief=brief, p95=p95)
            if parts_width(left) < width - parts_width(right):
                break
        return [spread(left, right, width, glyphs.ellipsis)]


class ViewLine(ModelLines):
    """What is shown: filter, order, marks; and what the bars mean."""

    def __init__(self, model: Model, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(model, id=id)
        self.scale_ns: int | None = None

    def lines(self, width: int) -> list[list[Part]]:
        """Return one line, a faint rule where nothing is said."""
        palette, glyphs, model = self.host.palette, self.host.glyphs, self.model
        view, order = model.view, model.view.order
        arrow = glyphs.descending if order.descending else glyphs.ascending
        left: list[Part] = [(f"{glyphs.rule} ", palette.faint)]
        if view.filter_text:
            left += [
                (f"{len(view.shown):,} of {plural(len(model.fleet.vms), 'VM')}", palette.strong),
                ("  filter ", palette.dim),
                (shown(view.filter_text), palette.accent),
                ("  ", palette.text),
            ]
        if view.fault:
            left.append((f"no such filter: {view.fault}  ", palette.error))
        if view.marked:
            left.append((f"{len(view.marked):,} marked  ", palette.accent))
        if order.sort is not Sort.ID or order.descending:
            left += [("by ", palette.dim), (f"{order.sort} {arrow}  ", palette.strong)]
        if model.is_frozen:
            words = f"held, {plural(model.waiting, 'event')} waiting"
            goes_on = f"{self.host.key_for('main.freeze')} goes on"
            left.append((f"{words}, {goes_on}  ", palette.warning))
        if model.baseline is not None and model.figures.booted:
            left.append((f"against {shown(str(model.baseline.identity))}  ", palette.dim))
        if over := model.figures.over:
            limits = clip(shown(", ".join(over)), _OVER, glyphs.ellipsis)
            left.append((f"over {limits}  ", palette.warning))
        if model.fleet.concluded is not None:
            said = decision_lines(model.fleet, model.fleet.concluded.decisions)
            words = " ".join(map(str.strip, said))
            room = max(width - parts_width(left) - 2, 0)
            left.append((f"{clip(shown(words), room, glyphs.ellipsis)}  ", palette.strong))
        if len(left) == 1:
            left.append(
                (f"{plural(len(model.fleet.vms) or model.plan.number, 'VM')} ", palette.dim)
            )
        right = self._legend(width)
        used = parts_width(left) + parts_width(right)
        if used > width:
            right, used = [], parts_width(left)
        rule = (glyphs.rule * max(width - used, 0), palette.faint)
        return [[*left, rule, *right]]

    def _legend(self, width: int) -> list[Part]:
        if self.scale_ns is None or width < 60:
            return []
        palette, model = self.host.palette, self.model
        hidden = {Stage.LAG}
        if model.config.boot is not BootMode.FIRMWARE:
            hidden.add(Stage.LOADER)
        names = [str(stage) for stage in Stage if stage not in hidden]
        parts: list[Part] = [(" ", palette.text)]
        if model.figures.booted and width >= 76:
            if width >= 100:
                names.append(str(Stage.LAG))
            parts += BarMaker(palette, self.host.glyphs).legend(names)
        return [*parts, (f"full bar {self.scale_ns / 1e9:g} s ", palette.dim)]


class TroubleLine(ModelLines):
    """What went wrong last, else what makes the figures doubtful; and how much more there is."""

    @property
    def _doubts(self) -> tuple[str, ...]:
        return self.model.outcome.doubts if self.model.outcome else ()

    @property
    def count(self) -> int:
        """How much there is to heed."""
        return len(self.model.fleet.troubles) + len(self._doubts)

    def lines(self, width: int) -> list[list[Part]]:
        """Return the newest trouble; empty while all is well."""
        palette, glyphs = self.host.palette, self.host.glyphs
        if not self.count:
            return [[("", palette.text)]]
        key = self.host.key_for("main.warnings")
        more = f"{self.count - 1:,} more: {key}" if self.count > 1 else f"{key} shows it whole"
        left = self._newest() if self.model.fleet.troubles else self._doubt(self._doubts[0])
        right: list[Part] = [(f" {glyphs.dot} {more} ", palette.dim)]
        return [spread(left, right, width, glyphs.ellipsis)]

    def _newest(self) -> list[Part]:
        palette, glyphs, model = self.host.palette, self.host.glyphs, self.model
        newest = model.fleet.troubles[0]
        since = f"{clock(newest.at_ns - model.fleet.run.at_ns)} " if model.fleet.run else ""
        who = f"VM {newest.vm}: " if newest.vm is not None else ""
        style = palette.warning
        glyph = glyphs.states[VmState.TIMED_OUT]
        attempt = model.attempt_of(newest.vm) if newest.vm is not None else None
        if attempt is not None and attempt.state.is_lost:
            style, glyph = palette.states[attempt.state], glyphs.states[attempt.state]
        return [
            (f" {glyph} ", style),
            (since, palette.dim),
            (f"{who}{shown(newest.text)}", style),
        ]

    def _doubt(self, words: str) -> list[Part]:
        glyph, style = self.host.glyphs.states[VmState.TIMED_OUT], self.host.palette.warning
        return [(f" {glyph} {shown(words)}", style)]


class Footer(LinesWidget):
    """The keys that work here, the most wanted ones first, as many as fit; each can be clicked.

    Keys that are ``left_out`` would show nothing yet.
    """

    class Pressed(Message):
        """A key's name was clicked."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self, scope: Scope, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._scope = scope
        self.left_out: frozenset[str] = frozenset()
        self._spots: list[tuple[int, int, str]] = []

    def lines(self, width: int) -> list[list[Part]]:
        """Return the keys that fit."""
        palette = self.host.palette
        parts: list[Part] = []
        self._spots = []
        x = 0
        for key in sorted(useful(self._scope, self.host.there), key=attrgetter("rank")):
            if not key.rank or key.id in self.left_out:
                continue
            name = self.host.key_for(key.id)
            text = f" {name} "
            cells = cell_len(text) + cell_len(key.label) + 1
            if x + cells > width:
                continue
            parts += [(text, palette.key), (f"{key.label} ", palette.dim)]
            self._spots.append((x, x + cells, key.action))
            x += cells
        return [parts]

    def on_click(self, event: events.Click) -> None:
        """Do what the clicked key does."""
        for first, end, action in self._spots:
            if first <= event.x < end:
                self.post_message(self.Pressed(action))
                return
