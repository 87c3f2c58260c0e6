"""Pieces of a report are stamped when they come, and read no faster than they are taken."""

import asyncio
import socket
import sys
import time
from collections.abc import Iterator

import pytest

from vmtiming_tui.engine.guest.report_stamper import ReportStamper


@pytest.fixture
async def stamper() -> Iterator[ReportStamper]:
    with ReportStamper() as stamper:
        yield stamper


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    guest, ours = socket.socketpair()
    ours.setblocking(False)
    with guest, ours:
        yield guest, ours


Pieces = asyncio.Queue[tuple[int, bytes]]


def watched(stamper: ReportStamper, sock: socket.socket) -> Pieces:
    pieces: Pieces = asyncio.Queue()
    stamper.add(sock, lambda came_ns, data: pieces.put_nowait((came_ns, data)))
    return pieces


async def test_a_stamp_does_not_wait_for_a_busy_loop(stamper: ReportStamper, pair):
    guest, ours = pair
    pieces = watched(stamper, ours)

    guest.send(b"booted")
    sent_ns = time.monotonic_ns()
    while time.monotonic_ns() < sent_ns + 300_000_000:
        pass
    free_ns = time.monotonic_ns()

    came_ns, data = await pieces.get()
    assert data == b"booted"
    assert came_ns < free_ns


async def test_the_next_piece_is_read_when_it_is_asked_for(stamper: ReportStamper, pair):
    guest, ours = pair
    pieces = watched(stamper, ours)
    guest.send(b"x" * 100_000)

    _, first = await pieces.get()
    other_guest, other = socket.socketpair()
    other.setblocking(False)
    with other_guest, other:
        later = watched(stamper, other)
        other_guest.send(b"!")
        await later.get()  # the thread has gone round since
        assert pieces.empty()
        stamper.rearm(ours)
        _, second = await pieces.get()
        stamper.remove(other)

    assert len(first) == 65536
    assert len(first + second) == 100_000


async def test_the_end_of_a_connection_is_an_empty_piece(stamper: ReportStamper, pair):
    guest, ours = pair
    pieces = watched(stamper, ours)
    guest.close()

    assert (await pieces.get())[1] == b""


async def test_a_socket_that_was_removed_is_not_read(stamper: ReportStamper, pair):
    guest, ours = pair
    pieces = watched(stamper, ours)
    stamper.remove(ours)
    guest.send(b"late")
    other_guest, other = socket.socketpair()
    other.setblocking(False)
    with other_guest, other:
        later = watched(stamper, other)
        other_guest.send(b"!")
        await later.get()
        stamper.remove(other)

    assert pieces.empty()
    assert ours.recv(10) == b"late"


async def test_the_interpreter_is_as_it_was_afterwards():
    usual_s = sys.getswitchinterval()
    with ReportStamper():
        assert sys.getswitchinterval() < usual_s
    assert sys.getswitchinterval() == usual_s
