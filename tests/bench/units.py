"""How long it takes to fold, sum up and compare the units of many VMs; prints, asserts nothing.

python tests/bench/units.py [vms] [units] [storms]
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support.made_units import run_with_units, some_units
from vmtiming_tui.analysis.comparison.compare import compare_sides
from vmtiming_tui.analysis.comparison.samples import side_of
from vmtiming_tui.analysis.summary import summarise_fleet
from vmtiming_tui.analysis.units.boot_chart import chart_of_boots
from vmtiming_tui.analysis.units.many_boots import units_of_run
from vmtiming_tui.history.stored_lines import packed
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export.html.boot_chart import boot_chart_alone


@contextmanager
def timed(what: str) -> Iterator[None]:
    start = time.perf_counter(), time.process_time()
    yield
    wall, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
    print(f"{what:<44} {1000 * wall:10.1f} ms, {1000 * cpu:10.1f} ms of CPU")


def main(vms: int = 1000, units: int = 300, storms: int = 10) -> None:
    made = some_units(units)
    boots = vms // storms
    events = [run_with_units(made, storms, boots, seed=seed) for seed in (1, 2)]
    told = [event for event in events[0] if isinstance(event, ev.VmUnits)]
    lines = []
    with timed(f"putting the units of {len(told):,} VMs into lines"):
        lines = [ev.encode(event).encode() for event in told]
    for what, size in (("them", sum(map(len, lines))), ("them as kept", len(packed(lines)))):
        print(f"{what:<44} {size / 1e6:10.1f} MB")
    with timed("reading them"):
        for line in lines:
            ev.decode(line)
    with timed("folding a run of them"):
        fleet = Fleet(events[0])
    with timed("summing it up, unit by unit"):
        found = units_of_run(fleet)
    with timed("making rows of its chart, and the SVG"):
        chart = chart_of_boots(found, summarise_fleet(fleet).stage_medians_s)
        boot_chart_alone(chart, "chart")
    sides = [side_of(fleet), side_of(Fleet(events[1]))]
    with timed("comparing it with another, unit by unit"):
        (group,) = compare_sides(*sides).groups
    print(f"{'units tested':<44} {group.parts['units'].tested:10}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
