"""Packed images, unpacked in a box into the cache: once, and whole or not at all.

No byte of the packed file is looked at here but its mark.
"""

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.gate.format_ledger import Ledger, ledger_path
from vmtiming_tui.images.guard.box import Box, BoxLimits, best_wall, own_uid, python_files
from vmtiming_tui.images.guard.boxed_program import BoxedProgram, run_in_box, show_progress
from vmtiming_tui.images.guard.ending import Signals
from vmtiming_tui.images.guard.isolated import PACKAGE
from vmtiming_tui.images.guard.opening import File, open_file
from vmtiming_tui.images.guard.out_folder import WorkFolder, make_work_folder, readable_as
from vmtiming_tui.images.guard.tools import free_bytes
from vmtiming_tui.images.packed.cache import Cache, digest_of, opened_cache, plain_name
from vmtiming_tui.images.packed.packing import MARK_BYTES, Packing, packing_of
from vmtiming_tui.images.packed.split_files import refuse_part
from vmtiming_tui.images.quoting import for_image, human, shown

_LIMITS = BoxLimits(
    memory_bytes=6 << 30, file_bytes=20 << 40, processes=64, files=128, cpu_s=12 * 3600
)
_LEAST_TIME_S = 3600
_SLOWEST_BYTES_S = 256 << 10
_LARGE_BYTES = 32 << 20
_LEAST_FREE_BYTES = 1 << 20

Say = Callable[[str], None]


def packed_how(path: str) -> Packing | None:
    """Return how a file is packed; None also for what is none, and for a disk settled as raw."""
    with contextlib.suppress(ImageError, OSError):
        file, fd = open_file(path)
        with os.fdopen(fd, "rb") as opened:
            packing = packing_of(opened.read(MARK_BYTES))
        if packing is not None and Ledger(ledger_path()).get(file) is None:
            return packing
    return None


def unpack(path: str, member: str, signals: Signals, say: Say) -> str:
    """Return the path of the disk that is packed in a file, unpacked now if it is not in the cache.

    Raises ``ImageError``, ``OSError``, and ``Ended`` where a signal came.
    """
    with contextlib.ExitStack() as held:
        file, fd = open_file(path)
        held.callback(os.close, fd)
        refuse_part(path)
        cache = held.enter_context(opened_cache())
        digest = _digest(file, fd, member, signals)
        if there := cache.find(digest):
            say(f"unpacked before: {there}")
            return there
        say(f"unpacking {path} ({human(file.size)})")
        job = _Unpacking(path=path, member=member, file=file, fd=fd, digest=digest)
        made = job.into(cache, signals, say)
        say(f"unpacked to {made}, where it stays: rm it when nothing stands on it any more")
        return made


def _digest(file: File, fd: int, member: str, signals: Signals) -> str:
    def told(count: int) -> None:
        signals.check()
        if file.size > _LARGE_BYTES and count % _LARGE_BYTES == 0:
            show_progress(count * 100 // file.size)

    try:
        return digest_of(fd, member, told)
    finally:
        show_progress(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unpacking:
    """A packed file held open, what is wanted of it, and what that is kept under."""

    path: str
    member: str
    file: File
    fd: int
    digest: str

    def into(self, cache: Cache, signals: Signals, say: Say) -> str:
        """Have it unpacked in a box; return the path of what came of it."""
        with contextlib.ExitStack() as held:
            uid = held.enter_context(own_uid())
            work = make_work_folder(cache.fd)
            held.callback(work.remove)
            held.callback(work.give_to, None)
            work.give_to(uid)
            try:
                made = run_in_box(self._program(work, uid), signals, say)
            except ImageError as error:
                raise self._in_full(error, cache) from None
            work.give_to(None)
            there = os.listdir(work.fd)  # noqa: PTH208  by descriptor
            match made:
                case {"file": str(name), "member": str(member)} if name in there:
                    work.check(name, os.geteuid() if uid is None else uid, readable_as([self.fd]))
                    return cache.keep(work, name, self.digest, self._name(member))
            raise ImageError("what unpacks the image in its box left no disk")

    def _program(self, work: WorkFolder, uid: int | None) -> BoxedProgram:
        box = Box(
            wall=best_wall(), uid=uid, limits=_LIMITS, work_fd=work.fd, given=(self.fd,),
            readable=python_files(PACKAGE),
        )  # fmt: skip
        return BoxedProgram(
            box=box, module="packed.inside",
            order={"file": [box.word(self.fd), self.file.size], "member": self.member},
            limit_s=_LEAST_TIME_S + self.file.size / _SLOWEST_BYTES_S,
        )  # fmt: skip

    def _in_full(self, error: ImageError, cache: Cache) -> ImageError:
        """Return the inside's complaint with what it does not know: the names of this host."""
        if free_bytes(cache.fd) < _LEAST_FREE_BYTES:
            return ImageError(
                f"no room is left to unpack it in {shown(cache.name)}",
                hint="make room there, or name another cache: XDG_CACHE_HOME=/some/folder",
            )
        return ImageError(error.message, hint=for_image(error.hint, self.path))

    def _name(self, member: str) -> str:
        return plain_name(member, os.path.basename(self.path))  # noqa: PTH119
