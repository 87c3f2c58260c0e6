"""What a host keeps of the files that are brought to it: each by the digest of its bytes.

It runs on the host; the front end calls it through the cluster. A file comes in pieces, in any
order and from several runs at once, into a part that has a byte for each piece behind its end: 1
where the piece is there. It gets its name once all of it is what was announced, and then no other
bytes. One that nothing has booted from for a month is removed when another comes.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from vmtiming_tui.errors import HostError, ImageError
from vmtiming_tui.images.gate.format_ledger import Ledger, entry_for, ledger_path
from vmtiming_tui.images.guard.opening import open_file

PIECE_BYTES = 1 << 20
KEPT_UNUSED_S = 30 * 24 * 3600
VMS = "-vms"
"""What the name of the folder ends with that has the overlays of a base."""

_MOST_BYTES = 16 << 40
_DIGEST = re.compile("[0-9a-f]{64}")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PART = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_HINTS = {
    errno.ENOSPC: "free some space there, or set XDG_CACHE_HOME to another folder there",
    errno.EDQUOT: "the quota there is used up; free some of it",
    errno.EROFS: "set XDG_CACHE_HOME to a folder there that can be written to",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a file holds: its SHA-256 in hexadecimal digits, and how many bytes it has."""

    digest: str
    size_bytes: int

    @property
    def offsets(self) -> range:
        """Where its pieces begin, in bytes."""
        return range(0, self.size_bytes, PIECE_BYTES)

    def piece_bytes(self, offset: int) -> int:
        """Return how long the piece at an offset is."""
        return min(PIECE_BYTES, self.size_bytes - offset)


def present(content: Content, cache: Path | None = None) -> bytes:
    """Return a byte for each piece of a file: 1 where it is there, 0 where it is not.

    Raises ``HostError``, as all of these do, in words that a person at the front end can act on.
    """
    with _store(content, cache) as folder, _part(folder, content, fcntl.LOCK_SH) as part:
        if part is None:
            return b"\1" * len(content.offsets)
        return os.pread(part, len(content.offsets), content.size_bytes)


def put(content: Content, offset: int, piece: bytes, cache: Path | None = None) -> None:
    """Take in the piece that begins at ``offset``; one of zeros need not come."""
    if offset not in content.offsets or len(piece) != content.piece_bytes(offset):
        raise HostError(f"{len(piece)} bytes at {offset} are no piece of what was announced")
    with _store(content, cache) as folder, _part(folder, content, fcntl.LOCK_SH) as part:
        if part is not None:
            _write(part, piece, offset)
            _write(part, b"\1", content.size_bytes + offset // PIECE_BYTES)


def finish(
    content: Content, modified_ns: int, image_format: str = "", cache: Path | None = None
) -> str:
    """Give a file its name where all of it is there; return its path.

    It is as old as the one it was brought from, ``modified_ns`` since 1970. What format an image
    is of was settled there; it is written down here, so that nothing needs to find it out again.
    """
    with _store(content, cache) as folder:
        with _part(folder, content, fcntl.LOCK_EX) as part:
            if part is not None:
                _check(folder, content, part)
                os.ftruncate(part, content.size_bytes)
                os.fchmod(part, 0o400)
                os.fsync(part)
                os.rename(_part_name(content), content.digest, src_dir_fd=folder, dst_dir_fd=folder)
                os.fsync(folder)
        os.utime(content.digest, ns=(time.time_ns(), modified_ns), dir_fd=folder)
        _forget_unused(folder)
    path = str(_place(cache) / content.digest)
    if image_format:
        _write_down(path, image_format)
    return path


def _place(cache: Path | None) -> Path:
    return (cache or user_cache_path("vmtiming-tui")) / "shipped"


@contextlib.contextmanager
def _store(content: Content, cache: Path | None) -> Iterator[int]:
    """Yield the descriptor of the folder that all of it is in, for a file of such a name."""
    if not (_DIGEST.fullmatch(content.digest) and 0 < content.size_bytes <= _MOST_BYTES):
        raise HostError("what was announced is no file's digest and size")
    place = _place(cache)
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(place, _FOLDER)
        try:
            state = os.fstat(folder)
            if state.st_uid != os.geteuid() or state.st_mode & 0o022:
                raise HostError(
                    f"others can write to {str(place)!r}, and so replace what VMs boot from",
                    hint="remove that folder there, or set XDG_CACHE_HOME to another",
                )
            yield folder
        finally:
            os.close(folder)
    except OSError as error:
        what = f"{str(place)!r} does not take {content.size_bytes:,} bytes"
        raise HostError(
            f"{what}: {error.strerror}",
            hint=_HINTS.get(error.errno or 0, "check the permissions of that folder there"),
        ) from error


def _part_name(content: Content) -> str:
    return f"{content.digest}.{content.size_bytes}.part"


@contextlib.contextmanager
def _part(folder: int, content: Content, lock: int) -> Iterator[int | None]:
    """Yield a file's part, locked, so that nobody finishes it meanwhile; None where it is whole."""
    name, size = _part_name(content), content.size_bytes + len(content.offsets)
    while not _is_whole(folder, content):
        part = os.open(name, _PART, 0o600, dir_fd=folder)
        try:
            fcntl.flock(part, lock)
            if not _is_named(part, name, folder):
                continue  # finished, or thrown away, meanwhile
            if _is_whole(folder, content):
                os.unlink(name, dir_fd=folder)
                continue
            if os.fstat(part).st_size != size:
                os.ftruncate(part, size)
            yield part
            return
        finally:
            os.close(part)
    yield None


def _is_whole(folder: int, content: Content) -> bool:
    with contextlib.suppress(FileNotFoundError):
        state = os.stat(content.digest, dir_fd=folder, follow_symlinks=False)
        return stat.S_ISREG(state.st_mode) and state.st_size == content.size_bytes
    return False


def _is_named(part: int, name: str, folder: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(part), os.stat(name, dir_fd=folder, follow_symlinks=False))
    return False


def _write(fd: int, piece: bytes, offset: int) -> None:
    if os.pwrite(fd, piece, offset) != len(piece):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _check(folder: int, content: Content, part: int) -> None:
    """Throw a part away where its bytes are not those that were announced."""
    digest = hashlib.sha256()
    for offset in content.offsets:
        digest.update(os.pread(part, content.piece_bytes(offset), offset))
    if digest.hexdigest() != content.digest:
        os.unlink(_part_name(content), dir_fd=folder)
        raise HostError(
            "what came is not what was announced, and was thrown away",
            hint="run it again when nothing writes to the file that is shipped",
        )


def _forget_unused(folder: int) -> None:
    """Remove what has not been used for long, and overlays whose base is gone."""
    oldest_s = time.time() - KEPT_UNUSED_S
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # another run's doing
            state = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISREG(state.st_mode) and state.st_atime < oldest_s:
                os.unlink(name, dir_fd=folder)
                shutil.rmtree(f"{name}{VMS}", ignore_errors=True, dir_fd=folder)


def _write_down(path: str, image_format: str) -> None:
    try:
        file, fd = open_file(path)
        os.close(fd)
        ledger, entry = Ledger(ledger_path()), entry_for(file, image_format)
        if ledger.get(file) != entry:
            ledger.write([entry])
    except (OSError, ImageError) as error:
        why = error.message if isinstance(error, ImageError) else error.strerror
        raise HostError(
            f"it cannot be written down of which format the base is: {why}",
            hint="check the permissions of ~/.local/state/vmtiming-tui there",
        ) from error
