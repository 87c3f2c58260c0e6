"""The engine's private folder: its report socket and the consoles; gone when the engine is."""

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from vmtiming_tui.errors import EngineError

PREFIX = "vmtiming-"
FOLDER_FD = 5  # by which a QEMU has it, where it needs it
_LOCK = "lock"
_SOCKET = "report"
_FOR_QEMU = (_SOCKET, "initrd-", "kernel-", "credential-")
_MAX_SOCKET_PATH = 107  # sun_path of Linux, less its closing zero
_MODES = (0o700, 0o710)
_MARK = b"a run of vm-timing-report\n"


@dataclass(frozen=True, slots=True)
class RunDir:
    """A folder of our own; ``lock_fd`` is held as long as a process of this engine lives.

    ``fd`` is it, held open. ``seen_at`` is where QEMUs find it where their user may not walk its
    path: below a descriptor of it.
    """

    path: Path
    lock_fd: int
    fd: int = -1
    seen_at: Path | None = None

    @property
    def socket(self) -> Path:
        """Where the report socket goes; short enough for a socket's address."""
        return self.path / _SOCKET

    def console(self, vm: int) -> Path:
        """Where the older part of a VM's console goes; a later attempt of it writes it anew."""
        return self.path / f"console-{vm}"

    @property
    def qemus(self) -> Path:
        """Where QEMUs find it."""
        return self.seen_at or self.path

    def shared(self, gid: int) -> "RunDir":
        """Return the same, opened to a group; raise ``OSError``."""
        self.share(gid)
        walkable = all(folder.stat().st_mode & stat.S_IXOTH for folder in self.path.parents)
        return replace(self, seen_at=None if walkable else Path(f"/proc/self/fd/{FOLDER_FD}"))

    def share(self, gid: int) -> None:
        """Let a group find what QEMUs are given by name, and nothing else; raise ``OSError``."""
        os.chown(self.path, -1, gid)
        self.path.chmod(0o710)
        with os.scandir(self.path) as entries:
            for entry in entries:
                if entry.name.startswith(_FOR_QEMU):
                    os.chown(entry.path, -1, gid, follow_symlinks=False)
                    Path(entry.path).chmod(0o660 if entry.name == _SOCKET else 0o640)


def _is_private(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()


def _is_ours(folder: Path) -> bool:
    """Return whether a folder may be a run's; a name alone is no reason to remove anything."""
    return _is_private(folder) and stat.S_IMODE(folder.lstat().st_mode) in _MODES


def parents() -> list[Path]:
    """Return where run folders may be: the session's own folder first, then the temporary one."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    places = [Path(runtime)] if runtime.startswith("/") and _is_private(Path(runtime)) else []
    with contextlib.suppress(FileNotFoundError):  # where no temporary folder can be written
        places.append(Path(tempfile.gettempdir()))
    return list(dict.fromkeys([*places, Path("/tmp")]))  # noqa: S108  by mkdtemp, and searched for ours


def _make(parent: Path) -> RunDir | None:
    probe = parent / f"{PREFIX}12345678" / "report"
    if len(os.fsencode(probe)) > _MAX_SOCKET_PATH:
        return None
    try:
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    except OSError:
        return None
    try:
        return RunDir(path, _locked(path), os.open(path, os.O_PATH | os.O_CLOEXEC))
    except OSError:
        remove(path)
        return None


def _locked(path: Path) -> int:
    """Return the held lock; it has no name before it is, so that nobody ever sees it free."""
    unnamed = path / "lock.new"
    lock_fd = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX)
        os.write(lock_fd, _MARK)
        unnamed.rename(path / _LOCK)
    except OSError:
        os.close(lock_fd)
        raise
    return lock_fd


def remove(path: Path) -> None:
    """Remove a run folder; its entries are files only, and no link is followed.

    A link or a folder of somebody else's may have its name by now, where TMPDIR is another user's.
    Raises ``OSError``.
    """
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if os.fstat(folder).st_uid != os.getuid():
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(path))
        for name in os.listdir(folder):  # noqa: PTH208
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
    finally:
        os.close(folder)
    path.rmdir()


@contextmanager
def run_dir() -> Iterator[RunDir]:
    """Make the folder, and remove it again; raise ``EngineError`` where no place is fit."""
    made = next(filter(None, map(_make, parents())), None)
    if made is None:
        tried = " or ".join(dict.fromkeys(map(str, parents())))
        raise EngineError(
            f"cannot make a folder for the run in {tried}",
            hint="free some space there, or set TMPDIR to a short path you may write to",
        )
    try:
        yield made
    finally:
        with contextlib.suppress(OSError):
            remove(made.path)
        os.close(made.lock_fd)
        os.close(made.fd)


def _is_abandoned(path: Path) -> bool:
    """Return whether a folder is one of ours, by the mark in its lock, that nobody holds."""
    try:
        lock_fd = os.open(path / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.read(lock_fd, len(_MARK) + 1) == _MARK
    except OSError:
        return False
    finally:
        os.close(lock_fd)


def remove_leftovers() -> int:
    """Remove our run folders whose engine is gone (nobody holds their lock); return how many."""
    count = 0
    for parent in dict.fromkeys(parents()):
        for path in parent.glob(f"{PREFIX}????????"):
            with contextlib.suppress(OSError):
                if _is_ours(path) and _is_abandoned(path):
                    remove(path)
                    count += 1
    return count
