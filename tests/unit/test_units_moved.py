"""Which units moved between two runs: found by their own times, and no other unit is called so."""

import lzma
from collections import Counter
from pathlib import Path

import pytest

from support.made_units import MadeUnit, fleet_with_units, some_units
from support.schema import exported_body
from vmtiming_tui.analysis.comparison.compare import compare_sides, compare_variants
from vmtiming_tui.analysis.comparison.difference import Verdict
from vmtiming_tui.analysis.comparison.moved import Movement
from vmtiming_tui.analysis.comparison.parts import part_of
from vmtiming_tui.analysis.comparison.samples import side_of
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export import render
from vmtiming_tui.report.export.from_json import fleet_of as read_back
from vmtiming_tui.report.findings import comparison_lines

RECORDED = Path(__file__).parents[1] / "support" / "recorded" / "slow_unit.jsonl.xz"
UNITS = some_units(60)
SLOW = next(unit.name for unit in UNITS[30:] if unit.name.endswith(".service"))


def run(seed: int, storms: int = 10, vms: int = 2, units=UNITS, **added: float) -> Fleet:
    ms = {SLOW: added["slow"]} if "slow" in added else {}
    return fleet_with_units(units, storms, vms, seed=seed, added_ms=ms)


def moved(first: Fleet, second: Fleet) -> Movement:
    (group,) = compare_sides(side_of(first), side_of(second)).groups
    return group.parts["units"]


def test_the_unit_that_became_slower_is_found_and_no_other():
    found = moved(run(1), run(2, slow=200))

    assert [each.name for each in found.moved] == [SLOW]
    assert found.moved[0].shift_s == pytest.approx(0.2, abs=0.03)
    assert (found.moved[0].beyond, found.moved[0].storms) == (10, 10)
    assert found.moved[0].q_value < 0.01


def test_a_real_guests_unit_that_slept_for_a_second_is_found_though_the_boots_cannot_tell():
    """8 rounds of the quick guest, with and without that sleep, recorded on a very busy host."""
    lines = lzma.decompress(RECORDED.read_bytes()).splitlines()
    side = side_of(Fleet(map(ev.decode, lines)))
    parts = [part_of(side, f"append=slow={slow}") for slow in (0, 1)]
    (group,) = compare_sides(*parts).groups

    (found,) = group.parts["units"].moved
    assert found.name == "systemd-tmpfiles-setup.service"
    assert (found.beyond, found.storms) == (8, 8)
    assert 1 < found.shift_s < 2
    assert group.boot.verdict is Verdict.CANNOT_TELL


def test_who_waited_for_it_did_not_move():
    units = (
        MadeUnit("first.service", 100),
        MadeUnit("second.service", 100, ("first.service",)),
        MadeUnit("multi-user.target", 0, ("second.service",)),
    )
    before, after = (
        fleet_with_units(units, 8, 2, seed=seed, added_ms={"first.service": added})
        for seed, added in ((1, 0), (2, 500))
    )

    assert [each.name for each in moved(before, after).moved] == ["first.service"]


def test_units_that_came_and_went_are_named():
    new = MadeUnit("new.service", 50, ("basic.target",))
    without = tuple(unit for unit in UNITS if unit.name != SLOW)
    found = moved(run(1), run(2, units=(*without, new)))

    assert (found.came, found.went) == (("new.service",), (SLOW,))


def test_fewer_than_8_storms_a_side_name_nothing_and_that_is_said():
    comparison = compare_sides(side_of(run(1, 7)), side_of(run(2, 7, slow=500)))

    assert comparison.groups[0].parts["units"] == Movement()
    said = "units: which of them moved takes 8 storms a side to say."
    assert said in comparison_lines(comparison)


def test_runs_whose_guests_tell_no_units_are_compared_without():
    (group,) = compare_sides(side_of(Fleet()), side_of(Fleet())).groups or (None,)
    assert group is None or "units" not in group.parts


def in_turn(storms: int, added_ms: float) -> list[str]:
    """Return what is found in two variants on a host that is twice as slow in the end."""
    drifting = {"drift": 1 / storms, "storm_noise": 0.0, "noise": 0.02}
    first, second = (
        fleet_with_units(UNITS, storms, 2, seed=seed, added_ms={SLOW: added}, **drifting)
        for seed, added in ((1, 0), (2, added_ms))
    )
    (group,) = compare_variants([*side_of(first).samples, *side_of(second).samples])
    assert not moved(first, second).moved
    return [each.name for each in group.parts["units"].moved]


def test_variants_booted_in_turn_are_compared_round_by_round_though_the_host_drifts():
    assert in_turn(14, 20) == [SLOW]


def test_too_few_rounds_for_so_many_units_find_nothing_that_is_small_beside_the_drift():
    assert in_turn(8, 20) == []


def test_a_comparison_says_which_unit_moved_by_how_much_of_the_boots_change():
    lines = comparison_lines(compare_sides(side_of(run(1)), side_of(run(2, slow=400))))
    at = next(at for at, line in enumerate(lines) if line.startswith("units that moved: 1 of "))
    row = lines[at + 2].split()

    assert lines[at + 1].split()[0] == "name"
    assert (row[0], row[-2], row[-1][:3]) == (SLOW, "10/10", "0.0")


def test_exported_files_tell_enough_to_find_the_unit():
    before, after = (read_back(render(".json", fleet)) for fleet in (run(1), run(2, slow=200)))
    assert before.unit_order.after == run(1).unit_order.after

    found = moved(before, after)
    body = exported_body(render(".json", after, None, side_of(before)))["comparison"]

    assert [each.name for each in found.moved] == [SLOW]
    assert body["groups"][0]["parts"]["units"]["moved"][0]["name"] == SLOW
    assert found == moved(run(1), run(2, slow=200))


def test_where_nothing_differs_hardly_any_run_has_a_unit_that_moved():
    runs = [run(seed, 8, 1) for seed in range(20)]
    wrong = Counter(
        bool(moved(one, other).moved) for one, other in zip(runs[::2], runs[1::2], strict=True)
    )

    assert wrong[True] <= 2
