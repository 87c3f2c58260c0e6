"""A control group a QEMU, where the host lets us make one: bounds on its memory and its tasks.

Version 2: a sibling of our own group, where the group above hands on both controllers. Version 1:
a group below our own in each hierarchy. Used by the warden, so on the standard library's leanest
parts. Sources: the kernel's admin-guide/cgroup-v2.rst and cgroup-v1/.
"""

import os
import time

_ROOT = "/sys/fs/cgroup"
_PREFIX = "vmtiming-"
_OLD_S = 60


def _read(path: str) -> str:
    try:
        with open(path) as file:  # noqa: PTH123  pathlib is too heavy here
            return file.read(1 << 16)
    except (OSError, ValueError):
        return ""


def _write(path: str, value: str) -> None:
    with open(path, "w") as file:  # noqa: PTH123
        file.write(value)


def bases(root: str, ours: str) -> list[tuple[str, dict[str, str]]]:
    """Return the folders to make groups in, and the file of each limit there, by its name.

    ``root`` is where the control groups are mounted, ``ours`` what /proc/self/cgroup says.
    """
    lines = [line.split(":", 2) for line in ours.splitlines()]
    own = {kinds: path for _, kinds, path in lines}
    if os.path.exists(f"{root}/cgroup.controllers"):  # noqa: PTH110
        above = root + os.path.dirname(own.get("", "/")).rstrip("/")  # noqa: PTH120
        handed_on = _read(f"{above}/cgroup.subtree_control").split()
        if not {"memory", "pids"} <= set(handed_on) or not os.access(above, os.W_OK):
            return []
        return [(above, {"memory": "memory.max", "pids": "pids.max"})]
    found = []
    for kind, name in (("memory", "memory.limit_in_bytes"), ("pids", "pids.max")):
        base = f"{root}/{kind}{own.get(kind, '')}".rstrip("/")
        if kind in own and os.access(base, os.W_OK):
            found.append((base, {kind: name}))
    return found


class Groups:
    """The groups of one warden's QEMUs, by the engine's number of each child."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._bases = bases(_ROOT, _read("/proc/self/cgroup"))
        self._made: dict[int, list[str]] = {}
        self._spent: list[str] = []
        for base, _ in self._bases:
            _remove_old(base)

    def make(self, number: int, limits: dict[str, int]) -> list[str]:
        """Make a child's groups; return their folders, none where that cannot be."""
        made = []
        for base, files in self._bases:
            folder = f"{base}/{_PREFIX}{self._name}-{number}"
            try:
                os.mkdir(folder)  # noqa: PTH102
                made.append(folder)
                for kind, name in files.items():
                    if limits[kind] >= 0:
                        _write(f"{folder}/{name}", str(limits[kind]))
            except OSError:
                continue
        self._made[number] = made
        return made

    def release(self, number: int) -> None:
        """A child is gone, or never came to be: remove its groups, now or when they are empty."""
        self._spent += self._made.pop(number, [])
        self._spent = [folder for folder in self._spent if not _remove(folder)]

    def close(self) -> None:
        """Remove all; what was in them has been killed, and may take a moment to be gone."""
        for number in list(self._made):
            self.release(number)
        deadline = time.monotonic() + 2
        while self._spent and time.monotonic() < deadline:
            time.sleep(0.01)
            self._spent = [folder for folder in self._spent if not _remove(folder)]


def enter(folders: list[str]) -> None:
    """Move this process into groups; where it may not, it stays where it is."""
    for folder in folders:
        try:
            _write(f"{folder}/cgroup.procs", "0")
        except OSError:
            continue


def _remove(folder: str) -> bool:
    try:
        os.rmdir(folder)  # noqa: PTH106
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _remove_old(base: str) -> None:
    """Remove what wardens left that were killed; a group in use cannot be removed."""
    try:
        names = [name for name in os.listdir(base) if name.startswith(_PREFIX)]  # noqa: PTH208
        for name in names:
            if time.time() - os.stat(f"{base}/{name}").st_mtime > _OLD_S:  # noqa: PTH116
                _remove(f"{base}/{name}")
    except OSError:
        return
