"""The folder that results go to, held by descriptor: whoever owns it may not lead us elsewhere.

Root may be told to write into a folder of somebody else's, who can swap every name in it at any
moment. So each folder is opened once, without following links of others, everything below it is
reached through its descriptor, and only what was checked in a folder of our own is moved out.
"""

import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass

from vmtiming_tui.errors import ImageError
from vmtiming_tui.escape import printable
from vmtiming_tui.images.guard.box import is_box_uid

WORK_PREFIX = ".spin-from-raw."
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_LINKS = 40
_WORK_NAME = re.compile(re.escape(WORK_PREFIX) + "[0-9a-f]{16}")
_WORK_MODE = 0o700
_OLD_S = 60


def _check_link(path: str, name: str, state: os.stat_result, links: int) -> None:
    if state.st_uid not in (0, os.geteuid()):
        raise ImageError(
            f"{printable(path)} leads through a link of somebody else's ({printable(name)}), "
            "who could lead it anywhere",
            hint="name the folder itself",
        )
    if links > _MAX_LINKS:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)


@dataclass(frozen=True, slots=True)
class Opened:
    """A folder held open; ``parent`` is held too where it was made just now, under ``name``."""

    fd: int
    parent: int | None
    name: str

    def close(self) -> None:
        """Let it go; one made just now goes altogether where it is empty."""
        os.close(self.fd)
        if self.parent is not None:
            with contextlib.suppress(OSError):
                os.rmdir(self.name, dir_fd=self.parent)
            os.close(self.parent)


def open_folder(path: str) -> Opened:
    """Open a folder for results, and make what is missing of it.

    A link on the way is followed where it is root's or ours. Raises ``ImageError`` where it is
    another's, and ``OSError``.
    """
    parts = [part for part in reversed(path.split("/")) if part not in ("", ".")]
    at = Opened(os.open("/" if path.startswith("/") else ".", _FOLDER), None, "")
    links = 0
    while parts:
        part = parts.pop()
        try:
            state = _state(at.fd, part)
            if state is not None and stat.S_ISLNK(state.st_mode):
                links += 1
                _check_link(path, part, state, links)
                target = os.readlink(part, dir_fd=at.fd)
                parts += [word for word in reversed(target.split("/")) if word not in ("", ".")]
                fd = os.open("/" if target.startswith("/") else ".", _FOLDER, dir_fd=at.fd)
                following = Opened(fd, None, "")
            else:
                following = _enter(at.fd, part, is_new=state is None)
        except BaseException:
            at.close()
            raise
        os.close(at.fd)
        if at.parent is not None:
            os.close(at.parent)
        at = following
    return at


def _enter(folder: int, name: str, *, is_new: bool) -> Opened:
    if is_new:
        os.mkdir(name, dir_fd=folder)
    fd = os.open(name, _FOLDER, dir_fd=folder)
    return Opened(fd, os.dup(folder) if is_new else None, name)


def _state(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


@dataclass(frozen=True, slots=True)
class OutFolder:
    """Where the results go: its name as a person gave it, and its descriptor."""

    name: str
    fd: int

    def has(self, path: str) -> bool:
        """Whether something of that name is there: a file, a link, whatever it is."""
        folder, _, name = path.rpartition("/")
        try:
            at = os.open(folder or ".", _FOLDER, dir_fd=self.fd)
        except OSError:
            return False
        try:
            return _state(at, name) is not None
        finally:
            os.close(at)

    def boot_folder(self) -> int:
        """Return the descriptor of ``BFILES``, made where it is missing.

        Raises ``ImageError`` where it is a link or somebody else's again, and ``OSError``.
        """
        with contextlib.suppress(FileExistsError):
            os.mkdir("BFILES", dir_fd=self.fd)
        try:
            fd = os.open("BFILES", _FOLDER, dir_fd=self.fd)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
            raise ImageError(
                f"{printable(self.name)}/BFILES is no folder (a link?): nothing is written "
                "through it",
                hint="use --out elsewhere",
            ) from None
        owner = os.fstat(fd).st_uid
        if owner not in (0, os.geteuid(), os.fstat(self.fd).st_uid):
            os.close(fd)
            raise ImageError(f"{printable(self.name)}/BFILES belongs to somebody else",
                             hint="use --out elsewhere")  # fmt: skip
        return fd


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """A folder of our own for as long as the work takes; its name is not to be believed."""

    parent: int
    name: str
    fd: int

    def give_to(self, uid: int | None) -> None:
        """Let the box's user own it, or us again."""
        os.fchown(self.fd, os.geteuid() if uid is None else uid, -1)

    def check(self, name: str, owner: int, mode: int) -> None:
        """Make a result ours and give it its mode; raise ``ImageError`` where it is none.

        To be called when nobody else can reach the folder any more.
        """
        try:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC,
                         dir_fd=self.fd)  # fmt: skip
        except OSError as error:
            raise ImageError(f"{name} was not made: {error.strerror}") from None
        try:
            state = os.fstat(fd)
            if not stat.S_ISREG(state.st_mode) or state.st_nlink != 1 or state.st_uid != owner:
                raise ImageError(f"what was made for {name} is no file of ours")
            os.fchown(fd, os.geteuid(), os.getegid())
            os.fchmod(fd, mode)
        finally:
            os.close(fd)

    def remove(self) -> None:
        """Remove it and all that is in it, by descriptor; a link in it is only unlinked."""
        _empty(self.fd)
        with contextlib.suppress(OSError):
            state = os.stat(self.name, dir_fd=self.parent, follow_symlinks=False)
            mine = os.fstat(self.fd)
            if (state.st_dev, state.st_ino) == (mine.st_dev, mine.st_ino):
                os.rmdir(self.name, dir_fd=self.parent)
        os.close(self.fd)


def readable_as(fds: Sequence[int]) -> int:
    """Return the mode of a result: no more readable than these files, and as the umask has it."""
    mask = os.umask(0o077)
    os.umask(mask)
    mode = 0o666 & ~mask
    for fd in fds:
        state = os.fstat(fd)
        group = 0o040 if state.st_gid == os.getegid() or state.st_mode & 0o004 else 0
        mode &= 0o600 | (state.st_mode & (0o004 | group))
    return mode | 0o600


def _names(folder: int) -> list[str]:
    return os.listdir(folder)


def _empty(folder: int) -> None:
    for name in _names(folder):
        try:
            os.unlink(name, dir_fd=folder)
        except IsADirectoryError:
            with contextlib.suppress(OSError):
                inner = os.open(name, _FOLDER, dir_fd=folder)
                try:
                    _empty(inner)
                finally:
                    os.close(inner)
                os.rmdir(name, dir_fd=folder)
        except OSError:
            continue


def make_work_folder(parent: int) -> WorkFolder:
    """Make one below an open folder, under a name nobody knows; raise ``OSError``.

    What others left there that were killed goes: a folder is locked as long as its makers, or
    anybody in their box, live.
    """
    _remove_abandoned(parent)
    name = WORK_PREFIX + secrets.token_hex(8)
    os.mkdir(name, _WORK_MODE, dir_fd=parent)
    fd = os.open(name, _FOLDER, dir_fd=parent)
    state = os.fstat(fd)
    if state.st_uid != os.geteuid() or state.st_mode & 0o077 or _names(fd):
        os.close(fd)
        raise ImageError("somebody put another folder in the place of the one made just now",
                         hint="use --out elsewhere")  # fmt: skip
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return WorkFolder(parent, name, fd)


def _remove_abandoned(parent: int) -> None:
    for name in filter(_WORK_NAME.fullmatch, _names(parent)):
        with contextlib.suppress(OSError):
            fd = os.open(name, _FOLDER, dir_fd=parent)
            try:
                if _is_abandoned(fd):
                    _empty(fd)
                    os.rmdir(name, dir_fd=parent)
            finally:
                os.close(fd)


def _is_abandoned(folder: int) -> bool:
    """Whether it is an old work folder of ours, or of a box's of ours, that nobody works in.

    Raises ``OSError`` where somebody does.
    """
    state = os.fstat(folder)
    ours = state.st_uid == os.geteuid() or (os.geteuid() == 0 and is_box_uid(state.st_uid))
    is_new = time.time() - state.st_ctime < _OLD_S  # it is there for a moment before it is locked
    if is_new or not ours or stat.S_IMODE(state.st_mode) != _WORK_MODE:
        return False
    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True
