"""A run's row in the list: its figures as they are kept, and the row read back."""

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.comparison.samples import Identity
from vmtiming_tui.analysis.counted import counted_by_storm
from vmtiming_tui.analysis.summary import (
    all_booted_in_s,
    boots_s,
    completion,
    lost_of,
    median_over_storms,
)
from vmtiming_tui.analysis.trend import TrendPoint
from vmtiming_tui.errors import EventError
from vmtiming_tui.history.owner import is_alive
from vmtiming_tui.model.codec import from_json, to_json
from vmtiming_tui.model.fleet import Fleet, RunState

CURVE_POINTS = 40
HOSTS_APART = ", "

Row = dict[str, str | int | float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run's row in the list: what it was, and its figures (s) over the boots that count.

    ``median_s`` and ``p95_s`` are of all boots, ``all_booted_in_s`` the median over storms.
    ``counts`` is by how the boots ended. ``curve`` is of its last storm: (s, how many had
    booted), at most some 40 points. ``baseline`` is the run it was started to be held against.
    ``labels`` are those it was given. ``owner`` is the process that keeps it, as
    ``owner_of`` tells it.
    """

    key: int
    run: str
    name: str
    notes: str
    wall_ns: int
    state: RunState
    number: int
    host: str
    accel: str
    qemu_version: str
    tool_version: str
    storms: int
    boots: int
    booted: int
    median_s: float | None
    p95_s: float | None
    all_booted_in_s: float | None
    counts: Mapping[str, int] = field(default_factory=dict)
    curve: tuple[tuple[float, int], ...] = ()
    baseline: Identity | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts it was made on, by name."""
        return tuple(self.host.split(HOSTS_APART)) if self.host else ()

    @property
    def label(self) -> str:
        """What to call it: its name where it has one, else its id."""
        return self.name or self.run


def figures_of(fleet: Fleet) -> Row:
    """Return what the list shows of a run besides its state: the figures of boots that count."""
    storms = list(counted_by_storm(fleet).values())
    boots = [attempt for storm in storms for attempt in storm]
    times, lost = boots_s(boots), lost_of(boots)
    counts = Counter(str(attempt.state) for attempt in boots)
    curve = completion(storms[-1]) if storms else []
    step = max(1, -(-len(curve) // CURVE_POINTS))
    points = [*curve[:-1:step], *curve[-1:]]
    names = {"host": fleet.host_facts.hostname} if fleet.hosts.are_many else {}
    return {
        **names,
        "counts": json.dumps(counts),
        "storms": len(fleet.storms),
        "boots": len(boots),
        "booted": len(times),
        "median_s": stats.worst_rank_percentile(times, lost, 50),
        "p95_s": stats.worst_rank_percentile(times, lost, 95),
        "cluster_s": median_over_storms([all_booted_in_s(storm) for storm in storms]),
        "curve": json.dumps([[ns / 1e9, k] for ns, k in points]),
    }


def packed_points(points: Sequence[TrendPoint]) -> str:
    """Return what a run came to as its row keeps it."""
    return json.dumps([to_json(point) for point in points], separators=(",", ":"))


def unpacked_points(text: str) -> tuple[TrendPoint, ...] | None:
    """Return what a run came to; None where that is not kept, or damaged."""
    if not text:
        return None
    try:
        return tuple(from_json(TrendPoint, point) for point in json.loads(text))
    except (EventError, ValueError, TypeError, RecursionError):
        return None


def read_row(row: sqlite3.Row) -> StoredRun:
    """Return a row of the list; a damaged one may hold anything anywhere."""
    texts = ("run", "name", "notes", "host", "accel", "qemu_version", "tool_version", "owner")
    wholes = ("wall_ns", "number", "storms", "boots", "booted")
    seconds = {"median_s": "median_s", "p95_s": "p95_s", "all_booted_in_s": "cluster_s"}
    values: dict[str, Any] = {name: str(row[name]) for name in texts}
    values |= {name: row[name] if isinstance(row[name], int) else 0 for name in wholes}
    values |= {
        name: row[column] if isinstance(row[column], float) else None
        for name, column in seconds.items()
    }
    return StoredRun(
        key=row["key"],
        state=_state(str(row["state"]), str(row["owner"])),
        counts={state: n for state, n in _json(row["counts"], dict).items() if type(n) is int},
        curve=_curve(row["curve"]),
        baseline=_baseline(row["baseline"]),
        labels={key: text for key, text in _json(row["labels"], dict).items() if type(text) is str},
        **values,
    )


def _baseline(text: str) -> Identity | None:
    try:
        return from_json(Identity, body) if (body := _json(text, dict)) else None
    except EventError:
        return None


def _curve(text: str) -> tuple[tuple[float, int], ...]:
    try:
        return tuple((float(at), int(k)) for at, k in _json(text, list))
    except (TypeError, ValueError, OverflowError):
        return ()


def _state(word: str, owner: str) -> RunState:
    """Return a run's state; one whose recorder is gone before its end was interrupted."""
    try:
        state = RunState(word)
    except ValueError:
        return RunState.INTERRUPTED
    if state in (RunState.WAITING, RunState.RUNNING):
        return RunState.RUNNING if is_alive(owner) else RunState.INTERRUPTED
    return state


def _json(text: str, kind: type) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return kind()
    return value if isinstance(value, kind) else kind()
