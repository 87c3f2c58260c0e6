"""Events on their way out: in order, and bounded where their reader is slow or gone."""

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Iterator

import pytest

from support.engine_lab import until
from vmtiming_tui.engine import outbox
from vmtiming_tui.engine.outbox import Outbox
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.codec import tag_of


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


OF_ONE_BOOT: dict[type[ev.Event], ev.Event] = {
    type(event): event
    for event in (
        ev.HostSample(at_ns=1, cpu_percent=1.0, load1=1.0),
        ev.VmUsage(at_ns=1, vm=0, attempt=1),
        ev.QmpSeen(at_ns=1, vm=0, attempt=1, name="RTC_CHANGE"),
        ev.VmConsole(at_ns=1, vm=0, attempt=1, text="x" * 1000, total_bytes=1000),
        ev.VmDetails(at_ns=1, vm=0, attempt=1, slowest=("x" * 1000,)),
        ev.VmUnits.of([ev.UnitTimes("x" * 1000)], at_ns=1, vm=0, attempt=1),
    )
}


async def test_a_slow_reader_misses_no_boot_and_is_told_what_else(pipe, monkeypatch):
    steps = {kind: limit >> 6 for kind, limit in outbox.EXPENDABLE_FROM.items()}
    monkeypatch.setattr(outbox, "EXPENDABLE_FROM", steps)
    reader, writer = pipe
    box = Outbox(writer, lambda: None)
    for number in range(1000):
        box.emit(weighty(number))
        for event in OF_ONE_BOOT.values():
            box.emit(event)
        await until(lambda: not box._waiting)
    heard = await read_all(reader, box)

    kept = Counter(map(type, heard))
    (notice,) = (event for event in heard if isinstance(event, ev.Notice))
    assert [event.vm for event in heard if isinstance(event, ev.VmKilled)] == list(range(1000))
    assert notice.left_out == {tag_of(kind): 1000 - kept[kind] for kind in OF_ONE_BOOT}
    assert f"{notice.left_out['vm_details']} vm_details" in notice.text
    assert kept[ev.VmUsage] < kept[ev.QmpSeen] < kept[ev.VmConsole] < kept[ev.VmDetails] < 1000


async def test_what_was_in_line_before_the_reader_fell_behind_is_left_out_too(pipe, monkeypatch):
    monkeypatch.setattr(outbox, "EXPENDABLE_FROM", {ev.VmDetails: 100_000})
    reader, writer = pipe
    box = Outbox(writer, lambda: None)
    for _ in range(1000):
        box.emit(OF_ONE_BOOT[ev.VmDetails])
    await until(lambda: not box._waiting)

    assert len(box._buffer) < 110_000
    assert len(await read_all(reader, box)) < 1000


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
