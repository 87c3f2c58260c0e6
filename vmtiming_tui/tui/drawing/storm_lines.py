"""The storms of a run as lines: a row a setting or a storm, its medians drawn to one scale."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.style import Style

from vmtiming_tui.analysis.stats import Interval
from vmtiming_tui.analysis.summary import settings_label
from vmtiming_tui.escape import plural
from vmtiming_tui.model.plan import StormKind
from vmtiming_tui.report.aligned import aligned_lines
from vmtiming_tui.report.tables import Align, Cell, Head, Table, foreign, own
from vmtiming_tui.report.wording import short_change
from vmtiming_tui.tui.drawing.braille import sparkline
from vmtiming_tui.tui.drawing.glyphs import Glyphs
from vmtiming_tui.tui.drawing.styled import Part, shown
from vmtiming_tui.tui.drawing.theme import Palette
from vmtiming_tui.tui.drawing.whisker import Axis
from vmtiming_tui.tui.state.storms import SettingRow, StormRow, Storms

_ALL_COLUMNS_FROM = 100
_LEAST_AXIS, _MOST_AXIS = 16, 90
_SPARK = 40
_UNKNOWN = "-"
_KINDS = {
    StormKind.WARMUP: "warm-up",
    StormKind.RERUN: "rerun",
    StormKind.DETAIL: "kernel details",
}


def storm_lines(found: Storms, width: int, palette: Palette, glyphs: Glyphs) -> list[Part]:
    """Return all there is to say of the storms in so many cells."""
    lines = []
    if found.is_varied:
        lines += [("Settings", palette.accent), *_setting_lines(found, width, palette, glyphs)]
    else:
        lines += _one_setting(found, palette, glyphs)
    for title, words in (
        ("The verdict" if found.is_over else "The verdict so far", found.verdicts),
        ("What many VMs at once cost", found.costs),
        ("Between the hosts", found.between),
    ):
        if words:
            lines += [("", palette.text), (title, palette.accent)]
            lines += [(shown(line), palette.strong) for line in words]
    for title, kinds in (
        ("Storms", (StormKind.WARMUP, StormKind.RUN)),
        ("Beside the storms, in no figure", (StormKind.RERUN, StormKind.DETAIL)),
    ):
        if rows := [row for row in found.rows if row.kind in kinds]:
            lines += [("", palette.text), (title, palette.accent)]
            lines += _row_lines(rows, width, palette, glyphs)
    return lines


def _one_setting(found: Storms, palette: Palette, glyphs: Glyphs) -> list[Part]:
    """Return what the storms of one setting have in common."""
    if not found.settings or (medians := found.settings[0].medians) is None:
        return [("No storm that counts is over yet.", palette.dim)]
    (setting,) = found.settings
    of = plural(len(setting.storms), "storm")
    words = f"Median of {of}: {_seconds(medians.median)} s"
    if medians.interval is not None and medians.interval.is_bounded:
        words += f" ({_between(medians.interval)})"
    if len(setting.storms) > 1:
        words += (
            f"   {_spark(setting, glyphs)} {_seconds(medians.min)} to {_seconds(medians.max)} s"
        )
    return [(words, palette.strong)]


def _seconds(value_s: float | None) -> str:
    return _UNKNOWN if value_s is None else f"{value_s:.2f}"


def _between(interval: Interval | None) -> str:
    return "" if interval is None else f"{interval.low:.2f} to {interval.high:.2f}"


def _spark(setting: SettingRow, glyphs: Glyphs) -> str:
    """Return the medians of a setting's storms in their order, from their least to their most."""
    medians = [storm.median_s for storm in setting.storms if storm.median_s is not None]
    if len(medians) < 2:
        return ""
    low, span = min(medians), max(medians) - min(medians)
    shares = [100 * (median - low) / span if span else 50.0 for median in medians]
    return sparkline(shares, glyphs.blocks, _SPARK)


def _setting_lines(found: Storms, width: int, palette: Palette, glyphs: Glyphs) -> list[Part]:
    table = Table(
        heads=(
            Head("setting", Align.LEFT),
            Head("storms"),
            Head("booted"),
            Head("median"),
            Head("interval"),
            Head("all booted in", is_detail=True),
            Head("change"),
            Head("", Align.LEFT),
            Head("medians", Align.LEFT, is_detail=True),
        ),
        rows=tuple(_setting_cells(row, found.runs, glyphs) for row in found.settings),
    )
    figures = [
        (row.medians.median, row.medians.interval) if row.medians else (None, None)
        for row in found.settings
    ]
    return _with_whiskers(table, figures, width, palette, glyphs)


def _setting_cells(row: SettingRow, runs: int, glyphs: Glyphs) -> tuple[Cell, ...]:
    medians, change = row.medians, row.change
    interval = medians.interval if medians and medians.interval else None
    is_known = interval is not None and interval.is_bounded
    verdict = "the first" if row.is_reference else str(change.verdict) if change else ""
    return (
        foreign(settings_label(row.parameters)),
        own(f"{len(row.storms)}/{max(runs, len(row.storms))}"),
        own(f"{row.booted}/{row.boots}"),
        own(_seconds(medians.median if medians else None)),
        own(_between(interval) if is_known else ""),
        own(_seconds(row.all_booted_in.median if row.all_booted_in else None)),
        own(short_change(change.percent) if change else ""),
        own(verdict),
        own(_spark(row, glyphs)),
    )


def _row_lines(
    rows: Sequence[StormRow], width: int, palette: Palette, glyphs: Glyphs
) -> list[Part]:
    table = Table(
        heads=(
            Head("storm"),
            *([Head("", Align.LEFT)] if any(map(_what, rows)) else []),
            Head("booted"),
            Head("median"),
            Head("interval"),
            Head("p95"),
            Head("slowest", is_detail=True),
            Head("all booted in"),
        ),
        rows=tuple(_row_cells(row, has_words=any(map(_what, rows))) for row in rows),
    )
    figures = [(row.median_s, row.interval) for row in rows]
    head, *body = _with_whiskers(table, figures, width, palette, glyphs)
    styles = [_style(row, palette) for row in rows]
    return [head, *((text, style) for (text, _), style in zip(body, styles, strict=True))]


def _style(row: StormRow, palette: Palette) -> Style:
    if not row.is_over:
        return palette.accent
    return palette.text if row.kind is StormKind.RUN else palette.dim


def _what(row: StormRow) -> str:
    """Return what sets a storm apart: what it is for, what was varied, and whether it boots."""
    parts = (
        settings_label(row.parameters),
        _KINDS.get(row.kind, ""),
        "not counted" if row.kind is StormKind.WARMUP else "",
        "" if row.is_over else "booting",
    )
    return " ".join(part for part in parts if part)


def _row_cells(row: StormRow, *, has_words: bool) -> tuple[Cell, ...]:
    return (
        own(str(row.number)),
        *([foreign(_what(row))] if has_words else []),
        own(f"{row.booted}/{row.vms}"),
        own(_seconds(row.median_s)),
        own(_between(row.interval)),
        own(_seconds(row.p95_s)),
        own(_seconds(row.slowest_s)),
        own(_seconds(row.all_booted_in_s)),
    )


def _with_whiskers(
    table: Table,
    figures: Iterable[tuple[float | None, Interval | None]],
    width: int,
    palette: Palette,
    glyphs: Glyphs,
) -> list[Part]:
    """Return a table's lines, at their right the figures drawn where there is room for it."""
    figures = list(figures)
    head, *rows = aligned_lines(table if width >= _ALL_COLUMNS_FROM else table.without_details())
    used = max(map(cell_len, (head, *rows))) + 3
    room = min(width - used, _MOST_AXIS)
    axis = Axis.around(figures, room) if room >= _LEAST_AXIS else None
    if axis is None:
        return [(head, palette.dim), *((row, palette.text) for row in rows)]
    left, right = f"{axis.low:.2f}", f"{axis.high:.2f} s"
    ends = left.ljust(room - len(right)) + right
    marks = [
        axis.whisker(figure, interval, ascii_only=not glyphs.braille)
        for figure, interval in figures
    ]
    return [
        (head + " " * (used - cell_len(head)) + ends, palette.dim),
        *(
            (row + " " * (used - cell_len(row)) + mark, palette.text)
            for row, mark in zip(rows, marks, strict=True)
        ),
    ]
