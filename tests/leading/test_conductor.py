"""The leader of several hosts: one order, one count of turns, one stream, whoever is lost."""

import itertools
import random
from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st

from support.facts import MS, SECOND, config, plan
from support.leaping_hosts import World, quick
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.cluster import Spread
from vmtiming_tui.model.config import KernelDetail, StartMode
from vmtiming_tui.model.decision import UntilDecided
from vmtiming_tui.model.fleet import Fleet, RunState
from vmtiming_tui.model.plan import RunPlan, StormKind, Variant

DECISIONS = (ev.VmBooted, ev.VmFailed, ev.VmTimedOut, ev.VmKilled)


def kinds(events: list[ev.Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def a_run(*hosts: str, of: RunPlan | None = None, **traits: object) -> World:
    world = World(*(hosts or ("a", "b")), **traits)
    world.start(of or plan(4))
    return world


# What a run is.


def test_a_run_on_many_hosts_is_told_in_the_order_of_a_run_on_one():
    world = a_run("a", "b", of=plan(2, start=StartMode.TOGETHER))

    assert kinds(world.run()) == [
        "RunStarted", "HostJoined", "HostJoined", "ClockMeasured", "ClockMeasured",
        "StormStarted", "VmQueued", "VmQueued", "RoundStarted",
        "VmLaunched", "VmLaunched", "VmConnected", "VmConnected", "VmStarted", "VmStarted",
        "VmBooted", "VmBooted", "StormDecided", "VmReleased", "VmReleased",
        "VmDetails", "VmDetails", "StormCollected", "VmExited", "VmExited", "StormEnded",
        "RunEnded",
    ]  # fmt: skip
    started = world.told[0]
    assert (started.number, started.plan) == (2, plan(2, start=StartMode.TOGETHER))
    assert started.host.hostname == "a, b"


def test_hosts_get_ranges_of_vms_by_their_weight():
    world = a_run("a", "b", of=plan(8), spread=Spread.CORES, cores={"a": 6, "b": 2})
    fleet = Fleet(world.run())

    assert [each.host for each in fleet.newest] == [*"aaaaaabb"]


def test_every_storm_of_a_plan_is_booted_by_its_own_number():
    few, many = Variant(config=config(1), parameters={"n": "1"}), Variant(config=config(3))
    swept = RunPlan(variants=(few, many), warmup=1, runs=2)
    fleet = Fleet(a_run("a", "b", of=swept).run())

    assert [(storm.kind, len(storm.vms)) for storm in fleet.storms.values()] == [
        ("warmup", 1), ("warmup", 3), ("run", 3), ("run", 1), ("run", 1), ("run", 3),
    ]  # fmt: skip
    assert [len(fleet.vms[vm].attempts) for vm in range(3)] == [6, 3, 3]


def test_storms_for_details_come_last():
    fleet = Fleet(a_run(of=plan(2, kernel_detail=KernelDetail.EXTRA)).run())

    assert [storm.kind for storm in fleet.storms.values()] == [StormKind.RUN, StormKind.DETAIL]


def test_a_look_is_waited_for():
    looked = replace(plan(2, runs=8), until_decided=UntilDecided(percent=5, looks=(2, 4)))
    world = a_run(of=looked)
    world.run()
    assert kinds(world.told)[-1] == "LookDue"

    storms = world.told[-1].storms
    world.ask(commands.GoOn())
    world.run()
    world.ask(commands.Conclude(decisions=()))
    fleet = Fleet(world.run())

    assert fleet.state is RunState.FINISHED
    assert (storms, len(fleet.storms)) == (2, 4)
    assert fleet.concluded is not None


def test_an_interactive_run_is_followed_by_another():
    world = World("a", "b")
    world.start(plan(2), interactive=True)
    world.run()
    world.start(plan(3), interactive=True)
    world.run()
    second = [*map(type, world.told)].index(ev.RunStarted, 1)
    fleet = Fleet(world.told[second:])

    assert kinds(world.told).count("RunStarted") == kinds(world.told).count("RunEnded") == 2
    assert [each.state for each in fleet.newest] == [VmState.BOOTED] * 3
    assert fleet.misfits == 0
    assert not world.conductor.is_over


def test_a_run_that_nobody_may_ask_more_of_ends_with_its_hosts():
    world = a_run()
    world.run()

    assert kinds(world.told)[-1] == "RunEnded"
    assert world.conductor.is_over
    assert "HostLost" not in kinds(world.told)


# Clocks.


def test_moments_are_put_on_one_clock():
    world = a_run("a", "b", "c", chance=random.Random(3))
    world.run()
    moments = [event.at_ns for event in world.told]

    assert moments == sorted(moments)
    assert all(event.go_ns == event.at_ns for event in world.of(ev.VmStarted))
    assert {event.offset_ns for event in world.of(ev.ClockMeasured)} == {*world.ahead_ns.values()}


def test_what_is_taken_off_a_clock_stays_while_it_may_be_true():
    world = a_run("a", of=plan(1, runs=2))
    world.run(till=lambda: world.of(ev.VmStarted))
    world.now_ns += 3600 * SECOND  # what was known before is worth less by then
    world.measure("a", off_ns=5 * MS)
    world.run()
    first, second = world.of(ev.ClockMeasured)

    assert first.applied_ns == second.applied_ns == first.offset_ns
    assert second.offset_ns == first.offset_ns + 5 * MS


def test_what_is_taken_off_a_clock_changes_between_storms_where_it_cannot_be_true():
    world = a_run("a", of=plan(1, runs=2))
    world.run(till=lambda: world.of(ev.VmStarted))
    world.ahead_ns["a"] += 5 * MS
    world.measure("a")
    world.run()
    first, during, after = world.of(ev.ClockMeasured)

    assert during.applied_ns == first.applied_ns
    assert after.applied_ns == first.applied_ns + 5 * MS


def test_a_measurement_that_went_badly_leaves_what_was_known():
    world = a_run("a", of=plan(1))
    world.run(till=lambda: world.of(ev.VmStarted))
    world.measure("a", off_ns=30 * MS)
    first, second = world.of(ev.ClockMeasured)

    assert second.offset_ns == first.offset_ns
    assert first.uncertainty_ns <= second.uncertainty_ns < MS


def test_all_vms_are_let_go_at_one_moment_of_each_hosts_clock():
    world = a_run("a", "b", "c", of=plan(6, start=StartMode.TOGETHER), delay_ns=20 * MS)
    fleet = Fleet(world.run())
    lets_go = [send for send in world.sent_of(commands.Proceed) if send.command.at_ns]

    assert {send.command.at_ns - world.ahead_ns[send.host] for send in lets_go} == {
        fleet.newest[0].go_ns
    }
    assert len({attempt.go_ns for attempt in fleet.newest}) == 1


# Turns.


def test_turns_to_boot_are_counted_over_all_hosts():
    world = a_run("a", "b", of=plan(8, parallel=2))
    booting, most = set(), 0
    for event in world.run():
        if isinstance(event, ev.VmLaunched):
            booting.add(event.vm)
        elif isinstance(event, DECISIONS):
            booting.discard(event.vm)
        most = max(most, len(booting))

    assert most == 2
    assert [event.vm for event in world.of(ev.VmLaunched)][:2] == [0, 4]  # one of each host


def test_vms_of_all_hosts_are_let_go_one_after_another():
    world = a_run("a", "b", of=plan(6, stagger_s=0.5))
    fleet = Fleet(world.run())
    moments = sorted(attempt.go_ns for attempt in fleet.newest)

    assert [after - before for before, after in itertools.pairwise(moments)] == [SECOND // 2] * 5


# Hosts that are lost, and hosts that come.


def test_vms_of_a_lost_host_fail_in_words_and_the_others_go_on():
    world = a_run()
    world.run(till=lambda: world.of(ev.VmLaunched))
    world.lose("b", "no answer within 5 s")
    fleet = Fleet(world.run())

    assert fleet.state is RunState.FINISHED
    assert [each.state.value for each in fleet.newest] == ["booted"] * 2 + ["failed"] * 2
    assert fleet.newest[2].why == "host b was lost at 0.0 s: no answer within 5 s"
    assert fleet.newest[2].exited_ns is not None
    assert fleet.hosts["b"].lost is not None


def test_lost_vms_boot_again_on_the_hosts_that_are_left():
    world = World("a", "b", "c")
    world.start(plan(6), interactive=True)
    world.run(till=lambda: world.of(ev.VmStarted))
    world.lose("c")
    world.run()
    world.ask(commands.Rerun(vms=(0, 4, 5, 99)))
    fleet = Fleet(world.run())

    assert [each.host for each in fleet.newest] == [*"aabbab"]
    assert [vm.newest.number for vm in fleet.vms.values()] == [2, 1, 1, 1, 2, 2]
    assert fleet.storm.kind is StormKind.RERUN
    assert all(each.state is VmState.BOOTED for each in fleet.newest)


def test_where_no_host_is_left_the_run_has_failed():
    world = a_run()
    world.run(till=lambda: world.of(ev.VmStarted))
    world.lose("a")
    world.lose("b", "the scheduler is gone")
    fleet = Fleet(world.run())

    assert kinds(world.told)[-3:] == ["StormEnded", "EngineFailed", "RunEnded"]
    assert fleet.state is RunState.INTERRUPTED
    assert "b: the scheduler is gone" in fleet.failure.why
    assert all(each.state is VmState.FAILED for each in fleet.newest)
    assert world.conductor.is_over


def test_a_host_whose_engine_cannot_begin_is_lost_and_the_others_boot():
    world = a_run(refusals={"b": 1})
    fleet = Fleet(world.run())

    assert [each.host for each in fleet.newest] == [*"aaaa"]
    assert (fleet.hosts["b"].lost.why, fleet.hosts["b"].lost.hint) == ("no such kernel", "copy it")
    assert fleet.misfits == 0


def test_a_host_that_fails_takes_part_in_the_next_run():
    world = World("a", "b", refusals={"b": 1})
    world.start(plan(2), interactive=True)
    world.run()
    world.start(plan(2), interactive=True)
    world.run()

    assert world.of(ev.VmQueued)[-1].host == "b"


def test_a_late_host_takes_lost_hosts_vms_and_its_share_of_the_next_run():
    world = World("a", "b")
    world.start(plan(4), interactive=True)
    world.run(till=lambda: world.of(ev.VmStarted))
    world.join("c")
    world.lose("b")
    world.run()
    assert any("host c has joined" in notice.text for notice in world.of(ev.Notice))

    world.ask(commands.Rerun(vms=(2, 3)))
    world.run()
    assert [event.host for event in world.of(ev.VmQueued)[-2:]] == ["a", "c"]

    world.start(plan(2), interactive=True)
    world.run()
    assert [event.host for event in world.of(ev.VmQueued)[-2:]] == ["a", "c"]


def test_two_hosts_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two hosts named a"):
        World("a", "a")


# What is asked for meanwhile.


def test_a_stop_ends_the_storm_as_on_one_host():
    world = a_run(of=plan(4, runs=3))
    world.run(till=lambda: world.of(ev.VmStarted))
    world.ask(commands.Stop())
    fleet = Fleet(world.run())

    assert fleet.state is RunState.STOPPED
    assert {each.state for each in fleet.newest} == {VmState.KILLED}
    assert len(fleet.storms) == 1
    assert kinds(world.told).count("StormDecided") == kinds(world.told).count("StormCollected") == 1


def test_a_storm_that_is_stopped_before_it_begins_is_none():
    world = a_run()
    world.run(till=lambda: world.sent_of(commands.Boot))
    world.ask(commands.Stop())

    assert [kind for kind in kinds(world.run()) if kind.startswith(("Storm", "Vm"))] == []
    assert kinds(world.told)[-1] == "RunEnded"


def test_a_run_that_is_stopped_before_it_begins_is_none():
    world = a_run()
    world.ask(commands.Stop())

    assert kinds(world.run()) == ["RunEnded"]


def test_to_quit_at_once_is_handed_on_as_such():
    world = a_run()
    world.run(till=lambda: world.of(ev.VmStarted))
    world.ask(commands.Quit())
    world.ask(commands.Quit(now=True))
    world.run()

    assert [send.command.now for send in world.sent_of(commands.Quit)] == [False] * 2 + [True] * 2
    assert world.conductor.is_over


def test_what_is_asked_of_a_vm_goes_to_its_host():
    world = a_run()
    world.run(till=lambda: world.of(ev.VmStarted))
    world.ask(commands.Act(action=commands.VmAction.KILL, vms=(3,)))
    world.ask(commands.ReadConsole(vm=0))
    fleet = Fleet(world.run())

    assert [send.host for send in world.sent_of(commands.Act)] == ["b"]
    assert [send.host for send in world.sent_of(commands.ReadConsole)] == ["a"]
    assert fleet.vms[3].newest.state is VmState.KILLED
    assert fleet.vms[0].newest.console is not None


# What hosts must not say.


@pytest.mark.parametrize(
    "lie",
    [
        lambda world: ev.VmFailed(at_ns=world, vm=3, attempt=1, why="a lie"),
        lambda world: ev.VmFailed(at_ns=world, vm=0, attempt=2, why="a lie"),
        lambda world: ev.VmFailed(at_ns=world, vm=-1, attempt=1, why="a lie"),
        lambda world: ev.VmBooted(
            at_ns=world, vm=0, attempt=1, report_ns=world + 100 * SECOND, uncertainty_ns=0
        ),
        lambda world: ev.VmFailed(at_ns=world + 100 * SECOND, vm=0, attempt=1, why="a lie"),
        lambda world: ev.VmFailed(at_ns=world - 10**6 * SECOND, vm=0, attempt=1, why="a lie"),
        lambda world: ev.VmConsole(at_ns=world, vm=3, attempt=1, text="", total_bytes=0),
        lambda world: ev.TurnWanted(at_ns=world, vm=3, attempt=1, turn=ev.Turn.BOOT),
        lambda world: ev.Awaiting(
            at_ns=world, storm=1, round=9, rounds=9, step=ev.Step.DECIDED, vms=(3,)
        ),
    ],
)  # fmt: skip
def test_what_is_not_a_hosts_own_is_left_out_and_said_once(lie):
    honest, world = a_run(), a_run()
    for each in (honest, world):
        each.run(till=lambda each=each: each.of(ev.VmStarted))
    for _ in range(2):
        world.hear("a", lie(world.now_ns + world.ahead_ns["a"]))
    said = [notice for notice in world.run() if isinstance(notice, ev.Notice)]

    (told,) = said
    assert told.text.startswith("host a ")
    assert "left out" in told.text
    assert [event for event in world.told if event not in said] == honest.run()


@pytest.mark.parametrize(
    "word",
    [
        ev.StormEnded(at_ns=0, storm=7),
        ev.StormDecided(at_ns=0, storm=7),
        ev.LookDue(at_ns=0, storms=1),
        ev.HostLost(at_ns=0, host="b", why="a lie"),
        ev.HostJoined(at_ns=0, host="z", address="", facts=ev.HostFacts(), accel="",
                      accel_reason="", qemu_version="", tool_version=""),
        ev.ClockMeasured(at_ns=0, host="b", offset_ns=0, uncertainty_ns=0, applied_ns=0),
    ],
)  # fmt: skip
def test_what_is_for_the_leader_to_tell_passes_from_no_host(word):
    world = a_run()
    world.run(till=lambda: world.of(ev.VmStarted))
    count = len(world.of(type(word)))
    world.hear("a", replace(word, at_ns=world.now_ns + world.ahead_ns["a"]))

    assert len(world.of(type(word))) == count
    assert Fleet(world.run()).misfits == 0


def test_what_a_host_says_of_itself_has_its_name():
    world = a_run()
    world.run(till=lambda: world.of(ev.VmStarted))
    at_ns = world.now_ns + world.ahead_ns["b"]
    world.hear("b", ev.HostSample(at_ns=at_ns, cpu_percent=1, load1=1, host="a"))
    world.hear("b", ev.Notice(at_ns=at_ns, level=ev.Level.INFO, text="hm", host="a"))

    assert [event.host for event in world.told[-2:]] == ["b", "b"]


def test_a_host_whose_clock_leaps_ends_its_storm_all_the_same():
    world = a_run()
    world.run(till=lambda: world.of(ev.VmStarted))
    world.ahead_ns["b"] += 1000 * SECOND
    fleet = Fleet(world.run())

    assert fleet.state is RunState.FINISHED
    assert [each.state for each in fleet.newest] == [VmState.BOOTED] * 2 + [VmState.FAILED] * 2


def test_a_host_that_ends_its_share_without_a_word_of_its_vms_leaves_them_failed():
    world = a_run()
    world.run(till=lambda: world.of(ev.VmStarted))
    world.hear("b", ev.StormEnded(at_ns=world.now_ns + world.ahead_ns["b"], storm=1))
    fleet = Fleet(world.run())

    assert [each.state for each in fleet.newest] == [VmState.BOOTED] * 2 + [VmState.FAILED] * 2
    assert "without a word" in fleet.newest[2].why


# Whatever happens.


@st.composite
def plans(draw: st.DrawFn) -> RunPlan:
    settings_ = {
        "start": draw(st.sampled_from(StartMode)),
        "parallel": draw(st.none() | st.integers(1, 4)),
        "parallel_per_host": draw(st.booleans()),
        "stagger_s": draw(st.sampled_from([0.0, 0.3])),
        "timeout_s": 20.0,
    }
    variants = tuple(
        Variant(config=config(draw(st.integers(1, 9)), **settings_), parameters={"v": str(place)})
        for place in range(draw(st.integers(1, 2)))
    )
    return RunPlan(variants=variants, warmup=draw(st.integers(0, 1)), runs=draw(st.integers(1, 2)))


@settings(max_examples=60, deadline=None)
@given(
    plans(),
    st.integers(1, 4),
    st.integers(0, 2**32),
    st.sampled_from([0, 30 * MS]),
    st.integers(2, 9),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3)), max_size=3),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 5)), max_size=2),
    st.none() | st.integers(0, 60),
    st.booleans(),
)
def test_whatever_happens_every_vm_of_every_storm_is_decided(
    of, count, seed, delay_ns, room, losses, joins, stop_s, again
):
    hosts = [f"h{number}" for number in range(count)]
    world = World(
        *hosts,
        lots=lambda name: quick(seed + int(name[1:])),
        chance=random.Random(seed),
        delay_ns=delay_ns,
        room=room,
    )
    world.start(of, interactive=True)
    for at_s, host in losses:
        world.after(at_s * SECOND + 1, lambda host=host: world.lose(f"h{host}"))
    for at_s, host in joins:
        world.after(at_s * SECOND + 2, lambda host=host: world.join_again(f"h{host}"))
    if stop_s is not None:
        world.after(stop_s * SECOND + 1, lambda: world.ask(commands.Stop()))
    world.run()
    if again:
        world.ask(commands.Rerun(vms=tuple(range(9))))
        world.run()
    world.ask(commands.Quit())
    world.run()

    check(world, of)


def check(world: World, of: RunPlan) -> None:
    """See that a stream tells a run that can be."""
    fleet = Fleet()
    booting: set[int] = set()
    rounds: dict[int, tuple[int, ...]] = {}
    decided: defaultdict[int, bool] = defaultdict(bool)
    ready: set[int] = set()
    for event in world.told:
        fleet.fold(event)
        match event:
            case ev.RoundStarted():
                rounds[event.round] = event.vms
            case ev.VmQueued():
                decided[event.vm] = False
                ready.discard(event.vm)
            case ev.VmLaunched():
                booting.add(event.vm)
                config = of.config
                if config.parallel is not None and not config.parallel_per_host:
                    assert len(booting) <= config.parallel
            case ev.VmConnected():
                ready.add(event.vm)
            case ev.VmStarted() if of.config.start is StartMode.TOGETHER:
                its = next(vms for vms in rounds.values() if event.vm in vms)
                assert all(vm in ready or decided[vm] for vm in its)
            case ev.StormDecided():
                assert all(decided[vm] for vm in rounds[event.round])
            case ev.StormEnded():
                rounds.clear()
            case ev.VmBooted() | ev.VmFailed() | ev.VmTimedOut() | ev.VmKilled():
                assert not decided[event.vm]
                decided[event.vm] = True
                booting.discard(event.vm)
    assert fleet.misfits == 0
    assert fleet.ran_to_end
    for vm in fleet.vms.values():
        assert [attempt.number for attempt in vm.attempts] == [*range(1, len(vm.attempts) + 1)]
    for attempt in fleet.attempts:
        assert attempt.state.is_decided
        assert attempt.exited_ns is not None
    assert all(storm.ended_ns is not None for storm in fleet.storms.values())
    assert [*fleet.storms] == [*range(1, len(fleet.storms) + 1)]
    assert world.conductor.is_over
