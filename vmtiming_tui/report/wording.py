"""Figures as a report words them: exact in a document, short in a terminal's columns."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from vmtiming_tui.analysis.comparison.difference import signed
from vmtiming_tui.model.attempt import VmState

NOTHING = "–"
SHORT_NOTHING = "-"
RATE = ".3f"  # VMs per second in a document

STATE_SIGNS: Mapping[VmState, str] = {
    VmState.QUEUED: "·",
    VmState.LAUNCHING: "◌",
    VmState.CONNECTED: "◔",
    VmState.BOOTED: "✓",
    VmState.FAILED: "✗",
    VmState.TIMED_OUT: "!",
    VmState.KILLED: "-",
}
"""A VM's state as one character, in the dashboard and on the page alike."""


def in_seconds(duration_ns: int | None) -> float | None:
    """Return a duration in seconds."""
    return None if duration_ns is None else duration_ns / 1e9


def exact_seconds(value: float | None) -> str:
    """Return seconds to the millisecond, which is about as well as they are known."""
    return NOTHING if value is None else f"{value:.3f} s"


def exact_seconds_of_ns(value: int | None) -> str:
    """Return ns as seconds to the millisecond."""
    return exact_seconds(in_seconds(value))


def exact_rate(value: float | None) -> str:
    """Return VMs per second."""
    return NOTHING if value is None else format(value, RATE)


def short_seconds(value: float | None) -> str:
    """Return seconds as the plain report shows them."""
    return SHORT_NOTHING if value is None or not math.isfinite(value) else f"{value:.4g}s"


def short_change(percent: float | None) -> str:
    """Return a change in percent, its sign always shown."""
    return SHORT_NOTHING if percent is None or not math.isfinite(percent) else f"{signed(percent)}%"


def mebibytes(size: int) -> str:
    """Return bytes as MiB."""
    return f"{size / (1 << 20):.0f} MiB"


def utc(wall_ns: int) -> str:
    """Return a wall clock's ns since 1970 as ISO 8601 in UTC, to the second; empty where absurd."""
    try:
        return datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return ""
