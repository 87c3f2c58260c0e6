"""Hosts of a run: what each is, how busy, and how far its clock is off."""

import dataclasses

import pytest

from support.facts import SECOND, host, run_started
from support.shifting import shifted
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.stamps import STAMPS

SPANS = {
    "limit_ns", "cpu_ns", "vcpu_run_ns", "vcpu_wait_ns", "uncertainty_ns", "offset_ns",
    "applied_ns", "wall_ns",
}  # fmt: skip


def joined(name, **facts):
    return ev.HostJoined(
        at_ns=2, host=name, address=f"tcp://{name}:1", facts=host(hostname=name, **facts),
        accel="tcg", accel_reason="", qemu_version="7.2", tool_version="1",
    )  # fmt: skip


def sample(name="", at_ns=3, cpu_percent=50.0):
    return ev.HostSample(at_ns=at_ns, cpu_percent=cpu_percent, load1=1.0, host=name)


def test_a_run_on_one_host_has_one_without_a_name():
    fleet = Fleet([run_started(), sample()])

    assert list(fleet.hosts) == [""]
    assert not fleet.hosts.are_many
    assert fleet.host_samples == [sample()]
    assert fleet.host_facts == fleet.run.host


def test_several_hosts_have_what_a_single_one_has_each():
    fleet = Fleet([run_started(), joined("a"), joined("b"), sample("b")])

    assert list(fleet.hosts) == ["a", "b"]
    assert fleet.hosts.are_many
    assert fleet.hosts["a"].sample is None
    assert fleet.hosts["b"].sample == sample("b")


def test_facts_in_which_hosts_differ_are_not_known_of_all():
    fleet = Fleet([run_started(), joined("a", cores=4), joined("b", cores=8)])

    assert fleet.host_facts.cores == 0
    assert fleet.host_facts.kernel == host().kernel
    assert fleet.host_facts.hostname == "a, b"
    assert {each.facts.cores for each in fleet.hosts.values()} == {4, 8}


def test_how_busy_a_host_was_is_never_known_of_all():
    busy = {"load1": 0.5, "psi": {"cpu": 0.0}, "memory_available_bytes": 1 << 30}
    fleet = Fleet([run_started(), joined("a", **busy), joined("b", **busy)])

    assert (fleet.host_facts.load1, fleet.host_facts.psi) == (0.0, {})
    assert fleet.host_facts.memory_available_bytes == 0
    assert fleet.hosts["a"].facts.load1 == 0.5


def test_a_clock_is_off_by_what_is_not_known_of_it_and_by_what_is_known_and_not_taken_off():
    def measured(offset_ns, uncertainty_ns, applied_ns):
        return ev.ClockMeasured(
            at_ns=4, host="a", offset_ns=offset_ns, uncertainty_ns=uncertainty_ns,
            applied_ns=applied_ns,
        )  # fmt: skip

    def error_ns(*told):
        return Fleet([run_started(), joined("a"), *told]).hosts["a"].clock_error_ns

    assert error_ns() == 0
    assert error_ns(measured(7, 9, 7)) == 9
    assert error_ns(measured(7, 9, 7), measured(10, 2, 7)) == 5  # it is known better since
    assert error_ns(measured(7, 9, 7), measured(30, 2, 30)) == 9  # but not for what was before


def test_a_lost_host_is_a_trouble_and_one_that_never_joined_is_none():
    fleet = Fleet([run_started(), joined("a")])
    fleet.fold(ev.HostLost(at_ns=5, host="a", why="it was cut off"))
    fleet.fold(ev.HostLost(at_ns=5, host="nobody", why="it was cut off"))

    assert fleet.hosts["a"].lost.why == "it was cut off"
    assert [each.text for each in fleet.troubles] == ["host a was lost: it was cut off"]
    assert fleet.misfits == 1


def test_spans_between_moments_stay_as_they_are_on_another_clock():
    went = ev.VmStarted(at_ns=4, vm=0, attempt=1, go_ns=3, qemu_ns=None)
    told = ev.VmBooted(at_ns=9 * SECOND, vm=0, attempt=1, report_ns=8 * SECOND, uncertainty_ns=6)

    assert shifted(went, 10) == dataclasses.replace(went, at_ns=14, go_ns=13)
    moved = shifted(told, -2 * SECOND)
    assert (moved.at_ns, moved.report_ns, moved.uncertainty_ns) == (7 * SECOND, 6 * SECOND, 6)


@pytest.mark.parametrize("kind", ev.Event.__args__)
def test_every_time_of_an_event_is_known_to_be_a_moment_or_a_span(kind):
    times = {each.name for each in dataclasses.fields(kind) if each.name.endswith("_ns")}

    assert times <= STAMPS | SPANS
