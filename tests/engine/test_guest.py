"""The report socket: who is taken in, and as whom, where the host is short of something."""

import asyncio
import os
import resource
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from vmtiming_tui.engine.guest.limits import Limits
from vmtiming_tui.engine.guest.report_protocol import Reported
from vmtiming_tui.engine.guest.report_socket import GuestReportServer
from vmtiming_tui.engine.guest.report_stamper import ReportStamper


class Heard:
    """Keeps what the server tells it."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.said: asyncio.Queue[object] = asyncio.Queue()

    def report_opened(self, connection: int, pid: int) -> None:
        self.opened.set()

    def report_said(self, statement: object, received_ns: int) -> None:
        self.said.put_nowait(statement)

    def report_closed(self) -> None:
        pass


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[GuestReportServer]:
    def refuse(pid: int, uid: int) -> None:
        pytest.fail(f"process {pid} was refused")

    with (
        ReportStamper() as stamper,
        GuestReportServer(tmp_path / "report", stamper, Limits(), refuse) as server,
    ):
        yield server


def connected(server: GuestReportServer) -> socket.socket:
    guest = socket.socket(socket.AF_UNIX)
    guest.connect(str(server.path))
    return guest


async def test_a_process_that_bears_an_ended_ones_number_speaks_for_its_own_vm(
    server: GuestReportServer,
):
    """The earlier VM's attempt may still be at its farewell when the number is used again."""
    earlier, later = Heard(), Heard()
    server.expect(os.getpid(), 3, earlier)
    with connected(server):
        await asyncio.wait_for(earlier.opened.wait(), 30)
    server.expect(os.getpid(), 4, later)
    server.forget(os.getpid(), earlier)

    with connected(server) as guest:
        guest.sendall(b"VMREPORTID:4|||mine\n")
        said = await asyncio.wait_for(later.said.get(), 30)
        server.forget(os.getpid(), later)

    assert said == Reported()
    assert earlier.said.empty()


async def test_a_connection_there_is_no_descriptor_for_is_taken_as_soon_as_there_is_one(
    server: GuestReportServer,
):
    listener = Heard()
    server.expect(os.getpid(), 3, listener)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with connected(server):
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
        try:
            for _ in range(5):
                await asyncio.sleep(0)
            assert not listener.opened.is_set()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        await asyncio.wait_for(listener.opened.wait(), 30)


async def test_what_was_written_before_the_go_has_its_stamp_before_the_go(
    server: GuestReportServer, monkeypatch
):
    """A busy host may keep the stamping thread waiting: the go waits for it."""
    held, read = threading.Event(), ReportStamper._read

    def slow(self: ReportStamper, fd: int, came_ns: int) -> None:
        held.wait(30)
        read(self, fd, came_ns)

    monkeypatch.setattr(ReportStamper, "_read", slow)
    listener = Heard()
    server.expect(os.getpid(), 3, listener)
    with connected(server) as guest:
        guest.sendall(b"VMREPORTID:3|||too early\n")
        await asyncio.wait_for(listener.opened.wait(), 30)
        waiting = asyncio.create_task(server.all_stamped(os.getpid(), 30))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        held.set()
        await asyncio.wait_for(waiting, 30)
        await asyncio.wait_for(listener.said.get(), 30)
        server.forget(os.getpid(), listener)
