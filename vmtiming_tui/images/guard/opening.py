"""Files opened by name so that nobody else's link, pipe or device gets in between.

A name is walked one component at a time by descriptors that open nothing (``O_PATH``), and what it
leads to is looked at before it is opened: no pipe is waited for, no device is touched.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.quoting import shown

_MAX_LINKS = 40
_MAX_PARTS = 512
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file: where it is, without links, which one it is for the kernel, and its bytes.

    ``owner`` is a user id, ``mode`` as ``stat`` has it. ``modified_ns`` is when its bytes were
    last written, ns since 1970; which file it is does not depend on that.
    """

    path: str
    device: int
    inode: int
    size: int
    owner: int = 0
    mode: int = 0
    modified_ns: int = field(default=0, compare=False)

    @property
    def is_device(self) -> bool:
        """Whether it is a block device."""
        return stat.S_ISBLK(self.mode)

    @property
    def folder(self) -> str:
        """The folder it is in."""
        return os.path.dirname(self.path)  # noqa: PTH120


@contextmanager
def _looked_at(path: str) -> Iterator[tuple[int, str]]:
    """Yield an ``O_PATH`` descriptor of what a path leads to, and its path without links.

    Raises ``OSError`` as opening it would, and ``ImageError`` for another user's link to what is
    not theirs: a link is followed where its owner is us or root, who could read the file anyway,
    or owns the file too, and so could give it away without the link.
    """
    absolute = path if path.startswith("/") else f"{os.getcwd()}/{path}"  # noqa: PTH109
    parts = [part for part in reversed(absolute.split("/")) if part not in ("", ".")]
    names: list[str] = []
    strangers: set[int] = set()
    links = 0
    here = os.open("/", _LOOK | os.O_DIRECTORY)
    try:
        while parts:
            if len(parts) + len(names) > _MAX_PARTS:
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), path)
            part = parts.pop()
            there = os.open(part, _LOOK, dir_fd=here)
            state = os.fstat(there)
            if stat.S_ISLNK(state.st_mode):
                try:
                    target = os.readlink("", dir_fd=there)
                finally:
                    os.close(there)
                links += 1
                if links > _MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                if state.st_uid not in (os.geteuid(), 0):
                    strangers.add(state.st_uid)
                parts += [word for word in reversed(target.split("/")) if word not in ("", ".")]
                if not target.startswith("/"):
                    continue
                names = []
                there = os.open("/", _LOOK | os.O_DIRECTORY)
            elif part == "..":
                names = names[:-1]
            else:
                names.append(part)
            os.close(here)
            here = there
        owner = os.fstat(here).st_uid
        if foreign := sorted(strangers - {owner}):
            raise ImageError(
                f"{shown(path)!r} leads by a symbolic link of user {foreign[0]}'s to "
                f"{shown('/' + '/'.join(names))!r}, which is not theirs",
                hint="name the file itself, if that is what you want",
            )
        yield here, "/" + "/".join(names)
    finally:
        os.close(here)


def open_file(
    path: str, *, allow_device: bool = False, flags: int = os.O_RDONLY
) -> tuple[File, int]:
    """Open a regular file, or a block device where that is allowed; the caller closes it.

    Raises ``ImageError`` for anything else, which is not even opened, and ``OSError``.
    """
    with _looked_at(path) as (look, real):
        state = os.fstat(look)
        is_device = stat.S_ISBLK(state.st_mode)
        if not stat.S_ISREG(state.st_mode) and not (is_device and allow_device):
            kind = _KINDS.get(stat.S_IFMT(state.st_mode), "no regular file")
            hint = "--allow-device takes block devices" if is_device else "give a regular file"
            raise ImageError(f"{shown(path)!r} is {kind}", hint=hint)
        try:
            fd = os.open(f"/proc/self/fd/{look}", flags | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from None
    file = File(
        path=real,
        device=state.st_dev,
        inode=state.st_ino,
        size=os.lseek(fd, 0, os.SEEK_END) if is_device else state.st_size,
        owner=state.st_uid,
        mode=state.st_mode,
        modified_ns=state.st_mtime_ns,
    )
    return file, fd
