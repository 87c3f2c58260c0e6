"""Several hosts as one source: what is pulled of each, sent to each, and left behind."""

import asyncio
import itertools

from support.facts import plan
from support.simulated_hosts import Fate, SimulatedLink
from vmtiming_tui.cluster.source import ClusterSource
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.commands import Quit, Rerun, Start
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
    assert "host b was lost at 0.0 s: the cable was pulled" in fleet.newest[3].why


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
                    case ev.Notice(host="b"):
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
