"""The user's initrd with the report service behind it: looked into and copied by child processes.

An initrd is as foreign as an image, and may unpack to anything; the engine itself reads none of it.
"""

import asyncio
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vmtiming_tui.engine.children.children import Children
from vmtiming_tui.engine.inject.report_service import initrd_archive
from vmtiming_tui.errors import EngineError, ImageError
from vmtiming_tui.escape import one_line
from vmtiming_tui.images.guard.isolated import isolated
from vmtiming_tui.images.guard.opening import File, open_file
from vmtiming_tui.images.system.initrd.contents import InitrdKind, LookedAt
from vmtiming_tui.images.system.initrd.joint import append
from vmtiming_tui.images.system.initrd.packings import MAX_SECONDS

MAX_BYTES = 1 << 30
_READING_LIMIT_S = MAX_SECONDS + 10
_COPYING_LIMIT_S = 300.0
_ANSWER_BYTES = 1000


async def extended(initrd: str, target: Path, children: Children) -> LookedAt:
    """Write an initrd with the report service's archive after it, where that serves it; tell it.

    Raises ``EngineError`` where the initrd cannot be read, and ``OSError`` where ``target`` cannot
    be written.
    """
    with _opened(initrd) as (file, fd):
        found = await _look_at(fd, file.size, children)
        if not found.joint or not found.kind.is_served:
            return found
        os.lseek(fd, 0, os.SEEK_SET)  # the children have one place in the file with us
        copy = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            await _copy(fd, copy, children)
        finally:
            os.close(copy)
    append(target, found.joint, [initrd_archive()])
    return found


@contextmanager
def _opened(initrd: str) -> Iterator[tuple[File, int]]:
    try:
        file, fd = open_file(initrd)
    except (OSError, ImageError) as error:
        why = error.message if isinstance(error, ImageError) else error.strerror
        raise EngineError(
            f"-i/--initrd: {initrd!r} cannot be read: {why}", hint="check its permissions"
        ) from None
    try:
        if file.size > MAX_BYTES:
            raise EngineError(
                f"-i/--initrd: {initrd!r} has more than {MAX_BYTES >> 20} MiB",
                hint="give a smaller one",
            )
        yield file, fd
    finally:
        os.close(fd)


async def _look_at(fd: int, size: int, children: Children) -> LookedAt:
    """Return what a child says of an initrd of so many bytes."""
    code, said, _ = await children.answer(
        isolated("system.initrd.contents"), fd, limit_s=_READING_LIMIT_S, limit_bytes=_ANSWER_BYTES
    )
    if code != 0:
        return LookedAt(InitrdKind.UNREADABLE)
    return LookedAt.heard(one_line(said.decode(errors="replace").strip()), size)


async def _copy(fd: int, copy: int, children: Children) -> None:
    """Copy a file in a child, which a stop ends; raise ``OSError``."""
    child = await children.spawn(["cat"], [(fd, (0,)), (copy, (1,))])
    try:
        await asyncio.wait([child.exited], timeout=_COPYING_LIMIT_S)
    finally:
        child.signal()
    if os.fstat(copy).st_size < os.fstat(fd).st_size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
