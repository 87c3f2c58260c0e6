"""A disk image that somebody else holds: told from QEMU's words, and who that is."""

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vmtiming_tui.engine.children import open_files
from vmtiming_tui.engine.children.children import Children
from vmtiming_tui.engine.qemu.why_it_failed import Why
from vmtiming_tui.errors import QemuError
from vmtiming_tui.escape import printable

_LOOK_LIMIT_S = 5.0
_MOST_LOOKS = 3
_LOCKED = re.compile(r"Failed to get (?:shared )?\"\w+\" lock")
_LOCKED_FILE = re.compile(r"Is another process using the image \[(.*)\]\?")


@dataclass(frozen=True, slots=True)
class Holder:
    """A process and the name it goes by."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.name})"


def locked_image(stderr: str) -> Path | None:
    """Return the image that QEMU could not lock, where that is what it complains of."""
    named = _LOCKED_FILE.search(stderr)
    return Path(named[1]) if named and _LOCKED.search(stderr) else None


def held(image: Path, holders: Sequence[Holder]) -> Why:
    """Return that somebody holds an image, and who."""
    who = ", ".join(map(str, holders))
    return Why(
        f"another program holds its disk image {image}: {who}",
        "end that run or program, or run both without --persist",
    )


class Holders:
    """Who holds the images of one storm: looked for once, for all of them, when first asked.

    The look is a child's (``open_files``), bounded in time; so is the number of looks, for files
    that are none of the images, such as a backing file.
    """

    def __init__(self, children: Children, images: Sequence[Path]) -> None:
        self._children = children
        self._images = tuple(map(str, images))
        self._found: dict[str, list[Holder]] = {}
        self._looks = 0
        self._alone = asyncio.Lock()

    async def of(self, path: Path) -> list[Holder]:
        """Return the processes that have a file open; empty where that cannot be known."""
        async with self._alone:
            if str(path) not in self._found and self._looks < _MOST_LOOKS:
                files = list(dict.fromkeys([str(path), *(() if self._looks else self._images)]))
                self._looks += 1
                self._found |= {file: [] for file in files}
                await self._look(files)
        return self._found.get(str(path), [])

    async def _look(self, files: Sequence[str]) -> None:
        program = [sys.executable, "-I", "-S", str(Path(open_files.__file__))]
        try:
            _, said = await self._children.output([*program, *files], _LOOK_LIMIT_S)
        except QemuError:
            return
        for number, holder in _read(said):
            if number < len(files):
                name = files[number]
                self._found[name] = [*self._found[name], holder]


def _read(said: str) -> Iterator[tuple[int, Holder]]:
    """Yield what each line says; its end alone is kept of much, so that the first may be cut."""
    for line in said.splitlines():
        with contextlib.suppress(ValueError):
            number, pid, name = line.split(" ", 2)
            yield int(number), Holder(int(pid), printable(str(json.loads(name))))
