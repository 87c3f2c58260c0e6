"""How many VMs of a storm are in which stage at each moment."""

from support.facts import SECOND
from support.making import TIMED_OUT, fleet_of
from support.recording import stuck_run, until
from vmtiming_tui.analysis.stage_counts import StageCounts, stage_counts, steps_of
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.stage import Stage


def counts_of(fleet: Fleet) -> StageCounts:
    return stage_counts(fleet.storm.attempts.values(), {})


def test_every_vm_is_in_one_stage_has_booted_or_is_lost_at_each_moment():
    fleet = Fleet(stuck_run(8, stuck=5))
    counts = counts_of(fleet)
    begun = sorted(a.go_ns for a in fleet.attempts)
    for ns in range(0, 60 * SECOND, SECOND // 3):
        moment = counts.at(ns)
        started = sum(go_ns - begun[0] <= ns for go_ns in begun)
        assert sum(moment.stages.values()) + moment.booted + moment.lost == started


def test_while_they_boot_it_is_what_the_host_saw():
    fleet = Fleet(until(stuck_run(8, stuck=5), 3.0))
    last = counts_of(fleet).at(60 * SECOND)
    seen = [attempt.stage_seen for attempt in fleet.attempts]
    assert {stage: n for stage, n in last.stages.items() if n} == {
        stage: seen.count(stage) for stage in set(seen)
    }


def test_once_they_are_told_it_is_what_the_guests_tell():
    (attempt,) = fleet_of([[5.0]]).attempts
    stages = [stage for stage, _ in steps_of(attempt)]
    assert stages == [Stage.FIRMWARE, Stage.KERNEL, Stage.INITRD, Stage.USERSPACE, Stage.LAG]
    assert steps_of(attempt)[0][1] == attempt.go_ns


def test_a_vm_that_is_lost_leaves_its_stage():
    counts = counts_of(fleet_of([[5.0, TIMED_OUT]]))
    before, after = counts.at(20 * SECOND), counts.at(40 * SECOND)
    assert (before.booted, before.lost, sum(before.stages.values())) == (1, 0, 1)
    assert (after.booted, after.lost, sum(after.stages.values())) == (1, 1, 0)
