"""What watches the host and the VMs ends with its run, and never holds its end up."""

import asyncio

import pytest

from vmtiming_tui.engine.host.usage import UsageWatch
from vmtiming_tui.engine.host.watch import HostWatch

WATCHES = {"host": lambda: HostWatch(lambda _: None), "usage": lambda: UsageWatch(list)}


@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("watch", WATCHES.values(), ids=WATCHES)
async def test_a_run_cancelled_while_its_watch_ends_is_cancelled(watch, turns: int):
    async def run() -> None:
        async with watch():
            await asyncio.sleep(0)
        await asyncio.Event().wait()

    running = asyncio.create_task(run())
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running], timeout=30)

    assert running.cancelled()


@pytest.mark.parametrize("watch", WATCHES.values(), ids=WATCHES)
async def test_a_fault_of_a_watch_is_not_swallowed(watch, monkeypatch):
    def fail(*_: object) -> None:
        raise ValueError("a fault of the watch")

    monkeypatch.setattr("vmtiming_tui.engine.host.watch._cpu_times", fail)
    monkeypatch.setattr(UsageWatch, "_booting", fail, raising=False)
    with pytest.raises(ValueError, match="a fault of the watch"):
        async with watch():
            await asyncio.sleep(0)
