"""The inside of the box that unpacks."""

import errno
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.guard.box import open_given
from vmtiming_tui.images.guard.orders import Voice, obey_one
from vmtiming_tui.images.guard.tools import NO_ROOM
from vmtiming_tui.images.packed.layers import Unwrapping
from vmtiming_tui.images.quoting import shown

_PROGRESS_S = 0.2


class _Progress:
    """Tells the outside how much of the packed file has been read."""

    def __init__(self, voice: Voice, size: int) -> None:
        self._voice = voice
        self._size = max(size, 1)
        self._told_s = 0.0

    def __call__(self, count: int) -> None:
        now_s = time.monotonic()
        if now_s - self._told_s >= _PROGRESS_S:
            self._told_s = now_s
            self._voice.channel.send(progress=min(count * 100 // self._size, 99))


def obey(order: Mapping[str, Any], voice: Voice) -> dict[str, object]:
    """Unpack what an order names, in the current folder; return what was left there, by name."""
    word, size = order["file"]
    job = Unwrapping(
        work=Path(), wanted=order["member"], say=voice.say, told=_Progress(voice, size)
    )  # fmt: skip
    try:
        with open(open_given(word), "rb", buffering=0) as file:  # noqa: PTH123  a descriptor
            file.seek(0)
            found = job.unpack(file)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise ImageError(NO_ROOM) from None
        raise
    finally:
        voice.channel.send(progress=100)
    return {"file": found.name, "member": shown(found.member)}


def main(words: Sequence[str]) -> int:
    """Obey the one order that comes over the channel whose descriptor is the first word."""
    return obey_one(words, obey)
