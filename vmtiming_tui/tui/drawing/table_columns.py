"""The list's columns: headings, widths, which of them a width has room for, what stands in them."""

from collections.abc import Iterable
from dataclasses import dataclass

from vmtiming_tui.analysis.stages import Stages
from vmtiming_tui.analysis.straggler import waited_share
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.tui.drawing.styled import passing, seconds
from vmtiming_tui.tui.state.view import STAGES, Sort, stage_ns

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its sort key, heading and width in cells, the blanks before it among them."""

    sort: Sort
    heading: str
    width: int


COLUMNS = (
    Column(Sort.TIME, "host s", 9),
    Column(Sort.FIRMWARE, "firmware", 10),
    Column(Sort.LOADER, "loader", 8),
    Column(Sort.KERNEL, "kernel", 8),
    Column(Sort.INITRD, "initrd", 8),
    Column(Sort.USERSPACE, "userspace", 11),
    Column(Sort.LAG, "lag", 7),
    Column(Sort.RESIDUAL, "residual", 10),
    Column(Sort.WAITED, "waited", 8),
    Column(Sort.RSS, "RSS MiB", 9),
    Column(Sort.DISK, "read MiB", 10),
    Column(Sort.CPU, "CPU s", 9),
)

_MOST_WANTED = (
    Sort.TIME, Sort.KERNEL, Sort.USERSPACE, Sort.INITRD, Sort.WAITED, Sort.LAG, Sort.FIRMWARE,
    Sort.LOADER, Sort.CPU, Sort.RSS, Sort.DISK, Sort.RESIDUAL,
)  # fmt: skip


def columns_for(width: int, without: Iterable[Sort] = ()) -> tuple[Column, ...]:
    """Return the columns that so many cells have room for, in their order."""
    left_out, kept = frozenset(without), set()
    by_sort = {column.sort: column for column in COLUMNS}
    for sort in _MOST_WANTED:
        if sort not in left_out and by_sort[sort].width <= width:
            kept.add(sort)
            width -= by_sort[sort].width
    return tuple(column for column in COLUMNS if column.sort in kept)


def _roughly(ns: int | None) -> str:
    """Return a time that still runs, or was only seen; its point stands below those of others."""
    return "" if ns is None else f"{passing(ns)} "


def value(sort: Sort, attempt: Attempt, stages: Stages, now_ns: int) -> str:
    """Return what stands in one of these columns for a VM; empty where it is not known."""
    if sort is Sort.TIME:
        elapsed_ns = attempt.elapsed_ns(now_ns)
        return seconds(elapsed_ns) if attempt.state.is_decided else _roughly(elapsed_ns)
    if sort in STAGES:
        lasted_ns = stage_ns(attempt, stages, STAGES[sort], now_ns)
        return seconds(lasted_ns) if stages.known else _roughly(lasted_ns)
    if sort is Sort.RESIDUAL:
        return seconds(stages.residual_ns)
    if sort is Sort.WAITED:
        share = waited_share(attempt)
        return "" if share is None else f"{100 * share:.0f} %"
    usage = attempt.usage
    if usage is None:
        return ""
    match sort:
        case Sort.RSS:
            return f"{usage.rss_bytes / _MIB:.0f}"
        case Sort.DISK:
            return f"{usage.disk_read_bytes / _MIB:.0f}"
        case Sort.CPU:
            return seconds(usage.cpu_ns)
    raise ValueError(f"{sort} is none of these columns")
