"""What a QEMU may do on this host: as little as it can be run with.

A guest that breaks out of its QEMU has QEMU's rights. Where we are root, each run's QEMUs get a
user that nobody else is; everywhere they get no new privileges, a small environment, a seccomp
filter and limits. What QEMU must have it is handed: disks by descriptor, the run's folder by group.
"""

import os
import pwd
import re
import resource
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from vmtiming_tui.engine.children.children import Children
from vmtiming_tui.engine.qemu.disks import lies_in_memory, scratch_folder
from vmtiming_tui.engine.qemu.version import VERSION_LIMIT_S, version_in, version_trouble
from vmtiming_tui.errors import QemuError
from vmtiming_tui.model.config import Accel, RunConfig

SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
KVM = Path("/dev/kvm")
_MAX_FILES = 4096
_MORE_TASKS = 256  # QEMU's pool of workers has up to 64 threads for each of its event loops
_SLACK_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class User:
    """Whom QEMU runs as: user, group, and other groups by number."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


class Reach(Enum):
    """How a user can open a file: by its path, by a descriptor we opened, or not at all."""

    PATH = auto()
    DESCRIPTOR = auto()
    NONE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Powers:
    """What the QEMUs of a run keep; ``version`` is what QEMU says its own is.

    ``user`` is None where they stay who we are; ``keeps_rights`` says that root's capabilities are
    kept too. ``word`` is what the user should know, if anything.
    """

    version: str = ""
    user: User | None = None
    keeps_rights: bool = False
    has_seccomp: bool = False
    word: str = ""

    def sandbox(self, config: RunConfig) -> tuple[str, ...]:
        """Return the words for QEMU's own seccomp filter; the user's own take their place."""
        if not self.has_seccomp or "-sandbox" in config.qemu_args:
            return ()
        return ("-sandbox", SANDBOX)

    def message(
        self, *, memory_bytes: int = -1, tasks: int = _MORE_TASKS, file_bytes: int = -1
    ) -> dict[str, object]:
        """Return the same as the warden takes it; -1 is no limit.

        Memory and tasks are bounded by a control group, where one can be made.
        """
        user = self.user
        limits = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, _MAX_FILES)]
        if file_bytes >= 0:
            limits.append((resource.RLIMIT_FSIZE, file_bytes))
        return {
            "user": None if user is None else (user.uid, user.gid, user.groups),
            "keep": self.keeps_rights,
            "limits": limits,
            "group": {"memory": memory_bytes, "pids": tasks},
        }

    def for_vm(self, config: RunConfig, memory_bytes: int, disk_bytes: int) -> dict[str, object]:
        """Return the warden's message for a VM with a disk, that may come to hold so much memory.

        The bounds are loose: no honest VM meets them. Where the user's own arguments may ask for
        more, only the user knows how much; where what a guest writes lies in memory, it counts.
        """
        written = disk_bytes if lies_in_memory(scratch_folder()) else 0
        own = any(word == "-m" or "mem" in word for word in config.qemu_args)
        return self.message(
            memory_bytes=-1 if own else 2 * memory_bytes + written + _SLACK_BYTES,
            tasks=config.smp + _MORE_TASKS,
            file_bytes=-1 if config.qemu_args else 2 * disk_bytes + _SLACK_BYTES,
        )

    def reach(self, path: str) -> Reach:
        """Return how QEMU can open a file, judged by owners and modes alone."""
        if self.keeps_rights or (self.user is None and os.geteuid() != 0):
            return Reach.PATH
        user = self.user or User(0, 0)
        try:
            real = Path(path).resolve(strict=True)
            if not _may(user, real.stat(), stat.S_IROTH):
                return Reach.NONE
            folders = all(_may(user, folder.stat(), stat.S_IXOTH) for folder in real.parents)
        except OSError:
            return Reach.PATH  # QEMU says what is wrong with it
        return Reach.PATH if folders else Reach.DESCRIPTOR


def _may(user: User, state: os.stat_result, right: int) -> bool:
    """Whether a user without capabilities has a right, given as the bit for others."""
    if user.uid == state.st_uid:
        return bool(state.st_mode & right << 6)
    if state.st_gid in (user.gid, *user.groups):
        return bool(state.st_mode & right << 3)
    return bool(state.st_mode & right)


def _kvm_groups(accel: Accel) -> tuple[int, ...] | None:
    """Return the groups that may use KVM; None where a group would not be enough, and it may be."""
    try:
        state = KVM.stat()
    except OSError:
        return ()
    if accel is Accel.TCG or state.st_mode & stat.S_IWOTH:
        return ()
    return (state.st_gid,) if state.st_mode & stat.S_IWGRP and state.st_gid != 0 else None


def _choices(config: RunConfig, own_uid: int | None) -> Sequence[Powers]:
    """Return what to try, the least first; raise ``QemuError`` for a user we cannot become."""
    groups = _kvm_groups(config.accel)
    if config.run_as:
        entry = _entry(config.run_as)
        if entry.pw_uid == os.geteuid():
            return [Powers(keeps_rights=True)]
        if os.geteuid() != 0:
            raise QemuError(
                f"--run-as {config.run_as}: only root can run QEMU as another user",
                hint="leave it out: QEMU then has your own rights",
            )
        theirs = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
        return [Powers(user=User(entry.pw_uid, entry.pw_gid, theirs))]
    if os.geteuid() != 0:
        stays = f"without them {config.qemu!r} cannot be run"
        return [Powers(), Powers(keeps_rights=True, word=f"QEMU keeps your capabilities: {stays}")]
    stays = (
        f"a user of its own cannot run {config.qemu!r}"
        if groups is not None
        else "a user of its own cannot use /dev/kvm, which is root's alone"
    )
    own = own_uid is not None and groups is not None
    first = [Powers(user=User(own_uid or 0, own_uid or 0, groups or ()))] if own else []
    return [
        *first,
        Powers(word=f"QEMU runs as root, without root's capabilities: {stays}"),
        Powers(keeps_rights=True, word=f"QEMU runs with all of root's rights: {stays}"),
    ]


def _entry(user: str) -> pwd.struct_passwd:
    return pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)


async def settle_powers(config: RunConfig, own_uid: int | None, children: Children) -> Powers:
    """Return the least that a config's QEMU can be run with, by asking it for its version.

    Raises ``QemuError`` where it is no QEMU, or one that is too old.
    """
    trouble: QemuError | None = None
    for powers in _choices(config, own_uid):
        for more in (("-sandbox", SANDBOX), ()):
            try:
                code, words = await children.output(
                    [config.qemu, *more, "-version"], VERSION_LIMIT_S, powers.message()
                )
            except QemuError as error:
                trouble = error
                break
            if version := version_in(words, config.qemu):
                return Powers(
                    version=version,
                    user=powers.user,
                    keeps_rights=powers.keeps_rights,
                    has_seccomp=bool(more),
                    word=powers.word,
                )
            trouble = version_trouble(config.qemu, code, words)
            if not re.search("sandbox", words):
                break
    raise trouble or QemuError(f"{config.qemu!r} cannot be run")


def powers_key(config: RunConfig) -> tuple[str, ...]:
    """Return what the powers of a QEMU depend on."""
    return (config.qemu, config.accel, config.run_as)
