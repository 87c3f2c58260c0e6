"""conditions: with which accelerator, cache and history an attempt booted."""

from dataclasses import replace

import pytest

from support.facts import argv, plan, run_started
from support.making import fleet_of, run_events, storm_events
from vmtiming_tui.analysis.conditions import conditions_of
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet


def test_an_attempts_conditions_say_how_it_booted():
    fleet = fleet_of([[5.0], [5.0]])
    first, second = fleet.vms[0].attempts

    told = conditions_of(fleet, first)
    assert (told.accel, told.cache, told.boot) == ("kvm", "as found", "first")
    told = conditions_of(fleet, second)
    assert (told.accel, told.cache, told.boot) == ("kvm", "warm", "repeated")


@pytest.mark.parametrize(("refused", "cache"), [(False, "cold"), (True, "warm")])
def test_the_cache_is_cold_only_if_it_was_really_emptied(refused, cache):
    stream = run_events([[5.0], [5.0]], started={"plan": replace(plan(), drop_caches=True)})
    if refused:
        stream.append(
            ev.Notice(
                at_ns=1,
                level=ev.Level.WARNING,
                text="any words",
                code=ev.NoticeCode.CACHE_KEPT,
            )
        )
    fleet = Fleet(stream)

    assert conditions_of(fleet, fleet.vms[0].newest).cache == cache


def test_the_accelerator_is_what_qemu_was_given():
    fleet = Fleet([run_started(accel="kvm"), *storm_events([5.0], accel="tcg")])

    assert fleet.vms[0].newest.argv == argv(0, "tcg")
    assert conditions_of(fleet, fleet.vms[0].newest).accel == "tcg"
