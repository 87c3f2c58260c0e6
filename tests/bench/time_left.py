"""How far off the time left is at 25, 50 and 75 % of a run, and whether its bound held throughout.

python tests/bench/time_left.py [events.jsonl ...]

Files are streams of ``vm-timing-report --json``, or runs of the history by ``export``ed JSON;
without any the tests' recordings are replayed. The error is what was said less what was left, as a
share of the whole run. Prints, asserts nothing.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from support.making import random_run, run_events
from support.measured import EIGHT, WARM_UP_AND_THREE
from support.recording import smooth_run, troubled_run
from vmtiming_tui import events as ev
from vmtiming_tui.fleet import Fleet
from vmtiming_tui.progress import time_left_ns
from vmtiming_tui.sides import plan_of_run

SHARES = (25, 50, 75)
STEP_NS = 100_000_000


def recordings() -> Iterator[tuple[str, Sequence[ev.Event]]]:
    yield "8 real guests, TCG", run_events(EIGHT)
    yield "4 real storms of 3, TCG", run_events(WARM_UP_AND_THREE)
    yield "8 guests, recorded", smooth_run(8)
    yield "40 guests, troubled", troubled_run(40)
    yield "100 guests", random_run(100, 1)
    yield "10 storms of 8", random_run(8, 10)


def read(path: Path) -> list[ev.Event]:
    return [ev.decode(line) for line in path.read_bytes().splitlines()]


def said(events: Sequence[ev.Event]) -> list[tuple[int, int | None, int]]:
    """Return (ns since the first storm began, what was said, what was left), ten times a second."""
    ordered = sorted(events, key=lambda event: event.at_ns)
    storms = [event for event in ordered if isinstance(event, ev.StormStarted)]
    planned = [s.storm for s in storms if s.kind is not ev.StormKind.RERUN]
    whole = Fleet(ordered)
    ends_ns = max(attempt.decided_ns or 0 for attempt in whole.attempts if attempt.storm in planned)
    plan, fleet, found = plan_of_run(whole.run), Fleet(), []
    assert plan is not None
    feed, now_ns = iter(ordered), storms[0].at_ns
    waiting = next(feed, None)
    while now_ns < ends_ns:
        while waiting is not None and waiting.at_ns <= now_ns:
            fleet.fold(waiting)
            waiting = next(feed, None)
        bound_ns = time_left_ns(fleet, plan, now_ns)
        found.append((now_ns - storms[0].at_ns, bound_ns, ends_ns - now_ns))
        now_ns += STEP_NS
    return found


def main(paths: Sequence[str]) -> None:
    runs = [(path, read(Path(path))) for path in paths] if paths else list(recordings())
    heads = [*(f"at {share} %" for share in SHARES), "said", "held"]
    print(f"{'run':<24}{'lasts':>10}" + "".join(f"{head:>10}" for head in heads))
    for name, events in runs:
        rows = said(events)
        whole_ns = rows[-1][0] + rows[-1][2]
        cells = []
        for share in SHARES:
            _, bound_ns, left_ns = rows[min(len(rows) * share // 100, len(rows) - 1)]
            off = None if bound_ns is None else 100 * (bound_ns - left_ns) / whole_ns
            cells.append("nothing" if off is None else f"{off:+.0f} %")
        told = [(bound_ns, left_ns) for _, bound_ns, left_ns in rows if bound_ns is not None]
        held = sum(bound_ns >= left_ns for bound_ns, left_ns in told)
        cells.append(f"{100 * len(told) / len(rows):.0f} %")
        cells.append(f"{100 * held / len(told):.1f} %" if told else "-")
        print(
            f"{Path(name).name:<24}{whole_ns / 1e9:>8.1f} s"
            + "".join(f"{cell:>10}" for cell in cells)
        )


if __name__ == "__main__":
    main(sys.argv[1:])
