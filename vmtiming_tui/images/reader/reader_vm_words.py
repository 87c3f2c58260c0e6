"""What the VM that reads file systems says, line by line, and how much of it is believed.

Its lines begin with a word of one boot alone; what else is on its console is told where it fails.
"""

import os
import re
import select
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.quoting import shown
from vmtiming_tui.images.reader.kernel_reader import Mount, no_folder

_MAX_LINE_BYTES = 4096
_SUBVOLUME = re.compile(r"[A-Za-z0-9_./@+=:-]{1,200}")
_KERNEL_LINE = re.compile(r"^\[ *\d+\.\d+\] ")
_PANIC = "Kernel panic"


class TalkingVm:
    """A VM that is at work: what it says line by line, until it is done."""

    def __init__(
        self, child: "subprocess.Popen[bytes]", token: str, limit_s: float,
        mounts: Sequence[Mount], say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._child = child
        self._token = token.encode()
        self._limit_s = limit_s
        self._mounts = mounts
        self._say = say
        self.last_line = "it said nothing"
        self.finished = False

    def answer(self, text: str) -> None:
        """Tell it what it waits for."""
        assert self._child.stdin is not None  # noqa: S101  it was asked for
        self._child.stdin.write(f"{text}\n".encode())
        self._child.stdin.flush()

    def words(self) -> Iterator[tuple[str, str]]:
        """Yield what it says of its work, each time a word and the rest; raise ``ImageError``."""
        assert self._child.stdout is not None  # noqa: S101  it was asked for
        for line in _lines(self._child.stdout, time.monotonic() + self._limit_s):
            mark, _, text = line.strip().partition(b" ")
            if mark != self._token:
                self._keep(line)
                continue
            word, _, rest = shown(text).partition(" ")
            match word:
                case "failed":
                    raise ImageError(self._failure(rest))
                case "unclean":
                    name = self._mount(rest).volume.name
                    self._say(f"{name} was not unmounted, or is damaged: trying a copy")
                case "finished":
                    self.finished = True
                case _:
                    yield word, rest

    def _keep(self, line: bytes) -> None:
        text = _KERNEL_LINE.sub("", shown(line.strip())).strip()
        if text and not self.last_line.startswith(_PANIC):  # a trace follows, and says less
            self.last_line = text

    def _mount(self, rest: str) -> Mount:
        (number,) = numbers(rest, 1)
        if number >= len(self._mounts):
            raise ImageError("the VM that reads the image speaks of a volume that there is not")
        return self._mounts[number]

    def _failure(self, rest: str) -> str:
        kind, _, more = rest.partition(" ")
        match kind:
            case "mount":
                volume = self._mount(more).volume
                return f"{volume.name} ({volume.type}) cannot be mounted: {self.last_line}"
            case "place":
                path = self._mount(more).path
                return f"{path} of the image's fstab has no folder to be mounted on"
            case "folder":
                return no_folder(more)
            case "write":
                return f"/{more} could not be written into the new root (no room?)"
            case _:
                return f"the files could not be copied: {rest}"


def excerpt_words(text: str, count: int) -> tuple[int, int, int, str]:
    """Return a volume's number below ``count``, its bytes and inodes, and its subvolume."""
    number, used, inodes = numbers(text, 3)
    subvolume = text.split(" ", 3)[3] if text.count(" ") >= 3 else ""
    if number >= count or (subvolume and not _SUBVOLUME.fullmatch(subvolume)):
        raise ImageError("the VM that reads the image says what makes no sense")
    return number, used, inodes, subvolume


def another_words(text: str, count: int) -> tuple[int, str]:
    """Return a volume's number below ``count``, and a subvolume of it that holds a system, too."""
    (number,) = numbers(text, 1)
    name = text.partition(" ")[2]
    if number >= count or not _SUBVOLUME.fullmatch(name):
        raise ImageError("the VM that reads the image says what makes no sense")
    return number, name


def numbers(text: str, count: int) -> list[int]:
    """Return the first words of a text as numbers; raise ``ImageError`` where they are none."""
    words = text.split(" ")
    if len(words) < count or not all(re.fullmatch(r"\d{1,16}", word, re.ASCII)
                                     for word in words[:count]):  # fmt: skip
        raise ImageError("the VM that reads the image says what makes no sense")
    return [int(word) for word in words[:count]]


def _lines(pipe: IO[bytes], deadline: float) -> Iterator[bytes]:
    """Yield the lines of a console, long ones cut; raise ``ImageError`` when time is up."""
    kept = b""
    while True:
        ready, _, _ = select.select([pipe], [], [], max(deadline - time.monotonic(), 0))
        if not ready:
            raise ImageError("the VM that reads the image takes longer than it ever should")
        data = os.read(pipe.fileno(), 1 << 16)
        if not data:
            return
        *lines, kept = (kept + data).split(b"\n")
        yield from (line[:_MAX_LINE_BYTES] for line in lines)
        kept = kept[-_MAX_LINE_BYTES:]
