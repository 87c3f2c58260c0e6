"""How long folding and summarising 5,000 VMs x 20 storms takes; prints, asserts nothing.

python tests/bench/numbers_fold.py [vms] [storms]
"""

import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support.making import random_run
from vmtiming_tui.analysis.cautions import cautions
from vmtiming_tui.analysis.comparison.compare import compare
from vmtiming_tui.analysis.stages import stages_of
from vmtiming_tui.analysis.summary import counted_groups, summarise_fleet
from vmtiming_tui.model.events import decode, encode
from vmtiming_tui.model.fleet import Fleet


@contextmanager
def timed(what: str, count: int) -> Iterator[None]:
    start = time.perf_counter()
    yield
    taken = time.perf_counter() - start
    print(f"{what:<36} {taken:8.2f} s   {taken / count * 1e6:8.2f} us each of {count:,}")


def main(vms: int = 5000, storms: int = 20) -> None:
    events = random_run(vms, storms)
    lines = [encode(event) for event in events]
    boots = vms * storms
    fleet = Fleet()
    fold: Callable[..., None] = fleet.fold
    gc.freeze()
    print(f"{vms:,} VMs x {storms} storms: {len(events):,} events, {sum(map(len, lines)):,} bytes")
    with timed("decode every line", len(lines)):
        for line in lines:
            decode(line)
    with timed("fold every event", len(events)):
        for event in events:
            fold(event)
    with timed("stages of every boot", boots):
        for attempt in fleet.attempts:
            stages_of(attempt)
    with timed("figures of all boots", boots):
        summarise_fleet(fleet)
    with timed("figures of all storms", boots):
        counted_groups(fleet)
    with timed("cautions", boots):
        cautions(fleet)
    with timed("compare with itself, by storms", boots):
        compare(fleet, fleet)
    single = Fleet(random_run(vms, 1))
    other = Fleet(random_run(vms, 1, seed=2))
    with timed("compare single storms", vms):
        compare(single, other)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
