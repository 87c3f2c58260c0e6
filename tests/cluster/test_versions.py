"""A host with another version of ours, seen before anything starts there."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from distributed import Scheduler, Worker

from vmtiming_tui import __version__
from vmtiming_tui.cluster.dask_hosts.connection import connected
from vmtiming_tui.cluster.dask_hosts.link import DaskLink
from vmtiming_tui.errors import ConfigError, HostError, VmTimingError
from vmtiming_tui.model.cluster import Cluster, Reach

LIMIT_S = 60


@asynccontextmanager
async def worker(scheduler: str, folder: Path, version: str) -> AsyncIterator[None]:
    """A worker whose host has this version of the package installed, for all that it says."""
    told = folder / f"vmtiming_tui-{version}.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Name: vmtiming-tui\nVersion: {version}\n")
    options = ["--host", "127.0.0.1", "--name", "old", "--no-nanny", "--no-dashboard"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "distributed.cli.dask_worker", scheduler, *options,
        env=os.environ | {"PYTHONPATH": str(folder)},
        cwd=folder,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def test_a_host_with_another_version_takes_no_part_and_says_which_it_has(tmp_path):
    why = (
        f"host old: it has vmtiming-tui 0.0.1, and this host {__version__}: "
        f"pip install 'vmtiming-tui[cluster]=={__version__}'"
    )
    here = {"dashboard_address": "127.0.0.1:0"}
    joined: asyncio.Queue[DaskLink] = asyncio.Queue()
    async with (
        asyncio.timeout(LIMIT_S),
        Scheduler(host="127.0.0.1", port=0, **here) as scheduler,
        Worker(scheduler.address, name="new", host="127.0.0.2", **here),
    ):
        cluster = Cluster(reach=Reach.TCP, address=scheduler.address)
        async with (
            connected(cluster, pytest.fail) as hosts,
            hosts.engines() as (_, engines),
            worker(scheduler.address, tmp_path, "0.0.1"),
        ):
            engines.tell_of_joins(joined.put_nowait)
            late = await joined.get()
            with pytest.raises(HostError) as lost:
                await late.clock_ns()
            with pytest.raises(ConfigError) as refused:
                async with connected(cluster, pytest.fail):
                    pass

    assert (late.name, lost.value.message) == ("old", why)
    assert str(refused.value) == why


async def test_a_scheduler_without_workers_says_what_to_start():
    async with (
        asyncio.timeout(LIMIT_S),
        Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0") as scheduler,
    ):
        cluster = Cluster(reach=Reach.TCP, address=scheduler.address)
        with pytest.raises(VmTimingError, match="no workers") as nobody:
            async with connected(cluster, pytest.fail):
                pass

    assert "dask worker" in nobody.value.hint
