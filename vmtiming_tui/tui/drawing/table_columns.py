"""The list's columns: headings, widths and what stands in them; pure."""

from collections.abc import Callable
from dataclasses import dataclass

from vmtiming_tui.analysis.stages import Stages
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.tui.drawing.styled import passing, seconds, size
from vmtiming_tui.tui.state.view import Sort

NARROW = 96


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its sort key, heading and width in cells, both also in a short form."""

    sort: Sort
    heading: str
    short: str
    width: int
    short_width: int


COLUMNS = (
    Column(Sort.TIME, "host s", "host s", 10, 8),
    Column(Sort.KERNEL, "kernel", "kernel", 9, 7),
    Column(Sort.INITRD, "initrd", "initrd", 9, 7),
    Column(Sort.USERSPACE, "userspace", "user", 11, 8),
    Column(Sort.RESIDUAL, "residual", "resid", 10, 7),
    Column(Sort.RSS, "RSS", "RSS", 10, 9),
    Column(Sort.DISK, "disk read", "disk", 11, 9),
    Column(Sort.CPU, "CPU s", "CPU s", 9, 7),
)

_STAGES: dict[Sort, Callable[[Stages], int | None]] = {
    Sort.KERNEL: lambda stages: stages.of(Stage.KERNEL),
    Sort.INITRD: lambda stages: stages.of(Stage.INITRD),
    Sort.USERSPACE: lambda stages: stages.of(Stage.USERSPACE),
    Sort.RESIDUAL: lambda stages: stages.residual_ns,
}


def value(sort: Sort, attempt: Attempt, stages: Stages, now_ns: int) -> str:
    """Return what stands in one of these columns for a VM; empty where it is not known."""
    if sort is Sort.TIME:
        elapsed_ns = attempt.elapsed_ns(now_ns)
        return seconds(elapsed_ns) if attempt.state.is_decided else passing(elapsed_ns)
    if sort in _STAGES:
        return seconds(_STAGES[sort](stages))
    usage = attempt.usage
    if usage is None:
        return ""
    match sort:
        case Sort.RSS:
            return size(usage.rss_bytes)
        case Sort.DISK:
            return size(usage.disk_read_bytes)
        case Sort.CPU:
            return seconds(usage.cpu_ns)
    raise ValueError(f"{sort} is none of these columns")
