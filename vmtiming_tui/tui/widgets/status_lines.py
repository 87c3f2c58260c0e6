"""The lines that say how a run stands: the header, and the figures below it."""

from vmtiming_tui.analysis.phase_count import phase_count
from vmtiming_tui.analysis.progress import TimeLeft
from vmtiming_tui.escape import plural
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.fleet import RunState
from vmtiming_tui.model.plan import StormKind
from vmtiming_tui.model.storm import Storm
from vmtiming_tui.tui.drawing.braille import sparkline
from vmtiming_tui.tui.drawing.glyphs import Glyphs
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
from vmtiming_tui.tui.widgets.lines_widget import ModelLines

_SPARK = 12


class Header(ModelLines):
    """What runs, how many VMs are in each state, since when, on what, and whether it still runs."""

    def _chip(self) -> Part:
        palette, model = self.host.palette, self.model
        if model.is_frozen:
            return " HELD ", palette.chip_bad
        if self.host.live and model.engine_is_lost:
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
        for name, ns in (
            ("median", figures.median_ns),
            *([("p95", figures.p95_ns)] if p95 else []),
            ("max", figures.max_ns),
        ):
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
