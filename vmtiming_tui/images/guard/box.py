"""A command run with little: no network, few files, limits on all it can use up.

What reads foreign images runs so. bubblewrap builds the box where it may; Ubuntu 24.04 lets it do
so for root, and for others only where an AppArmor profile of its own allows it user namespaces
(``kernel.apparmor_restrict_unprivileged_userns``), so one trial tells. Else util-linux's unshare
takes network and processes away, else limits alone are left; ``Wall`` says which.
"""

import contextlib
import os
import pwd
import secrets
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from vmtiming_tui.errors import ImageError

# systemd keeps these for users that exist only while something runs, and no package takes them.
_FIRST_UID, _LAST_UID = 61184, 65519
_TRIAL_LIMIT_S = 10
_TRIES = 100
_SYSTEM_FOLDERS = ("/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin")
# What the loader, and tools behind alternatives, look up.
_SYSTEM_FILES = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/mke2fs.conf")
# No folder of a host is called so: what is readable keeps its name.
_WORK = "/vmtiming-work"
_GIVEN = "/vmtiming-given"


class Wall(StrEnum):
    """What keeps a command in: a view of its own of the files, namespaces, or limits alone."""

    BUBBLEWRAP = "bubblewrap"
    NAMESPACES = "namespaces"
    LIMITS = "limits"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxLimits:
    """What a boxed command may use up; 0 is without a limit.

    ``processes`` counts what its user has running anywhere, so it holds where the box has a user
    of its own, or a user namespace.
    """

    memory_bytes: int = 2 << 30
    file_bytes: int = 1 << 40
    files: int = 256
    processes: int = 64
    cpu_s: int = 3600

    def words(self, *, count_processes: bool) -> Iterator[str]:
        """Yield them as options of prlimit."""
        yield "--core=0"
        if self.memory_bytes:
            yield f"--as={self.memory_bytes}"
        if self.file_bytes:
            yield f"--fsize={self.file_bytes}"
        if self.files:
            yield f"--nofile={self.files}"
        if self.processes and count_processes:
            yield f"--nproc={self.processes}"
        if self.cpu_s:
            yield f"--cpu={self.cpu_s}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """How to run commands with little; the caller keeps the time and closes what it opened.

    ``work_fd`` is a folder held open, which is the current folder inside and the only place to
    write; a ``uid`` of the box's own must own it; without one the caller's stays. ``given`` are
    files held open for reading, which the command gets as ``word`` says. ``readable`` are files
    and folders to show besides /usr, under their own names, read-only; their names are looked up
    when the box is built, so nothing in a folder of somebody else's belongs there.
    """

    wall: Wall
    limits: BoxLimits = field(default_factory=BoxLimits)
    work_fd: int | None = None
    uid: int | None = None
    given: tuple[int, ...] = ()
    readable: tuple[str, ...] = ()

    def word(self, fd: int) -> str:
        """Return what to tell the command of a given file: its number, or a name to open it by.

        A descriptor can be opened anew, for writing too, where the file's own mode lets the box's
        user; such a file is shown read-only instead. ``open_given`` is the other end.
        """
        state = os.fstat(fd)
        user = os.geteuid() if self.uid is None else self.uid
        writable = state.st_uid == user or state.st_mode & (stat.S_IWOTH | stat.S_IWGRP)
        if self.wall is Wall.BUBBLEWRAP and writable:
            return f"{_GIVEN}/{fd}"
        return str(fd)

    @property
    def environment(self) -> dict[str, str]:
        """All of a boxed command's environment."""
        here = "." if self.work_fd is not None else "/nonexistent"
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent",
            "TMPDIR": here,
        }  # fmt: skip

    @property
    def pass_fds(self) -> tuple[int, ...]:
        """The descriptors to start the command with, for Popen.

        The work folder's stays outside of a box with a view of its own: ``..`` would lead from it.
        """
        own = () if self.work_fd is None or self.wall is not Wall.BUBBLEWRAP else (self.work_fd,)
        return own + self.given

    @property
    def cwd(self) -> str | None:
        """The folder to start the command in, for Popen."""
        return None if self.work_fd is None else f"/proc/self/fd/{self.work_fd}"

    def argv(self, command: Sequence[str]) -> list[str]:
        """Return the words that run ``command`` in the box; no shell is among them.

        To be started with ``pass_fds``, ``cwd`` and ``environment``. It dies with the thread that
        started it.
        """
        inner = [*self._limited(), "--", *command]
        match self.wall:
            case Wall.BUBBLEWRAP:
                return [*self._bubblewrap(), "--", *self._as_user(), *inner]
            case Wall.NAMESPACES:
                return [*_dying(), *_unshare(), *self._as_user(), *inner]
            case Wall.LIMITS:
                return [*_dying(), *self._as_user(), *inner]

    def _limited(self) -> list[str]:
        counted = self.uid is not None or (os.geteuid() != 0 and self.wall is not Wall.LIMITS)
        return ["prlimit", *self.limits.words(count_processes=counted)]

    def _as_user(self) -> list[str]:
        """Without ``uid`` this drops capabilities all the same; a user who has none may not ask."""
        words = ["setpriv", "--no-new-privs"]
        if self.wall is not Wall.BUBBLEWRAP:
            words += ["--pdeathsig", "KILL"]
        if os.geteuid() != 0:
            return [*words, "--"]
        words += ["--inh-caps=-all", "--bounding-set=-all"]
        if self.uid is not None:
            words += [f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"]
        return [*words, "--"]

    def _bubblewrap(self) -> Iterator[str]:
        yield from ("bwrap", "--die-with-parent", "--new-session", "--unshare-ipc")
        yield from ("--unshare-pid", "--unshare-uts", "--unshare-net", "--unshare-cgroup-try")
        yield from ("--hostname", "box")
        if os.geteuid() == 0:
            for name in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
                yield from ("--cap-add", name)
        yield from ("--ro-bind", "/usr", "/usr")
        for folder in _SYSTEM_FOLDERS:
            if os.path.islink(folder):  # noqa: PTH114
                yield from ("--symlink", os.readlink(folder), folder)  # noqa: PTH115
            else:
                yield from ("--ro-bind-try", folder, folder)
        for name in (*_SYSTEM_FILES, *_outermost(self.readable)):
            # Left to itself it makes the folders above for its own user alone.
            for above in reversed(Path(name).parents[:-1]):
                yield from ("--perms", "0755", "--dir", str(above))
            yield from ("--ro-bind-try", name, name)
        yield from ("--proc", "/proc", "--dev", "/dev")
        if self.work_fd is None:
            yield from ("--chdir", "/")
        else:
            yield from ("--bind-fd", str(self.work_fd), _WORK)
            yield from ("--chdir", _WORK)
        yield from ("--perms", "0755", "--dir", _GIVEN)
        for fd in self.given:
            if not (word := self.word(fd)).isdecimal():
                yield from ("--ro-bind-fd", str(fd), word)
        yield from ("--remount-ro", "/")


def _outermost(names: Sequence[str]) -> list[str]:
    """Leave out what is below another of them."""
    return [name for name in names if not any(str(top) in names for top in Path(name).parents)]


def _dying() -> list[str]:
    return ["setpriv", "--pdeathsig", "KILL", "--"]


def _unshare() -> list[str]:
    own = [] if os.geteuid() == 0 else ["--user", "--map-current-user"]
    kinds = ["--net", "--ipc", "--uts", "--pid", "--mount", "--mount-proc"]
    return ["unshare", *own, *kinds, "--fork", "--kill-child", "--"]


def _holds(box: Box) -> bool:
    try:
        done = subprocess.run(  # noqa: S603  fixed words, no shell
            box.argv(["true"]), env=box.environment, pass_fds=box.pass_fds, cwd=box.cwd,
            stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_TRIAL_LIMIT_S,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def best_wall() -> Wall:
    """Return the strongest wall this host lets us build, by trying."""
    uid = _FIRST_UID if os.geteuid() == 0 else None
    folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        for wall in (Wall.BUBBLEWRAP, Wall.NAMESPACES):
            if _holds(Box(wall=wall, uid=uid, work_fd=folder)):
                return wall
    finally:
        os.close(folder)
    return Wall.LIMITS


def open_given(word: str) -> int:
    """Return the descriptor that ``Box.word`` told the command of."""
    return int(word) if word.isdecimal() else os.open(word, os.O_RDONLY | os.O_CLOEXEC)


@contextlib.contextmanager
def own_uid() -> Iterator[int | None]:
    """Keep a user id that nobody has for as long as the block lasts; None where we are not root.

    Raises ``ImageError`` where none can be had.
    """
    if os.geteuid() != 0:
        yield None
        return
    with contextlib.ExitStack() as held:
        yield _take_uid(held)


def user_name() -> str:
    """Return who runs this: the name, or the number where the host knows no name for it."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def is_box_uid(uid: int) -> bool:
    """Return whether a user id is one that ``own_uid`` may give."""
    return _FIRST_UID <= uid <= _LAST_UID


def _take_uid(held: contextlib.ExitStack) -> int:
    used = _uids_in_use()
    for _ in range(100):
        uid = _FIRST_UID + secrets.randbelow(_LAST_UID - _FIRST_UID + 1)
        if uid in used:
            continue
        # Whoever else looks for one, on this host's network at least, sees that it is taken.
        claim = held.enter_context(socket.socket(socket.AF_UNIX))
        with contextlib.suppress(OSError):
            claim.bind(f"\0vmtiming-uid-{uid}")
            return uid
    raise ImageError("no user id is free for the box that images are read in")


def _uids_in_use() -> frozenset[int]:
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found.add(path.stat().st_uid)
    return frozenset(found)


def end_all_of(uid: int) -> None:
    """Kill what a box of this uid, one from ``own_uid``, left running.

    A process namespace ends all that is in it; limits alone do not.
    """
    for _ in range(_TRIES):
        left = [path for path in Path("/proc").glob("[0-9]*") if _is_of(path, uid)]
        if not left:
            return
        for path in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(path.name), signal.SIGKILL)


def _is_of(process: Path, uid: int) -> bool:
    try:
        return process.stat().st_uid == uid and "State:\tZ" not in (process / "status").read_text()
    except OSError:
        return False


def python_files(package: Path) -> tuple[str, ...]:
    """Return what to make readable for the Python that runs us to import ``package`` in a box."""
    folders = {str(package), sys.prefix, sys.base_prefix, str(Path(sys.executable).parent),
               str(Path(sys.executable).resolve().parent)}  # fmt: skip
    # Where a name leads, too, has a name of its own: a link's target is looked up in the box.
    folders |= set(map(os.path.realpath, folders))
    return tuple(sorted(folder for folder in folders if not _is_shown(folder)))


def _is_shown(folder: str) -> bool:
    real = Path(folder).resolve()
    return real.is_relative_to("/usr") or folder in _SYSTEM_FOLDERS
