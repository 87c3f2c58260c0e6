"""Events on their way out: in order, and bounded where their reader is slow or gone."""

import asyncio
import contextlib
import os
from collections.abc import Iterator

import pytest
from engine_lab import until

from vmtiming_tui import events as ev
from vmtiming_tui.engine import outbox
from vmtiming_tui.engine.outbox import Outbox


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    yield reader, writer
    for fd in (reader, writer):
        with contextlib.suppress(OSError):
            os.close(fd)


def weighty(number: int) -> ev.VmKilled:
    return ev.VmKilled(at_ns=number, vm=number, attempt=1, why="on request " * 20)


def expendable(number: int) -> ev.HostSample:
    return ev.HostSample(at_ns=number, cpu_percent=1.0, load1=1.0)


async def read_all(reader: int, box: Outbox) -> list[ev.Event]:
    """Read till nothing more comes."""
    data = bytearray()
    draining = asyncio.create_task(box.drain(30))
    while not draining.done():
        await asyncio.sleep(0)
        try:
            data += os.read(reader, 1 << 16)
        except BlockingIOError:
            continue
    with contextlib.suppress(BlockingIOError):
        while piece := os.read(reader, 1 << 16):
            data += piece
    return [ev.decode(line) for line in data.splitlines()]


async def test_events_come_out_in_order_and_none_is_missing(pipe):
    reader, writer = pipe
    box = Outbox(writer, lambda: None)
    told = [weighty(number) for number in range(2000)]
    for event in told:
        box.emit(event)

    assert await read_all(reader, box) == told


async def test_a_slow_reader_misses_refinements_only_and_is_told_so(pipe, monkeypatch):
    monkeypatch.setattr(outbox, "SOFT_LIMIT_BYTES", 50_000)
    reader, writer = pipe
    box = Outbox(writer, lambda: None)
    for number in range(1000):
        box.emit(weighty(number))
        box.emit(expendable(number))
        await asyncio.sleep(0)
    await until(lambda: not box._waiting)
    for number in range(1000, 1010):
        box.emit(expendable(number))
    heard = await read_all(reader, box)

    samples = [event for event in heard if isinstance(event, ev.HostSample)]
    (notice,) = (event for event in heard if isinstance(event, ev.Notice))
    assert [event.vm for event in heard if isinstance(event, ev.VmKilled)] == list(range(1000))
    assert len(samples) < 1010
    assert f"{1010 - len(samples)} samples" in notice.text


async def test_a_reader_that_is_gone_is_noticed_once(pipe):
    reader, writer = pipe
    gone = []
    box = Outbox(writer, lambda: gone.append(True))
    os.close(reader)
    for number in range(100):
        box.emit(weighty(number))
    await box.drain(30)
    box.emit(weighty(1))

    assert gone == [True]


async def test_a_reader_that_never_reads_counts_as_gone_at_last(pipe, monkeypatch):
    monkeypatch.setattr(outbox, "HARD_LIMIT_BYTES", 200_000)
    gone = asyncio.Event()
    box = Outbox(pipe[1], gone.set)
    for number in range(3000):
        box.emit(weighty(number))

    await asyncio.wait_for(gone.wait(), 30)
