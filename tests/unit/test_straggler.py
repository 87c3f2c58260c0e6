"""Why the slowest VM was slow: its units against what the other VMs usually take for them."""

from dataclasses import replace

import pytest

from support.made_units import MadeUnit, fleet_with_units, run_with_units
from support.making import FAILED, fleet_of
from vmtiming_tui.analysis.straggler import Straggler, straggler, straggler_of
from vmtiming_tui.analysis.summary import counted_groups
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.report.straggler import straggler_lines, straggler_words

UNITS = (
    MadeUnit("disk.service", 200),
    MadeUnit("net.service", 300, ("disk.service",)),
    MadeUnit("side.service", 10, ("disk.service",)),
    MadeUnit("multi-user.target", 0, ("net.service", "side.service")),
)
SLOW_VM = 3


def found(**added_ms: float) -> Straggler:
    """Return what is found where these units of one VM are slower.

    A guest that is made up gives half of its boot to its units, and as much to what precedes them.
    """
    added = {f"{name}.service": ms for name, ms in added_ms.items()}
    fleet = fleet_with_units(UNITS, 1, 8, noise=0.01, added_in={SLOW_VM: added})
    result = straggler(fleet.newest, fleet.unit_order)
    assert result is not None
    return result


def test_the_unit_that_made_a_vm_slow_explains_its_delay():
    result = found(net=1000)

    assert result.slowest.vm == SLOW_VM
    first = result.units[0]
    assert (first.name, first.on_chain) == ("net.service", True)
    assert first.added_ns == pytest.approx(1e9, rel=0.02)
    assert result.explained(first) == pytest.approx(0.5, abs=0.03)


def test_what_the_boot_did_not_wait_for_is_told_as_that():
    result = found(net=1000, side=1200)
    lines = straggler_lines(result)
    side = next(line for line in lines if "side.service" in line)
    net = next(line for line in lines if "net.service" in line)

    assert "% of the delay" in (net if "did not wait" in side else side)
    assert ", which the boot did not wait for" in (side if "did not wait" in side else net)


def test_the_median_of_the_others_is_what_a_unit_is_held_against():
    result = found(net=1000)
    usual = next(unit.usual_ns for unit in result.units if unit.name == "net.service")

    assert usual == pytest.approx(0.3e9, rel=0.05)


def test_a_unit_that_no_other_vm_has_is_told_without_a_figure():
    stream = run_with_units(UNITS, 1, 8, added_in={SLOW_VM: {"disk.service": 900}})
    own = [
        replace(event, names=("lone.service", *event.names[1:]))
        if isinstance(event, ev.VmUnits) and event.vm == SLOW_VM
        else event
        for event in stream
    ]
    result = straggler(Fleet(own).newest)

    assert any("lone.service: " in line and "against -" in line for line in straggler_lines(result))


def test_one_sentence_names_the_vm_its_delay_and_the_stages_and_units_that_made_it():
    words = straggler_words(found(net=1000))

    assert words == (
        "VM 3 was the slowest: +2.0 s to the median: "
        "userspace +1.0 (net +1.0), initrd +0.6, kernel +0.4"
    )


def test_what_the_boot_did_not_wait_for_explains_nothing_in_the_sentence():
    assert "side" not in straggler_words(found(net=1000, side=1200))


def test_the_median_is_the_one_that_the_tables_tell():
    fleet = fleet_of([[5.0, 6.0, 7.0, 8.0, FAILED, 12.0]])
    result = straggler_of(fleet)
    (group,) = counted_groups(fleet)

    assert result is not None
    assert result.median_ns / 1e9 == group.storms[0].summary.median_s == 7.5
    assert straggler_words(result).startswith(
        "VM 5 was the slowest of the 5 that booted: +4.5 s to the median"
    )


@pytest.mark.parametrize(
    ("boots", "words"),
    [
        ([5.0, 5.04], "All 2 VMs took much the same: 5.00 to 5.04 s"),
        ([5.0] * 3, "All 3 VMs took much the same: 5.00 s"),
        (
            [5.0, 5.05, FAILED, 5.06, 5.06],
            "The 4 VMs that booted took much the same: 5.00 to 5.06 s",
        ),
    ],
)
def test_nobody_is_blamed_for_what_chance_makes(boots, words):
    result = straggler_of(fleet_of([boots]))

    assert result is not None
    assert straggler_words(result) == words


@pytest.mark.parametrize(
    "boots",
    [[], [5.0], [5.0, FAILED], [5.0, 9.0, FAILED, FAILED, FAILED], [2.0, 9.0, 9.0, 9.0]],
    ids=["nothing", "one", "one booted", "the median is hidden", "none is behind the median"],
)
def test_nothing_is_said_where_nobody_can_be_told_to_be_slow(boots):
    assert straggler_of(fleet_of([boots] if boots else [])) is None


def test_over_storms_it_is_told_in_which_one_it_fell_behind():
    fleet = fleet_of([[5.2, 5.1, 5.0], [8.0, 8.1, 9.9], [5.2, 5.1, 5.0]])
    result = straggler_of(fleet)

    assert result is not None
    assert straggler_words(result).startswith(
        "VM 2 fell furthest behind, in storm 2: +1.8 s to its median"
    )


def test_a_vm_that_stands_out_is_named_before_one_of_a_slower_storm_that_does_not():
    fleet = fleet_of([[60.0, 61.0, 61.5], [5.0, 5.1, 5.5]])
    result = straggler_of(fleet)

    assert result is not None
    assert result.slowest.storm == 2
    assert straggler_words(result).startswith("VM 2 fell furthest behind, in storm 2: +0.40 s")


def test_where_no_storm_has_one_that_stands_out_it_says_how_far_any_was():
    result = straggler_of(fleet_of([[5.0, 5.1], [5.0, 5.2, 5.1]]))

    assert result is not None
    assert straggler_words(result) == (
        "VMs of one storm took much the same: at most +0.10 s to its median (VM 1 in storm 2)"
    )


@pytest.mark.parametrize(
    ("storms", "said"),
    [
        ([[5.0, 5.1, 9.0]] * 4 + [[5.0, 6.0, 5.1]], " (the slowest in 4 of 5 storms)"),
        ([[5.0, 5.1, 9.0], [5.0, 6.0, 5.1], [6.0, 5.0, 5.1]], ""),
        ([[5.0, 5.1, 9.0]] * 2, ""),
        ([[5.0, 9.0]] * 5, ""),
    ],
    ids=["most storms", "a storm of three", "too few storms", "too few VMs"],
)
def test_a_vm_that_is_the_slowest_in_most_storms_is_told_to_be(storms, said):
    result = straggler_of(fleet_of(storms))

    assert result is not None
    assert straggler_words(result).partition(", in storm 1")[2].startswith(f"{said}: +")


@pytest.mark.parametrize(
    ("share", "usual", "said"),
    [
        (0.82, None, ", waited for a CPU 82 %"),
        (0.82, 0.4, ", waited for a CPU 82 % (median 40 %)"),
        (0.1, 0.0, ""),
        (0.8, 0.79, ""),
        (0.3, 0.8, ""),
    ],
)
def test_waiting_for_a_cpu_is_told_where_it_was_much_and_more_than_the_others(share, usual, said):
    result = replace(found(net=1000), waited_share=share, usual_waited_share=usual)

    assert straggler_words(result).endswith(f"kernel +0.4{said}")


def test_a_stage_that_makes_up_little_of_the_delay_is_left_out():
    result = replace(
        found(net=1000), added_ns={Stage.USERSPACE: 1_900_000_000, Stage.LAG: 90_000_000}
    )

    assert straggler_words(result).endswith(": userspace +1.9 (net +1.0)")


def test_a_unit_that_took_more_than_its_stage_did_is_not_what_made_it_slow():
    result = replace(found(net=1000), added_ns={Stage.USERSPACE: 400_000_000})

    assert straggler_words(result).endswith(": userspace +0.4")
