"""Commands come in line by line, and the end of whoever writes them is seen."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from vmtiming_tui.engine import inlet
from vmtiming_tui.engine.inlet import Inlet
from vmtiming_tui.model import commands


class Heard:
    """What an inlet hands on."""

    def __init__(self) -> None:
        self.commands: list[commands.Command] = []
        self.troubles: list[str] = []
        self.gone = asyncio.Event()

    def inlet(self, fd: int) -> Inlet:
        return Inlet(
            fd, obey=self.commands.append, refuse=self.troubles.append, on_gone=self.gone.set
        )


@pytest.fixture
async def heard() -> Heard:
    return Heard()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ours, theirs = os.pipe()
    yield ours, theirs
    os.close(ours)


def line(command: commands.Command) -> bytes:
    return commands.encode(command).encode() + b"\n"


async def test_commands_in_pieces_are_taken_whole_and_in_order(heard: Heard, pipe):
    ours, theirs = pipe
    rerun, stop = commands.Rerun(vms=(1, 2)), commands.Stop(now=True)
    with heard.inlet(ours):
        for byte in line(rerun) + b"\n  \n" + line(stop):
            os.write(theirs, bytes([byte]))
            await asyncio.sleep(0)
        os.close(theirs)
        await heard.gone.wait()

    assert heard.commands == [rerun, stop]
    assert heard.troubles == []


async def test_what_is_no_command_is_refused_in_words_and_the_next_is_obeyed(heard: Heard, pipe):
    ours, theirs = pipe
    with heard.inlet(ours):
        os.write(theirs, b"\xff\n[]\n" + line(commands.Quit()))
        os.close(theirs)
        await heard.gone.wait()

    assert heard.commands == [commands.Quit()]
    assert len(heard.troubles) == 2
    assert all(heard.troubles)


async def test_a_line_without_end_counts_as_nobody_there(heard: Heard, pipe, monkeypatch):
    ours, theirs = pipe
    monkeypatch.setattr(inlet, "_MAX_COMMAND_BYTES", 100)
    with heard.inlet(ours):
        os.write(theirs, b"x" * 101)
        await heard.gone.wait()
        os.write(theirs, b"\n" + line(commands.Quit()))
        await asyncio.sleep(0)
    os.close(theirs)

    assert heard.commands == []


async def test_the_end_of_a_file_ends_the_commands_only(heard: Heard, tmp_path: Path):
    file = tmp_path / "commands"
    file.write_bytes(line(commands.Stop()).rstrip())
    with file.open("rb") as opened, heard.inlet(opened.fileno()):
        await asyncio.sleep(0)

    assert heard.commands == [commands.Stop()]
    assert not heard.gone.is_set()


async def test_a_descriptor_blocks_afterwards_as_it_did_before(heard: Heard, pipe):
    ours, theirs = pipe
    with heard.inlet(ours):
        assert not os.get_blocking(ours)
    os.close(theirs)

    assert os.get_blocking(ours)
