"""How far off the time left is at 25, 50 and 75 % of a run, and whether its bound held throughout.

python tests/bench/time_left.py [events.jsonl ...]

Files are streams of ``vm-timing-report --json``, or runs of the history by ``export``ed JSON;
without any the tests' recordings are replayed, and runs with hanging VMs are played. The error is
of the estimate: what was said less what was left, as a share of the whole run. ``about`` and ``at
most`` are how much of the run had an estimate and a bound, ``held`` how much of the latter was
true. Prints, asserts nothing.
"""

import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from support.making import random_run, run_events
from support.measured import EIGHT, WARM_UP_AND_THREE
from support.phased import Aftermath, phased
from support.recording import smooth_run, troubled_run
from support.simulated import Course, simulated_run, troubled_fates
from vmtiming_tui.analysis.progress import TimeLeft, time_left
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import RunPlan, StormKind
from vmtiming_tui.request.sweeps import build_plan

SHARES = (25, 50, 75)
STEP_NS = 100_000_000


def recordings() -> Iterator[tuple[str, Sequence[ev.Event]]]:
    yield "8 real guests, TCG", run_events(EIGHT)
    yield "4 real storms of 3, TCG", run_events(WARM_UP_AND_THREE)
    yield "8 guests, recorded", smooth_run(8)
    yield "40 guests, troubled", troubled_run(40)
    yield "100 guests", random_run(100, 1)
    yield "10 storms of 8", random_run(8, 10)
    yield "10 storms of 8, in phases", phased(random_run(8, 10))
    yield "100 guests, in 4 rounds", phased(random_run(100, 1), Aftermath(rounds=4))
    yield "5 storms of 40, in 2 rounds", phased(random_run(40, 5), Aftermath(rounds=2))
    yield "8 guests, some hang", troubled(8)
    yield "100, 8 at once, some hang", troubled(100, parallel="8")
    yield "20, stagger, some hang", troubled(20, stagger_s="1.5")
    yield "6 storms of 8, some hang", troubled(8, warmup=1, runs=5)
    yield "sweep of 2, some hang", troubled(8, sweeps=[("smp", "1,2")], runs=3)


def troubled(number: int, seed: int = 1, **options: object) -> Sequence[ev.Event]:
    """Play a run in which one VM in ten hangs till its limit of a minute."""
    of_plan = {name: options.pop(name) for name in ("warmup", "runs", "sweeps") if name in options}
    raw = {"prefix": "vm", "kernel": "k", "number": str(number), "timeout_s": "60", **options}
    plan: RunPlan = build_plan(raw, files=False, **of_plan)
    chance, count = random.Random(seed), len(plan)
    storms = [list(troubled_fates(chance, number)) for _ in range(count)]
    return simulated_run(plan, Course(storms, [0.5] * count))


def read(path: Path) -> list[ev.Event]:
    return [ev.decode(line) for line in path.read_bytes().splitlines()]


def said(events: Sequence[ev.Event]) -> list[tuple[int, TimeLeft, int]]:
    """Return (ns since the first storm began, what was said, what was left), ten times a second."""
    ordered = sorted(events, key=lambda event: event.at_ns)
    storms = [event for event in ordered if isinstance(event, ev.StormStarted)]
    planned = [s.storm for s in storms if s.kind is not StormKind.RERUN]
    whole = Fleet(ordered)
    ends_ns = max(attempt.decided_ns or 0 for attempt in whole.attempts if attempt.storm in planned)
    plan, fleet, found = whole.plan, Fleet(), []
    assert plan is not None
    feed, now_ns = iter(ordered), storms[0].at_ns
    waiting = next(feed, None)
    while now_ns < ends_ns:
        while waiting is not None and waiting.at_ns <= now_ns:
            fleet.fold(waiting)
            waiting = next(feed, None)
        left = time_left(fleet, plan, now_ns)
        found.append((now_ns - storms[0].at_ns, left, ends_ns - now_ns))
        now_ns += STEP_NS
    return found


def main(paths: Sequence[str]) -> None:
    runs = [(path, read(Path(path))) for path in paths] if paths else list(recordings())
    heads = [*(f"at {share} %" for share in SHARES), "about", "at most", "held"]
    print(f"{'run':<26}{'lasts':>10}" + "".join(f"{head:>10}" for head in heads))
    for name, events in runs:
        rows = said(events)
        whole_ns = rows[-1][0] + rows[-1][2]
        cells = []
        for share in SHARES:
            _, told, left_ns = rows[min(len(rows) * share // 100, len(rows) - 1)]
            off = None if told.about_ns is None else 100 * (told.about_ns - left_ns) / whole_ns
            cells.append("nothing" if off is None else f"{off:+.0f} %")
        abouts = sum(told.about_ns is not None for _, told, _ in rows)
        bounds = [
            (told.at_most_ns, left_ns) for _, told, left_ns in rows if told.at_most_ns is not None
        ]
        held = sum(bound_ns >= left_ns for bound_ns, left_ns in bounds)
        cells += [f"{100 * abouts / len(rows):.0f} %", f"{100 * len(bounds) / len(rows):.0f} %"]
        cells.append(f"{100 * held / len(bounds):.1f} %" if bounds else "-")
        print(
            f"{Path(name).name:<26}{whole_ns / 1e9:>8.1f} s"
            + "".join(f"{cell:>10}" for cell in cells)
        )


if __name__ == "__main__":
    main(sys.argv[1:])
