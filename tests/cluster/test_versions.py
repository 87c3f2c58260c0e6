"""A host with another version of ours, seen before anything starts there."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from distributed import Scheduler

from vmtiming_tui import __version__
from vmtiming_tui.cluster.dask_hosts.connection import connected
from vmtiming_tui.errors import ConfigError, VmTimingError
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
    here = {"host": "127.0.0.1", "port": 0, "dashboard_address": "127.0.0.1:0"}
    async with asyncio.timeout(LIMIT_S), Scheduler(**here) as scheduler:
        cluster = Cluster(reach=Reach.TCP, address=scheduler.address)
        with pytest.raises(VmTimingError, match="no workers") as nobody:
            async with connected(cluster, pytest.fail):
                pass
        async with worker(scheduler.address, tmp_path, "0.0.1"):
            while not scheduler.workers:  # noqa: ASYNC110  another process is awaited
                await asyncio.sleep(0.05)
            with pytest.raises(ConfigError) as refused:
                async with connected(cluster, pytest.fail):
                    pass

    assert "dask worker" in nobody.value.hint
    assert str(refused.value) == (
        f"host old: it has vmtiming-tui 0.0.1, and this host {__version__}: "
        f"pip install 'vmtiming-tui[cluster]=={__version__}'"
    )
