"""Writing a file whole or not at all."""

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path

from vmtiming_tui.errors import ExportError
from vmtiming_tui.escape import printable

_HINTS = {
    errno.ENOSPC: "free some space there, or write to another folder",
    errno.EDQUOT: "your quota there is used up; free some of it, or write to another folder",
    errno.EROFS: "that file system is read-only; write to another folder",
    errno.EACCES: "write to a folder you have the right to write to",
    errno.EPERM: "write to a folder you have the right to write to",
    errno.ENOENT: "make the folder first",
    errno.ENOTDIR: "make the folder first",
    errno.ENAMETOOLONG: "give a shorter name",
}


def write_whole(path: Path, text: str, *, overwrite: bool = True) -> None:
    """Write UTF-8 text so that ``path`` holds all of it or is as it was, even after a power cut.

    A new file beside it is written, synced, and moved into its place. Raises ``ExportError``.
    """
    try:
        mode = _place_mode(path)
        if mode is not None and not overwrite:
            raise _exists(path)
        beside = path.with_name(f".vmtiming-{secrets.token_hex(8)}.part")
        try:
            _write_synced(beside, text, mode)
            _move(beside, path, overwrite=overwrite)
        finally:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise ExportError(
            f"{printable(str(path))} was not written: {error.strerror or error}",
            hint=_HINTS.get(error.errno or 0, ""),
        ) from error


def _exists(path: Path) -> ExportError:
    return ExportError(
        f"{printable(str(path))} is there already and was left as it is",
        hint="give another name, or let it be replaced",
    )


def _place_mode(path: Path) -> int | None:
    """Return the permissions of the file to be replaced, None where there is none."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISREG(found.st_mode):
        return stat.S_IMODE(found.st_mode)
    if stat.S_ISLNK(found.st_mode):
        raise ExportError(
            f"{printable(str(path))} is a symbolic link, which is not written through",
            hint="give the name of the file itself, or remove the link",
        )
    raise ExportError(
        f"{printable(str(path))} is no regular file and was left as it is",
        hint="give another name",
    )


def _write_synced(path: Path, text: str, mode: int | None) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(path, flags, 0o666), "wb") as file:  # noqa: PTH123  made by its descriptor
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        file.write(text.encode(errors="backslashreplace"))
        file.flush()
        os.fsync(file.fileno())


def _move(beside: Path, path: Path, *, overwrite: bool) -> None:
    if overwrite:
        beside.replace(path)
        return
    try:
        path.hardlink_to(beside)
    except FileExistsError:
        raise _exists(path) from None


def _sync_folder(folder: Path) -> None:
    """Make the move itself last; a file system that cannot is no reason to complain."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
