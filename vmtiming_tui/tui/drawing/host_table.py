"""Hosts as lines of a table: headings, and a line a host, as many columns as fit; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from rich.style import Style

from vmtiming_tui.escape import plural
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.events import HostLost, HostSample
from vmtiming_tui.tui.drawing.areas import BOOTED, LOST, area_part
from vmtiming_tui.tui.drawing.braille import sparkline
from vmtiming_tui.tui.drawing.glyphs import Glyphs
from vmtiming_tui.tui.drawing.styled import (
    Part,
    clip,
    filled,
    fitting,
    seconds,
    shown,
    size,
)
from vmtiming_tui.tui.drawing.theme import Palette
from vmtiming_tui.tui.state.host_rows import HostRow, HostSort, HostState, idlest_and_busiest

LIKE: Mapping[HostState, VmState] = {
    HostState.LOST: VmState.FAILED,
    HostState.BOOTING: VmState.CONNECTED,
    HostState.DONE: VmState.BOOTED,
    HostState.IDLE: VmState.QUEUED,
}
"""The state of a VM whose sign and colour a host's state has."""

MUCH_CPU = 95.0

_STATE = 10
_SPARK = 8
_GAP = "  "
_LEAST_BAR, _WIDEST_BAR = 16, 60
_BAR = "▆"
_LEFT = frozenset({HostSort.HOST, HostSort.STATE})
_WIDTHS = {
    HostSort.FAILED: 7,
    HostSort.MEDIAN: 9,
    HostSort.CPU: 6,
    HostSort.PRESSURE: 12,
    HostSort.CLOCK: 11,
    HostSort.FREE: 9,
}
_MOST_WANTED = (HostSort.FAILED, HostSort.MEDIAN, HostSort.CPU, HostSort.PRESSURE, HostSort.CLOCK,
                HostSort.FREE)  # fmt: skip


def about(uncertainty_ns: int, glyphs: Glyphs) -> str:
    """Return by how much at the most a clock is off, in ms."""
    ms = uncertainty_ns / 1e6
    sign = "±" if glyphs.braille else "+-"
    return f"{sign} {ms:.{0 if ms >= 100 else 1 if ms >= 10 else 2}f} ms"


@dataclass(frozen=True)
class HostTable:
    """Draws hosts in so many cells; ``rows`` are all there may be, ``zero_ns`` the run's begin."""

    rows: Sequence[HostRow]
    width: int
    palette: Palette
    glyphs: Glyphs
    zero_ns: int

    @cached_property
    def columns(self) -> dict[HostSort, int]:
        """The columns there is room for, each with its width, the blanks around it among them."""
        longest = max((len(shown(row.name)) for row in self.rows), default=0)
        most = len(str(max((row.boots.vms for row in self.rows), default=0)))
        name = max(min(longest, self.width // 4), 4) + 1
        booted = max(2 * most + 1, len(HostSort.BOOTED)) + 1
        columns = {HostSort.HOST: name, HostSort.STATE: _STATE, HostSort.BOOTED: booted}
        room = self.width - 1 - sum(columns.values())
        for sort in _MOST_WANTED:
            if _WIDTHS[sort] <= room:
                columns[sort] = _WIDTHS[sort]
                room -= _WIDTHS[sort]
        if HostSort.CPU in columns and room > _SPARK:
            columns[HostSort.CPU] += _SPARK + 1
        return {sort: columns[sort] for sort in HostSort if sort in columns}

    @cached_property
    def bar_width(self) -> int:
        """How many cells are left for a bar of what became of a host's VMs; 0 for too few."""
        room = self.width - 1 - sum(self.columns.values()) - len(_GAP)
        return min(room, _WIDEST_BAR) if room >= _LEAST_BAR else 0

    def head(self, sort: HostSort | None = None, *, descending: bool = False) -> list[Part]:
        """Return the headings; that of the column they are ordered by has an arrow."""
        palette, glyphs = self.palette, self.glyphs
        arrow = glyphs.descending if descending else glyphs.ascending
        parts: list[Part] = [(" ", palette.dim)]
        for column, cells in self.columns.items():
            text = f"{column}{arrow}" if column is sort else str(column)
            drawn = f"{text:<{cells}}" if column in _LEFT else f"{text:>{cells}}"
            parts.append((drawn, palette.accent if column is sort else palette.dim))
        return [*parts, (f"{_GAP}VMs" if self.bar_width else "", palette.dim)]

    def row(self, row: HostRow) -> list[Part]:
        """Return a host's line; that of a lost one says why in the place of how busy it is."""
        parts: list[Part] = [(" ", self.palette.text)]
        used = 1
        lost = row.host.lost
        for column, cells in self.columns.items():
            if lost is not None and column in _BUSY:
                words = f"  at {self._since(lost)} s: {shown(lost.why)}"
                clipped = clip(words, self.width - used, self.glyphs.ellipsis)
                return [*parts, (clipped, self._style(row))]
            parts += self._cell(row, column, cells)
            used += cells
        return [*parts, *self._bar(row)]

    def _bar(self, row: HostRow) -> list[Part]:
        """Return which share of a host's VMs has booted, is lost, and is still to come.

        One VM that is lost is seen, and only all of them fill it.
        """
        boots, width, palette = row.boots, self.bar_width, self.palette
        if not width or not boots.vms:
            return []
        failed = max(round(boots.failed * width / boots.vms), boots.failed > 0)
        booted = min(boots.booted * width // boots.vms, width - failed)
        parts: list[Part] = [(_GAP, palette.text)]
        for name, cells in ((BOOTED, booted), (LOST, failed)):
            sign, style = area_part(name, palette, self.glyphs)
            is_smooth = palette.colour and self.glyphs.braille
            parts.append(((_BAR if is_smooth else sign) * cells, style))
        return [*parts, (self.glyphs.rule * (width - booted - failed), palette.faint)]

    def _since(self, lost: HostLost) -> str:
        return seconds(lost.at_ns - self.zero_ns, 1)

    def _style(self, row: HostRow) -> Style:
        return self.palette.states[LIKE[row.state]]

    def _cell(self, row: HostRow, column: HostSort, cells: int) -> list[Part]:
        palette, boots = self.palette, row.boots
        match column:
            case HostSort.HOST:
                name = clip(shown(row.name), cells - 1, self.glyphs.ellipsis)
                is_lost = row.state is HostState.LOST
                return [(filled(name, cells), self._style(row) if is_lost else palette.strong)]
            case HostSort.STATE:
                sign = self.glyphs.states[LIKE[row.state]]
                return [(filled(f"{sign} {row.state}", cells), self._style(row))]
            case HostSort.BOOTED:
                text = f"{boots.booted}/{boots.vms}" if boots.vms else "-"
                return [(f"{text:>{cells}}", palette.text)]
            case HostSort.FAILED:
                style = palette.error if boots.failed else palette.dim
                return [(f"{boots.failed:>{cells}}", style)]
            case HostSort.MEDIAN:
                return [(f"{seconds(boots.median_ns) or '-':>{cells}}", palette.text)]
            case HostSort.CPU:
                return self._cpu(row, cells)
            case _:
                return [(f"{self._busy(row, column) or '-':>{cells}}", palette.text)]

    def _cpu(self, row: HostRow, cells: int) -> list[Part]:
        """Return how busy it is, with what it was before where there is room."""
        palette, samples = self.palette, row.host.samples
        if not samples:
            return [(f"{'-':>{cells}}", palette.text)]
        percent = samples[-1].cpu_percent
        style = palette.warning if percent >= MUCH_CPU else palette.text
        wide = cells - _WIDTHS[HostSort.CPU]
        before = [sample.cpu_percent for sample in samples[-_SPARK:]]
        spark = f"{sparkline(before, self.glyphs.blocks, _SPARK):>{wide}}" if wide else ""
        figure = f"{percent:.0f} %"
        return [(spark, palette.dim), (f"{figure:>{cells - wide}}", style)]

    def _busy(self, row: HostRow, column: HostSort) -> str:
        match column:
            case HostSort.PRESSURE if row.pressure is not None:
                name, percent = row.pressure
                return f"{name} {percent:.0f} %"
            case HostSort.FREE if row.host.sample is not None:
                return size(row.host.sample.memory_available_bytes)
            case HostSort.CLOCK if row.clock_error_ns is not None:
                return about(row.clock_error_ns, self.glyphs)
        return ""

    def summary(self, rows: Sequence[HostRow], more: str) -> list[Part]:
        """Return hosts that have no line of their own in one; ``more`` says where they have."""
        palette = self.palette
        booted, vms = sum(row.boots.booted for row in rows), sum(row.boots.vms for row in rows)
        failed = sum(row.boots.failed for row in rows)
        lost = sum(row.state is HostState.LOST for row in rows)
        groups: list[list[Part]] = [[(f" {plural(len(rows), 'more host')}  ", palette.strong)]]
        if lost:
            groups.append(
                [(f"{self.glyphs.states[VmState.FAILED]} {lost:,} lost  ", palette.error)]
            )
        groups.append([(f"{booted:,}/{vms:,} booted  ", palette.text)])
        if failed:
            groups.append([(f"{failed:,} failed  ", palette.error)])
        groups.append([(f"{more}  ", palette.dim)])
        if (ends := idlest_and_busiest(row.host for row in rows)) is not None:
            groups.append([(f"CPU {cpu_range(*ends)}  ", palette.text)])
        errors = [row.clock_error_ns for row in rows if row.clock_error_ns is not None]
        if errors:
            groups.append([(f"clocks {about(max(errors), self.glyphs)}  ", palette.text)])
        return fitting(groups, self.width)

    def told(self, row: HostRow) -> list[list[Part]]:
        """Return what the columns do not say of a host, in two lines."""
        palette, host, facts = self.palette, row.host, row.host.facts
        dot = f" {self.glyphs.dot} "
        is_of = [shown(row.name), shown(host.address), shown(facts.os), shown(facts.kernel)]
        made_of = [
            shown(facts.cpu_model),
            plural(facts.cores, "core") if facts.cores else "",
            size(facts.memory_bytes) if facts.memory_bytes else "",
            shown(host.accel).upper(),
            f"QEMU {shown(host.qemu_version)}" if host.qemu_version else "",
        ]
        if (lost := host.lost) is not None:
            hint = f"{dot}{shown(lost.hint)}" if lost.hint else ""
            why = f"{shown(lost.why)}{hint}"
            words = f" lost at {self._since(lost)} s: {why}"
            second = (clip(words, self.width, self.glyphs.ellipsis), self._style(row))
        else:
            second = (self._joined(made_of), palette.text)
        return [[(self._joined(is_of), palette.text)], [second]]

    def _joined(self, words: Sequence[str]) -> str:
        line = f" {self.glyphs.dot} ".join(filter(None, words))
        return clip(f" {line}", self.width, self.glyphs.ellipsis)


_BUSY = frozenset({HostSort.CPU, HostSort.PRESSURE, HostSort.FREE, HostSort.CLOCK})


def cpu_range(idlest: HostSample, busiest: HostSample) -> str:
    """Return how busy the least and the most busy host are."""
    ends = dict.fromkeys(f"{each.cpu_percent:.0f}" for each in (idlest, busiest))
    return f"{' to '.join(ends)} %"
