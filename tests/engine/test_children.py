"""Starting processes: none is left over, and no descriptor, when it is interrupted or fails."""

import asyncio
import errno
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.engine_lab import Lab, children_of, until
from vmtiming_tui.engine.boot.qemu_process import QemuProcess
from vmtiming_tui.engine.children import rundir
from vmtiming_tui.engine.children.children import Children, start_warden
from vmtiming_tui.engine.guest.console import ConsoleLog
from vmtiming_tui.engine.qmp.event_stamps import StampReader
from vmtiming_tui.errors import QemuError
from vmtiming_tui.model.commands import Stop
from vmtiming_tui.sources.live_engine import EngineClient


@pytest.fixture
async def children(lab: Lab) -> AsyncIterator[Children]:
    with rundir.run_dir() as folder:
        async with start_warden(folder) as found:
            yield found


def descriptors() -> list[str]:
    return [str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.exists()]


def sleepers(children: Children) -> list[int]:
    return children_of(children.pid)


async def test_a_process_whose_start_nobody_waits_for_any_more_is_ended(children: Children):
    starting = asyncio.create_task(children.spawn(["sleep", "600"], []))
    await asyncio.sleep(0)
    starting.cancel()
    await asyncio.wait([starting])
    later = await children.spawn(["sleep", "601"], [])

    await until(lambda: sleepers(children) == [later.pid])


async def test_a_command_given_up_while_it_starts_is_ended(children: Children):
    running = asyncio.create_task(children.output(["sleep", "600"], 60))
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    await children.output(["true"], 60)

    await until(lambda: sleepers(children) == [])


async def test_without_descriptors_a_start_fails_and_keeps_none(children: Children, monkeypatch):
    real, calls = os.dup, []

    def scarce(fd: int) -> int:
        calls.append(fd)
        if len(calls) == 2:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return real(fd)

    before = sorted(descriptors())
    monkeypatch.setattr(os, "dup", scarce)
    with pytest.raises(OSError, match="Too many open files"):
        await children.spawn(["true"], [(2, (1,)), (2, (2,))])

    assert sorted(descriptors()) == before


async def test_a_qemu_there_are_no_sockets_for_leaves_no_pipe(tmp_path: Path, monkeypatch):
    def none() -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(socket, "socketpair", none)
    before = sorted(descriptors())
    with pytest.raises(OSError, match="Too many open files"):
        QemuProcess(
            0, ConsoleLog(tmp_path / "console"), tell=lambda _: None,
            hear=lambda _: None, stamps=StampReader(),
        )  # fmt: skip

    assert sorted(descriptors()) == before


async def test_asking_an_engine_that_is_gone_says_nothing_on_the_terminal(lab: Lab, caplog):
    async with EngineClient() as client:
        os.kill(client.pid, 9)
        async for _ in client.batches():
            pass
        for _ in range(20):
            client.send(Stop())
            await asyncio.sleep(0)

    assert caplog.records == []


async def test_after_the_wardens_death_a_start_fails_at_once_and_keeps_nothing(children: Children):
    os.kill(children.pid, signal.SIGKILL)
    await children.lost
    before = sorted(descriptors())

    async with asyncio.timeout(5):
        for _ in range(3):
            with pytest.raises(OSError, match="process that starts QEMUs is gone"):
                await children.spawn(["sleep", "600"], [(2, (1, 2))])
        with pytest.raises(QemuError, match="process that starts QEMUs is gone"):
            await children.output(["sleep", "600"], 600)

    assert sorted(descriptors()) == before


async def test_a_command_that_runs_as_the_warden_dies_is_not_waited_for(children: Children):
    running = asyncio.create_task(children.output(["sleep", "600"], 600))
    await until(lambda: bool(sleepers(children)))
    os.kill(children.pid, signal.SIGKILL)

    async with asyncio.timeout(5):
        with pytest.raises(QemuError, match="process that starts QEMUs is gone"):
            await running


async def test_while_the_warden_takes_its_time_to_end_the_loop_goes_on(lab: Lab):
    async def wake_it_after_some_turns(pid: int) -> None:
        for _ in range(20):
            await asyncio.sleep(0.01)
        os.kill(pid, signal.SIGCONT)

    with rundir.run_dir() as folder:
        async with start_warden(folder) as children:
            os.kill(children.pid, signal.SIGSTOP)
            waking = asyncio.create_task(wake_it_after_some_turns(children.pid))
            # Where the loop stands still, nothing else would wake it.
            rescue = threading.Timer(60, os.kill, (children.pid, signal.SIGCONT))
            rescue.start()
        rescue.cancel()

    assert waking.done()
