"""Several hosts as one source: what is pulled of each, sent to each, and left behind."""

import asyncio
import itertools
import time
from dataclasses import replace

import pytest

from support.facts import SECOND, plan
from support.simulated_hosts import Fate, SimulatedLink
from vmtiming_tui.cluster import host_lines
from vmtiming_tui.cluster.host_link import Lines
from vmtiming_tui.cluster.source import ClusterSource
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.commands import Quit, ReadConsole, Rerun, Start
from vmtiming_tui.model.config import StartMode
from vmtiming_tui.model.fleet import Fleet, RunState

SOON = Fate().faster(200)


def links(*names: str, **traits: object) -> list[SimulatedLink]:
    return [SimulatedLink(name, itertools.repeat(SOON), **traits) for name in names]


async def read(source: ClusterSource, fleet: Fleet) -> list[ev.Event]:
    events = []
    async for batch in source.batches():
        for event in batch:
            events.append(event)
            fleet.fold(event)
    return events


async def test_a_run_on_three_hosts_is_one_stream():
    fleet, told = Fleet(), []
    async with ClusterSource(links("a", "b", "c"), told.extend) as source:
        source.send(Start(plan=plan(9, start=StartMode.TOGETHER)))
        events = await read(source, fleet)
    assert fleet.state is RunState.FINISHED
    assert fleet.misfits == 0
    assert [each.state for each in fleet.newest] == [VmState.BOOTED] * 9
    assert [each.host for each in fleet.newest] == [*"aaabbbccc"]
    assert [event for _, event in told] == events
    assert [ev.decode(line) for line, _ in told] == events


async def test_a_host_that_is_lost_holds_nobody_up():
    hosts = links("a", "b")
    fleet = Fleet()
    async with ClusterSource(hosts) as source:
        source.send(Start(plan=plan(4, start=StartMode.TOGETHER)))
        async for batch in source.batches():
            for event in batch:
                fleet.fold(event)
                if isinstance(event, ev.VmLaunched):
                    hosts[1].die("the cable was pulled")
    assert fleet.state is RunState.FINISHED
    assert [each.state for each in fleet.newest] == [VmState.BOOTED] * 2 + [VmState.FAILED] * 2
    assert fleet.newest[3].why.endswith("s: the cable was pulled")
    assert fleet.misfits == 0


async def test_a_host_that_was_lost_joins_anew_and_boots_its_vms_again():
    hosts, again = links("a", "b"), links("b")
    fleet = Fleet()
    async with asyncio.timeout(20), ClusterSource(hosts) as source:
        source.send(Start(plan=plan(4, start=StartMode.TOGETHER), interactive=True))
        async for batch in source.batches():
            for event in batch:
                fleet.fold(event)
                match event:
                    case ev.VmLaunched(attempt=1):
                        hosts[1].die("its worker was killed")
                    case ev.HostLost():
                        source.join(*again)
                    case ev.Notice(text=text) if text.startswith("host b has joined"):
                        source.send(Rerun(vms=(2, 3)))
                    case ev.RunEnded() if fleet.vms[3].state is VmState.BOOTED:
                        source.send(Quit())
    assert [each.host for each in fleet.newest] == [*"aabb"]
    assert [each.state for each in fleet.newest] == [VmState.BOOTED] * 4
    assert fleet.hosts["b"].lost is None
    assert [lost.why for lost in fleet.hosts["b"].losses] == ["its worker was killed"]


async def test_leaving_ends_everything():
    hosts = links("a", "b")
    async with ClusterSource(hosts) as source:
        source.send(Start(plan=plan(4)))
        await anext(aiter(source.batches()))
    assert all(isinstance(host.sent[-1], Quit) for host in hosts)
    assert len(asyncio.all_tasks()) == 1


async def test_lines_pass_as_they_came_but_for_their_moments():
    (host,) = links("a", ahead_ns=9 * SECOND)
    told = []
    async with ClusterSource([host], told.extend) as source:
        source.send(Start(plan=plan(1)))
        await read(source, Fleet())
    came = {type(event): event for event in map(ev.decode, host.all_lines)}
    for line, event in told:
        if isinstance(event, ev.VmBooted):
            assert line.decode() == ev.encode(event)
            assert abs(came[ev.VmBooted].report_ns - 9 * SECOND - event.report_ns) < SECOND // 10
            break
    else:
        pytest.fail("nothing booted")


@pytest.mark.parametrize(
    "line",
    [
        b"", b"{", b"[" * 10_000, b"\xff\xfe",
        '{"event":"run_ended","at_ns":1}'.encode("utf-16-le"),
        b'{"event":"vm_usage","at_ns":9223372036854775807,"vm":0,"attempt":1}',
        b'{"event":"notice","at_ns":1,"text":"' + b"x" * host_lines.MOST_BYTES + b'"}',
    ],
)  # fmt: skip
async def test_lines_that_are_no_events_are_left_out_and_said_once(line):
    (host,) = links("a", ahead_ns=-9 * SECOND)
    fleet = Fleet()
    async with ClusterSource([host]) as source:
        source.send(Start(plan=plan(1)))
        async for batch in source.batches():
            for event in batch:
                fleet.fold(event)
                if isinstance(event, ev.VmQueued):
                    host.insert(line, line)
    assert [notice.text for notice in fleet.notices] == [
        "host a sent lines that are no events; that was left out"
    ]
    assert fleet.newest[0].state is VmState.BOOTED


async def test_a_way_that_loses_lines_loses_the_host():
    class Leaky(SimulatedLink):
        async def next(self, after: int) -> Lines:
            found = await super().next(after)
            return replace(found, first=found.first + (after > 3))

    fleet = Fleet()
    async with ClusterSource([*links("a"), Leaky("b", itertools.repeat(SOON))]) as source:
        source.send(Start(plan=plan(2)))
        await read(source, fleet)
    assert "1 line of its engine was lost on the way" in fleet.hosts["b"].lost.why
    assert fleet.newest[0].state is VmState.BOOTED


async def test_lines_that_come_again_are_told_once():
    class Doubling(SimulatedLink):
        async def next(self, after: int) -> Lines:
            found = await super().next(after)
            kept = self.all_lines[max(0, after - 2) : after]
            return replace(found, first=after - len(kept), lines=(*kept, *found.lines))

    fleet = Fleet()
    async with ClusterSource([Doubling("a", itertools.repeat(SOON))]) as source:
        source.send(Start(plan=plan(2)))
        events = await read(source, fleet)
    assert [event.vm for event in events if isinstance(event, ev.VmBooted)] == [0, 1]
    assert fleet.misfits == len(fleet.notices) == 0


async def test_where_nobody_reads_hosts_are_asked_for_no_more():
    (host,) = links("a")
    async with ClusterSource([host], most_unread=100) as source:
        source.send(Start(plan=plan(2)))
        batches = source.batches()
        while not any(isinstance(event, ev.VmBooted) for event in await anext(batches)):
            pass
        sample = ev.encode(ev.HostSample(at_ns=time.monotonic_ns(), cpu_percent=1, load1=1))
        for _ in range(10):
            host.insert(*[sample.encode()] * 90)
            await asyncio.sleep(0.01)
        pulled = host.pulled
        host.insert(*[sample.encode()] * 90)
        await asyncio.sleep(0.02)
        assert host.pulled == pulled
        assert len(await anext(batches)) >= 100


async def test_a_command_is_sent_once_and_in_order():
    (host,) = links("a", delay_s=0.005)
    async with ClusterSource([host]) as source:
        source.send(Start(plan=plan(1), interactive=True))
        async for batch in source.batches():
            if any(isinstance(event, ev.RunEnded) for event in batch):
                break
        for seen in range(20):
            source.send(ReadConsole(vm=0, seen_bytes=seen))
    asked = [command.seen_bytes for command in host.sent if isinstance(command, ReadConsole)]
    assert asked == [*range(20)]


async def test_a_fault_of_our_own_is_not_hidden():
    class Broken(SimulatedLink):
        async def next(self, after: int) -> Lines:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with ClusterSource([Broken("a")]) as source:
            async for _ in source.batches():
                pass
