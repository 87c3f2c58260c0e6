"""Three led engines of this host behind one source: what they tell is one run's stream."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from support.engine_lab import LIMIT_S, Lab
from support.facts import plan_of
from vmtiming_tui.cluster.dask_hosts.held_engine import HeldEngine
from vmtiming_tui.cluster.host_link import Lines
from vmtiming_tui.cluster.source import ClusterSource
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.cluster import Spread
from vmtiming_tui.model.config import StartMode
from vmtiming_tui.model.fleet import Fleet

HOSTS = ("a", "b", "c")


class Link:
    """The way to an engine that is held in this process."""

    def __init__(self, name: str) -> None:
        self.name = self.address = name
        self.held = HeldEngine()
        self._sent = 0

    async def send(self, lines: tuple[bytes, ...]) -> None:
        self.held.send(self._sent, lines)
        self._sent += len(lines)

    async def next(self, after: int) -> Lines:
        return await self.held.next(after)

    async def clock_ns(self) -> int:
        return time.monotonic_ns()


class Run:
    """A run on all hosts, as far as it is told."""

    def __init__(self, source: ClusterSource) -> None:
        self.source = source
        self.events: list[ev.Event] = []
        self.fleet = Fleet()
        self._batches = source.batches()

    async def till(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not true():
                for event in await anext(self._batches):
                    self.events.append(event)
                    self.fleet.fold(event)

    @property
    def booted_at_once(self) -> int:
        """How many VMs were booting at the same time, at most."""
        spans = [(each.spawn_ns, each.report_ns) for each in self.fleet.attempts]
        return max(sum(one <= at <= end for one, end in spans) for at, _ in spans)


@contextlib.asynccontextmanager
async def three_hosts(lab: Lab) -> AsyncIterator[Run]:
    links = [Link(name) for name in HOSTS]
    for link in links:
        await link.held.open()
    async with ClusterSource(links, spread=Spread.EVEN) as source:
        yield Run(source)
    for link in links:
        await link.held.close()
    assert lab.leftovers() == []


def of(run: Run, kind: type) -> list[ev.Event]:
    return [event for event in run.events if isinstance(event, kind)]


async def test_a_storm_is_one_on_all_of_them_and_boots_again_where_it_was(lab: Lab):
    config = lab.config(6, "boot=0.01", start=StartMode.TOGETHER, end="quit")
    async with three_hosts(lab) as run:
        run.source.send(commands.Start(plan=plan_of(config), interactive=True))
        await run.till(lambda: of(run, ev.RunEnded))
        run.source.send(commands.Rerun(vms=(0, 5)))
        await run.till(lambda: len(of(run, ev.RunEnded)) == 2)

    fleet = run.fleet
    assert fleet.misfits == 0
    assert {storm.vms for storm in fleet.storms.values()} == {(0, 1, 2, 3, 4, 5), (0, 5)}
    assert [each.host for each in fleet.newest] == ["a", "a", "b", "b", "c", "c"]
    assert [vm.attempts[0].host for vm in fleet.vms.values()] == [
        vm.newest.host for vm in fleet.vms.values()
    ]
    assert all(each.state.is_booted and each.exited_ns for each in fleet.attempts)
    first = [vm.attempts[0] for vm in fleet.vms.values()]
    assert max(each.connected_ns for each in first) < min(each.go_ns for each in first)


async def test_as_many_boot_at_once_as_may_over_all_of_them(lab: Lab):
    config = lab.config(6, "boot=0.01", parallel=2, end="quit")
    async with three_hosts(lab) as run:
        run.source.send(commands.Start(plan=plan_of(config), interactive=True))
        await run.till(lambda: of(run, ev.RunEnded))

    assert run.booted_at_once <= 2
    assert all(each.state.is_booted for each in run.fleet.newest)


async def test_a_stop_while_hosts_wait_for_one_that_prepares_ends_the_run_on_all(lab: Lab):
    waits = f'test -e "{lab.folder}/begun" && exit; touch "{lab.folder}/begun"; sleep 60'
    plan = replace(plan_of(lab.config(6, "boot=0.01")), prepare=waits)
    async with three_hosts(lab) as run:
        run.source.send(commands.Start(plan=plan, interactive=True))
        await run.till(lambda: len(of(run, ev.FilesSeen)) == len(HOSTS))
        run.source.send(commands.Stop())
        await run.till(lambda: of(run, ev.RunEnded))

    assert of(run, ev.RunEnded)[0].outcome is ev.Outcome.STOPPED
    assert of(run, ev.StormStarted) == []
