"""Hosts that come and go while others are led: workers of Dask beside their scheduler."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from distributed import Scheduler, Worker

from vmtiming_tui.cluster.dask_hosts.connection import connected
from vmtiming_tui.cluster.dask_hosts.link import DaskLink
from vmtiming_tui.errors import HostError, VmTimingError
from vmtiming_tui.model.cluster import Cluster, Reach

LIMIT_S = 60


def worker(scheduler: str, name: str, place: str) -> Worker:
    return Worker(scheduler, name=name, host=place, dashboard_address="127.0.0.1:0")


@asynccontextmanager
async def beside(*names: str) -> AsyncIterator[tuple[Scheduler, list[Worker]]]:
    """A scheduler with workers of these names, each at an address of its own."""
    async with (
        asyncio.timeout(LIMIT_S),
        Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0") as scheduler,
    ):
        workers = [
            await worker(scheduler.address, name, f"127.0.0.{place}")
            for place, name in enumerate(names, 2)
        ]
        try:
            yield scheduler, workers
        finally:
            await asyncio.gather(*(each.close() for each in workers))


def cluster(scheduler: Scheduler) -> Cluster:
    return Cluster(reach=Reach.TCP, address=scheduler.address)


async def test_a_host_that_joins_late_gets_an_engine_and_is_told_of():
    joined: asyncio.Queue[DaskLink] = asyncio.Queue()
    async with beside("a") as (scheduler, workers):
        async with (
            connected(cluster(scheduler), pytest.fail) as hosts,
            hosts.engines() as (links, engines),
        ):
            engines.tell_of_joins(joined.put_nowait)
            workers.append(await worker(scheduler.address, "a-2", "127.0.0.2"))
            workers.append(await worker(scheduler.address, "b", "127.0.0.3"))

            link = await joined.get()

            assert [each.name for each in links] == ["a"]
            assert link.name == "b"
            assert await link.clock_ns() > 0
        assert joined.empty()  # another worker at a known address is no other host


async def test_a_host_that_comes_back_has_the_name_it_had():
    joined: asyncio.Queue[DaskLink] = asyncio.Queue()
    async with (
        beside("a", "b") as (scheduler, workers),
        connected(cluster(scheduler), pytest.fail) as hosts,
        hosts.engines() as ((_, lost), engines),
    ):
        engines.tell_of_joins(joined.put_nowait)
        await workers.pop().close()
        with pytest.raises(HostError, match="its Dask worker has ended"):
            await lost.next(10_000)
        workers.append(await worker(scheduler.address, "b", "127.0.0.3"))

        link = await joined.get()

        assert (link.name, link is lost) == ("b", False)


async def test_without_its_scheduler_every_host_is_lost_and_no_new_run_begins():
    async with (
        beside("a") as (scheduler, _),
        connected(cluster(scheduler), pytest.fail) as hosts,
    ):
        async with hosts.engines() as ((link,), _):
            asked = asyncio.create_task(link.next(10_000))
            await scheduler.close()
            with pytest.raises(HostError, match="the Dask scheduler is gone"):
                await asked
            with pytest.raises(HostError, match="the Dask scheduler is gone"):
                await link.clock_ns()
        with pytest.raises(VmTimingError, match="the Dask scheduler is gone") as again:
            async with hosts.engines():
                pass

    assert "start it and its workers again" in again.value.hint
