"""A stored run at a glance, as lines of so many cells: the most telling first; pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.style import Style

from vmtiming_tui.analysis.comparison.samples import moment
from vmtiming_tui.history.rows import StoredRun
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.fleet import RunState
from vmtiming_tui.report.host_report import hosts_words
from vmtiming_tui.report.wording import short_seconds
from vmtiming_tui.request.labels import label_words
from vmtiming_tui.tui.drawing.braille import ascii_rows, braille_rows, step_heights
from vmtiming_tui.tui.drawing.glyphs import Glyphs
from vmtiming_tui.tui.drawing.scale_bars import QUARTERED, BarMaker, cells_of, nice_ceiling
from vmtiming_tui.tui.drawing.styled import Part, as_ascii, clip, filled, flowing, shown
from vmtiming_tui.tui.drawing.theme import Palette
from vmtiming_tui.tui.drawing.wrapping import wrapped
from vmtiming_tui.tui.state.glance import Glance

_CURVE_FROM = 20
_MOST_CURVE = 9
_NAME = 12


@dataclass(frozen=True)
class RunGlance:
    """Draws one run; ``told`` is what its events say, a sentence where there is nothing yet."""

    run: StoredRun
    told: Glance | str
    palette: Palette
    glyphs: Glyphs

    def lines(self, width: int, height: int) -> list[list[Part]]:
        """Return the lines; the curve is as high as there is room for, and left out for less."""
        blank: list[Part] = [("", self.palette.text)]
        blocks = [
            [*self._title(width), *self._figures(width)],
            self._curve(width, min(height // 4, _MOST_CURVE)) if height >= _CURVE_FROM else [],
            [*self._stages(width), *self._told(width)],
            [*self._words(width), *self._settings(width)],
        ]
        drawn: list[list[Part]] = []
        for block in filter(None, blocks):
            drawn += [*([blank] if drawn and height >= _CURVE_FROM else []), *block]
        return drawn

    def _safe(self, text: str) -> str:
        return shown(text) if self.glyphs.braille else as_ascii(shown(text))

    def _title(self, width: int) -> Iterator[list[Part]]:
        run, palette = self.run, self.palette
        is_whole = run.state is RunState.FINISHED
        live = run.state in (RunState.RUNNING, RunState.WAITING)
        chip = palette.chip_done if is_whole else palette.chip_live if live else palette.chip_bad
        state = f" {run.state.upper()} "
        name = clip(self._safe(run.label), max(width - len(state) - 2, 1), self.glyphs.ellipsis)
        yield [(name, palette.strong), ("  ", palette.text), (state, chip)]
        where = [
            run.run if run.name else "",
            moment(run.wall_ns),
            hosts_words(run.hosts),
            run.accel.upper(),
            f"QEMU {run.qemu_version}" if run.qemu_version else "",
        ]
        dot = f" {self.glyphs.dot} "
        for line in wrapped(dot.join(self._safe(word) for word in where if word), width):
            yield [(line, palette.dim)]

    def _figures(self, width: int) -> list[list[Part]]:
        run, palette = self.run, self.palette
        groups: list[list[Part]] = [
            [("booted ", palette.dim), (f"{run.booted:,} of {run.boots:,}   ", palette.strong)]
        ]
        for state in (VmState.FAILED, VmState.TIMED_OUT, VmState.KILLED):
            if count := run.counts.get(str(state)):
                groups.append([(f"{count:,} {state}   ", palette.states[state])])
        if run.storms > 1:
            groups.append([("storms ", palette.dim), (f"{run.storms:,}   ", palette.strong)])
        for name, value_s in (
            ("median", run.median_s), ("p95", run.p95_s), ("all booted in", run.all_booted_in_s),
        ):  # fmt: skip
            words = short_seconds(value_s)
            groups.append([(f"{name} ", palette.dim), (f"{words}   ", palette.strong)])
        return flowing(groups, width + 3)

    def _curve(self, width: int, rows: int) -> list[list[Part]]:
        """Return how many of its last storm had booted by when, with an axis."""
        run, palette, glyphs = self.run, self.palette, self.glyphs
        if not run.curve:
            return []
        top = run.curve[-1][1]
        label = max(len(f"{top:,}"), 2)
        plot = max(width - label - 1, 8)
        until_ns = round(run.curve[-1][0] * 1e9)
        span_ns = max(round(nice_ceiling(until_ns / 1e9, QUARTERED) * 1e9), 1)
        wide, levels = (2, 4) if glyphs.braille else (1, 2)
        heights = step_heights(
            [(round(at_s * 1e9), count) for at_s, count in run.curve],
            until_ns=until_ns, span_ns=span_ns, top=top, columns=plot * wide, levels=rows * levels,
        )  # fmt: skip
        edge = "│" if glyphs.braille else "|"
        drawn: list[list[Part]] = []
        for row, text in enumerate((braille_rows if glyphs.braille else ascii_rows)(heights, rows)):
            mark = f"{top:,}" if row == 0 else ""
            shade = palette.curve[(rows - 1 - row) * len(palette.curve) // rows]
            drawn.append([(f"{mark:>{label}}", palette.dim), (edge, palette.faint), (text, shade)])
        end = f" {span_ns / 1e9:g} s"
        axis = f"{glyphs.rule * 2} booted over time "
        rest = glyphs.rule * max(plot - len(axis) - len(end), 0)
        drawn.append([(f"{'0':>{label}} ", palette.dim), (axis, palette.dim),
                      (rest, palette.faint), (end, palette.dim)])  # fmt: skip
        return drawn

    def _stages(self, width: int) -> list[list[Part]]:
        if not isinstance(self.told, Glance) or not self.told.stages_s:
            return []
        maker = BarMaker(self.palette, self.glyphs)
        pieces = [(str(stage), max(round(s * 1e9), 0)) for stage, s in self.told.stages_s.items()]
        bar = [
            maker.stage_part(name, count)
            for name, count in cells_of(pieces, sum(ns for _, ns in pieces), width)
            if count
        ]
        legend = [
            [maker.stage_part(name, 2), (f" {name} {ns / 1e9:.2f} s  ", self.palette.dim)]
            for name, ns in pieces
        ]
        return [bar, *flowing(legend, width + 2)]

    def _told(self, width: int) -> Iterator[list[Part]]:
        palette = self.palette
        if isinstance(self.told, str):
            yield from self._wrapped(self.told, width, palette.dim)
            return
        if self.told.slowest:
            yield from self._wrapped(self.told.slowest, width, palette.text)
        for line in self.told.groups:
            yield from self._wrapped(line, width, palette.text)
        for caution in self.told.cautions:
            sign = self.glyphs.states[VmState.TIMED_OUT]
            yield from self._wrapped(f"{sign} {caution}", width, palette.warning)

    def _words(self, width: int) -> Iterator[list[Part]]:
        run = self.run
        against = str(run.baseline) if run.baseline else ""
        for name, words in (
            ("notes", run.notes), ("labels", label_words(run.labels.items())), ("against", against),
        ):  # fmt: skip
            if words:
                yield from self._named(name, words, width)

    def _settings(self, width: int) -> Iterator[list[Part]]:
        if isinstance(self.told, Glance):
            for name, value in self.told.settings:
                yield from self._named(name, value, width)

    def _named(self, name: str, words: str, width: int) -> Iterator[list[Part]]:
        palette = self.palette
        for at, line in enumerate(wrapped(self._safe(words), max(width - _NAME, 8))):
            yield [(filled("" if at else name, _NAME), palette.dim), (line, palette.text)]

    def _wrapped(self, text: str, width: int, style: Style) -> Iterator[list[Part]]:
        for line in wrapped(self._safe(text), width, hang=2):
            yield [(line, style)]
