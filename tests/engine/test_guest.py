"""The report socket: whose a connection is, when a process's number is used again."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from vmtiming_tui.engine.guest import GuestReportServer
from vmtiming_tui.engine.limits import Limits
from vmtiming_tui.engine.stamper import ReportStamper


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

    assert said.text == "mine"
    assert earlier.said.empty()
