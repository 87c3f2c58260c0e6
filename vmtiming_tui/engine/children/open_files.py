"""Says which processes have which files open: a walk over /proc, in a process of its own.

It runs by its path (``python -I -S open_files.py FILE ...``) on the standard library's leanest
parts: on a host with many processes the walk takes seconds, in which the engine has stamps to take.
A line for each find: the file's number among those given, the process's id, its name as JSON.
"""

import json
import os
import sys

_MOST = 8  # processes told of one file


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116  pathlib is too heavy here
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _open_in(pid: int) -> set[tuple[int, int]]:
    found = set()
    try:
        with os.scandir(f"/proc/{pid}/fd") as links:
            for link in links:
                if identity := _identity(link.path):
                    found.add(identity)
    except OSError:
        return found
    return found


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:  # noqa: PTH123
            return file.read(64).rstrip(b"\n").decode(errors="backslashreplace")
    except OSError:
        return "gone meanwhile"


def main() -> None:
    """Print what is found, as far as this user may know (proc(5))."""
    wanted: dict[tuple[int, int], list[int]] = {}
    for number, path in enumerate(sys.argv[1:]):
        if identity := _identity(path):
            wanted.setdefault(identity, []).append(number)
    told = dict.fromkeys(range(len(sys.argv)), 0)
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):  # noqa: PTH208
        for identity in _open_in(pid) & wanted.keys():
            for number in wanted[identity]:
                told[number] += 1
                if told[number] <= _MOST:
                    print(number, pid, json.dumps(_name(pid)), flush=True)


if __name__ == "__main__":
    main()
