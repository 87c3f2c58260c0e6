"""What a guest's units took, and what its boot waited for, from their stamps."""

from typing import Any

from hypothesis import given, strategies as st

from vmtiming_tui.analysis.straggler import blamed_ns
from vmtiming_tui.analysis.units.one_boot import (
    chain_lines,
    critical_chain,
    slowest_lines,
    slowest_units,
)
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.guest_events import UnitOrder, UnitTimes, VmDetails, VmUnits

MS = 1000


def unit(name: str, begun_ms: int, up_ms: int, **more: int) -> UnitTimes:
    return UnitTimes(name, activating_us=begun_ms * MS, active_us=up_ms * MS, **more)


WHO = {"at_ns": 1, "vm": 1, "attempt": 1}


def told(*units: UnitTimes, default: str = "multi-user.target", **more: Any) -> Attempt:
    properties = {"default_unit": default} if default else {}
    details = VmDetails(**WHO, properties=properties, **more)
    return Attempt(1, 1, 1, 1, details=details, units=VmUnits.of(units, **WHO))


def order(**after: str) -> UnitOrder:
    names = {name.replace("_", "."): tuple(words.split()) for name, words in after.items()}
    return UnitOrder(at_ns=1, vm=0, attempt=1, after=names)


DISK = unit("disk.device", 1000, 2200)
BASIC = unit("basic.target", 2500, 2500)
CRON = unit("cron.service", 2600, 2700)
LOG = unit("log.service", 2500, 3400)
END = UnitTimes("multi-user.target", activating_us=3400 * MS, active_us=3400 * MS)
ORDER = order(
    **{"multi-user_target": "cron.service log.service basic.target"},
    log_service="basic.target",
    cron_service="basic.target",
    basic_target="disk.device",
)


def test_a_units_time_is_from_its_begin_to_its_being_up_and_the_slowest_comes_first():
    boot = told(DISK, BASIC, CRON, LOG, END)

    assert slowest_units(boot.units) == [
        ("disk.device", 1200 * MS),
        ("log.service", 900 * MS),
        ("cron.service", 100 * MS),
    ]
    assert slowest_lines(boot) == [
        "  1.200s disk.device",
        "   900ms log.service",
        "   100ms cron.service",
    ]


def test_a_oneshot_that_ended_took_till_its_end_and_one_under_way_has_taken_nothing():
    ended = UnitTimes("once.service", activating_us=2000, inactive_us=7000)
    under_way = UnitTimes("stuck.service", activating_us=9000, inactive_us=5000)

    assert slowest_units(told(ended, under_way).units) == [("once.service", 5000)]


def test_the_chain_goes_back_along_the_order_to_whoever_was_up_last_each_time():
    boot = told(DISK, BASIC, CRON, LOG, END, timestamps_us={"UserspaceTimestampMonotonic": 500_000})

    assert chain_lines(boot, ORDER) == [
        "multi-user.target @2.900s",
        "└─log.service @2.000s +900ms",
        "  └─basic.target @2.000s",
        "    └─disk.device @500ms +1.200s",
    ]
    assert [link.up_us for link in critical_chain(boot, ORDER)] == [
        3_400_000, 3_400_000, 2_500_000, 2_200_000,
    ]  # fmt: skip


def test_units_that_this_vm_told_nothing_of_are_looked_through():
    assert [link.name for link in critical_chain(told(DISK, CRON, LOG), ORDER)] == [
        "log.service",
        "disk.device",
    ]


def test_a_unit_that_was_up_only_later_kept_nobody_waiting():
    late = unit("log.service", 5000, 6000)

    assert [link.name for link in critical_chain(told(CRON, late, END), ORDER)] == [
        "multi-user.target",
        "cron.service",
    ]


def test_without_a_word_on_what_was_booted_into_the_usual_target_is_taken_or_the_last_unit():
    assert critical_chain(told(CRON, END, default=""), ORDER)[0].name == "multi-user.target"
    assert critical_chain(told(CRON, LOG, default=""), order())[0].name == "log.service"


def test_an_older_guests_lines_are_handed_on_as_they_are():
    words = VmDetails(**WHO, slowest=("1s a",), critical_chain=("b @1s",))
    older = Attempt(1, 1, 1, 1, details=words)

    assert slowest_lines(older) == ["1s a"]
    assert chain_lines(older, None) == ["b @1s"]
    assert blamed_ns(older) == {"a": 1_000_000_000}


def test_without_an_order_there_is_no_chain():
    assert chain_lines(told(DISK, END), None) == []


NAMES = st.sampled_from(["a", "b", "c", "d", "multi-user.target"])


@given(
    st.lists(st.builds(UnitTimes, NAMES, activating_us=st.integers(0, 9))),
    st.dictionaries(NAMES, st.lists(NAMES).map(tuple)),
)
def test_whatever_order_a_guest_tells_the_chain_ends_and_names_no_unit_twice(units, after):
    chain = critical_chain(told(*units), UnitOrder(at_ns=1, vm=0, attempt=1, after=after))

    assert len({link.name for link in chain}) == len(chain)
