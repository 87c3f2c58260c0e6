"""Where the names in an image's header lead, and whether its owner could have what lies there."""

import os
from dataclasses import dataclass

from vmtiming_tui.images.guard.opening import File

_OTHERS_READ, _OTHERS_WRITE = 0o004, 0o002


@dataclass(frozen=True, slots=True)
class Place:
    """Where the names in a header lead from: the image's name and file, and its own folders."""

    named: str
    file: File
    folders: frozenset[str]

    @classmethod
    def of(cls, named: str, file: File) -> "Place":
        """Return the place of what the user named: its own folder and the one above are its own."""
        own = {os.path.realpath(os.path.dirname(named) or "."), file.folder}  # noqa: PTH120
        return cls(named, file, frozenset(own | {os.path.dirname(each) for each in own}))  # noqa: PTH120

    def path(self, name: str) -> str:
        """Return the path of what a header here asks for, as QEMU takes it.

        Where an image is named by a link and nothing is there, it is looked for beside the image.
        """
        local = local_name(name) or name
        by_name = os.path.join(os.path.dirname(self.named), local)  # noqa: PTH118, PTH120
        beside = os.path.join(self.file.folder, local)  # noqa: PTH118
        is_only_beside = os.path.lexists(beside) and not os.path.lexists(by_name)
        return beside if is_only_beside else by_name


def is_below(file: File, folder: str) -> bool:
    """Return whether a file is in a folder, or in one below it."""
    top = os.path.realpath(folder)
    return file.path.startswith(top.rstrip("/") + "/")


def could_give(owner: int, file: File, *, for_writing: bool) -> bool:
    """Whether an image's owner needs no image to have a file read, or written."""
    right = _OTHERS_WRITE if for_writing else _OTHERS_READ
    return owner in (os.geteuid(), 0, file.owner) or bool(file.mode & right)


def local_name(name: str) -> str | None:
    """Return the path that a name in a header stands for; None where QEMU would see no path in it.

    QEMU takes what stands before a colon, where no slash comes first, for a driver's name
    (block.c, path_has_protocol): ``nbd://host``, ``json:{...}``, ``host_device:/dev/sda``. Only
    ``file:`` before a path is one.
    """
    if not name or "\0" in name:
        return None
    if name.startswith("file:") and not name.startswith("file://"):
        name = name.removeprefix("file:")
    before, colon, _ = name.partition(":")
    return None if (colon and "/" not in before) or not name else name
