"""Why the slowest VM was slow: its units against what the other VMs usually take for them."""

from dataclasses import replace

import pytest

from support.made_units import MadeUnit, fleet_with_units, run_with_units
from vmtiming_tui.analysis.straggler import Straggler, straggler
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.findings import straggler_lines

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
