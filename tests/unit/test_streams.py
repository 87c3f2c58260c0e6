"""Writing where nobody reads, or slowly, or on a full disk: never a wait for who writes."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TextIO

import pytest

from vmtiming_tui.session import streams as module
from vmtiming_tui.session.streams import Streams

MUCH = "".join(f"line {number}\n" for number in range(200_000))

LIMIT_S = 10.0


class Pipe:
    """A pipe of ours, whose reader does what a test wants."""

    def __init__(self, **how: str) -> None:
        self.reader, writer = os.pipe()
        self.file = open(writer, "w", **how)  # noqa: SIM115, PTH123

    def read(self, count: int, pause_s: float = 0.0) -> str:
        """Return the next so many bytes, read a little at a time."""
        pieces, left = [], count
        while left:
            pieces.append(os.read(self.reader, min(left, 16384)))
            left -= len(pieces[-1])
            time.sleep(pause_s)
        return b"".join(pieces).decode()

    def read_all(self) -> str:
        self.file.close()
        with open(self.reader, "rb") as file:  # noqa: PTH123
            return file.read().decode()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe(encoding="utf-8")
    yield made
    with suppress(OSError):
        os.close(made.reader)
    # One that was given up writes on till it sees that; the descriptor's number is the next test's.
    for thread in threading.enumerate():
        if thread.name == "output":
            thread.join(LIMIT_S)
    with suppress(OSError):
        made.file.close()


@pytest.fixture
def silent() -> Iterator[TextIO]:
    with open(os.devnull, "w") as file:  # noqa: PTH123
        yield file


def test_nobody_reads_and_nobody_waits(pipe: Pipe, silent: TextIO):
    began = time.monotonic()
    with Streams(pipe.file, silent) as streams:
        streams.out.write(MUCH)
        streams.say("words on the other stream")
        streams.patience_s = 0.05
    assert time.monotonic() - began < 2


def test_an_interrupt_lets_go_of_what_nobody_reads(pipe: Pipe, silent: TextIO):
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Streams(pipe.file, silent) as streams:
        streams.out.write(MUCH)
        raise KeyboardInterrupt
    assert time.monotonic() - began < 2


def test_a_reader_that_comes_back_gets_the_rest(pipe: Pipe, silent: TextIO):
    got: list[str] = []
    reader = threading.Timer(0.2, lambda: got.append(pipe.read(len(MUCH))))
    with Streams(pipe.file, silent) as streams:
        streams.out.write(MUCH)
        reader.start()
    reader.join()
    assert got == [MUCH]


def test_a_slow_reader_is_waited_for_and_gets_all(pipe: Pipe, silent: TextIO):
    """It reads something, now and then: however short the patience, that is no reader gone."""
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read(len(MUCH), pause_s=0.01)))
    with Streams(pipe.file, silent) as streams:
        streams.patience_s = 1.0
        streams.out.write_lines(MUCH.splitlines())
        reader.start()
    reader.join()
    assert got == [MUCH]


def test_two_streams_that_are_one_file_keep_their_order(pipe: Pipe):
    with Streams(pipe.file, pipe.file) as streams:
        for number in range(1000):
            (streams.out if number % 2 else streams.err).write(f"{number}\n")
    assert pipe.read_all().split() == [str(number) for number in range(1000)]


@pytest.mark.parametrize(("place", "left"), [("/dev/full", False), (None, True)])
def test_a_stream_that_takes_no_more_is_in_trouble(
    pipe: Pipe, silent: TextIO, place: str | None, left: bool
):
    file = open(place, "w") if place else pipe.file  # noqa: SIM115, PTH123
    os.close(pipe.reader)
    with Streams(file, silent) as streams:
        streams.out.write("a line\n")
        streams.finish()
        assert isinstance(streams.out.trouble, OSError)
        assert streams.out.was_left is left
        streams.out.write(MUCH)  # is let go


def test_a_stream_that_was_closed_from_the_start_is_in_trouble(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdout", None)
    monkeypatch.setattr("sys.stderr", None)
    with Streams() as streams:
        streams.out.write("a line\n")
        streams.say("a word")
    assert streams.out.trouble
    assert not streams.out.was_left


def test_a_descriptor_that_somebody_made_not_to_block_loses_nothing(pipe: Pipe, silent: TextIO):
    os.set_blocking(pipe.file.fileno(), False)
    got: list[str] = []
    reader = threading.Timer(0.1, lambda: got.append(pipe.read(len(MUCH))))
    with Streams(pipe.file, silent) as streams:
        streams.out.write(MUCH)
        reader.start()
    reader.join()
    assert got == [MUCH]


def test_what_the_encoding_does_not_have_is_escaped(silent: TextIO):
    pipe = Pipe(encoding="ascii")
    with Streams(pipe.file, silent) as streams:
        streams.out.write("v→ü\n")
    assert pipe.read_all() == "v\\u2192\\xfc\n"


async def test_room_is_made_by_who_reads_or_given_up(
    pipe: Pipe, silent: TextIO, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "_MOST_WAITING_BYTES", 1000)
    with Streams(pipe.file, silent) as streams:
        streams.out.write(MUCH)
        async with asyncio.timeout(5):
            await streams.room(unless=lambda: True)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await streams.room(unless=lambda: False)
        reading = asyncio.create_task(asyncio.to_thread(pipe.read, len(MUCH)))
        async with asyncio.timeout(5):
            await streams.room(unless=lambda: False)
        assert await reading == MUCH
