"""Who holds an image: told of every process that has it open, at the cost of one look a storm."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from support.engine_lab import Lab
from vmtiming_tui.engine.children import open_files, rundir
from vmtiming_tui.engine.children.children import Children, start_warden
from vmtiming_tui.engine.qemu import locked_images
from vmtiming_tui.engine.qemu.locked_images import Holder, Holders


@pytest.fixture
async def children(lab: Lab) -> AsyncIterator[Children]:
    with rundir.run_dir() as folder:
        async with start_warden(folder) as found:
            yield found


@pytest.fixture
def looks(children: Children, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The files of every look at the host's processes."""
    seen: list[list[str]] = []
    real = children.output

    async def counted(argv: list[str], limit_s: float) -> tuple[int | None, str]:
        seen.append(argv[4:])
        return await real(argv, limit_s)

    monkeypatch.setattr(children, "output", counted)
    return seen


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "vm-0.img"
    path.touch()
    return path


@pytest.fixture
def holding(image: Path) -> Iterator[int]:
    """The process that has the image open."""
    with image.open() as file:
        process = subprocess.Popen(["sleep", "60"], stdin=file)
    with process:
        yield process.pid
        process.kill()


async def test_a_process_that_has_the_image_open_is_named(children, image, holding):
    assert await Holders(children, [image]).of(image) == [Holder(holding, "sleep")]


async def test_a_storm_is_looked_at_once_and_other_files_a_few_times(
    children, image, holding, looks, tmp_path
):
    other = tmp_path / "vm-1.img"
    found = Holders(children, [image, other])
    for _ in range(5):
        assert await found.of(image) != []
        assert await found.of(other) == []
    for number in range(9):
        assert await found.of(tmp_path / f"base-{number}") == []

    assert looks[0] == [str(image), str(other)]
    assert len(looks) == locked_images._MOST_LOOKS


async def test_what_cannot_be_found_out_is_nothing(children, image, holding, monkeypatch):
    monkeypatch.setattr(open_files, "__file__", "/no/such/program")
    assert await Holders(children, [image]).of(image) == []


def test_lines_cut_short_or_foreign_are_left_out():
    said = 'ep"\n0 17 "sl\\u0065ep\\u202e"\nTraceback\n1 x "y"\n'
    assert list(locked_images._read(said)) == [(0, Holder(17, "sleep\\u202e"))]
