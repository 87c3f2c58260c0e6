"""Parts of open files mounted on this host: as root, in a mount namespace of our own.

Nobody else sees these mounts, and they go with the process, even where it is killed.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vmtiming_tui.errors import ImageError
from vmtiming_tui.escape import printable
from vmtiming_tui.images.byte_range import Piece

# linux/loop.h
_GET_FREE, _CONFIGURE = 0x4C82, 0x4C0A
_READ_ONLY, _AUTOCLEAR = 1, 4
_CONFIG = "II QQQQQ IIII 64s 64s 32s QQ 8Q".replace(" ", "")
_TRIES = 10
# linux/sched.h, linux/mount.h
_NEW_NAMESPACE = 0x00020000
_PRIVATE, _RECURSIVE, _DETACH = 1 << 18, 1 << 14, 2
_HARMLESS = "nosuid,nodev,noexec,noatime"


def _system(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)


@contextlib.contextmanager
def own_namespace() -> Iterator[Path]:
    """Part from the mounts of others, and yield an empty folder that only we see into.

    Raises ``ImageError`` where this root may not mount.
    """
    folder = Path(tempfile.mkdtemp(prefix="vmtiming-mount-", dir="/run"))
    try:
        try:
            _system("unshare", _NEW_NAMESPACE)
            _system("mount", None, b"/", None, _PRIVATE | _RECURSIVE, None)
            run_mount("-t", "tmpfs", "-o", "mode=0700,nosuid,nodev", "tmpfs", str(folder))
        except (OSError, ImageError) as error:
            raise ImageError(f"this root may not mount (a container?): {error}") from None
        try:
            yield folder
        finally:
            _system("umount2", os.fsencode(folder), _DETACH)
    finally:
        folder.rmdir()


def run_mount(*words: str) -> None:
    """Run mount(8); raise ``ImageError`` with its complaint."""
    done = subprocess.run(["mount", *words], capture_output=True, check=False)  # noqa: S603, S607
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise ImageError(printable(last.rpartition(": ")[2]))


def bind(source: Path, target: Path) -> None:
    """Show a folder or file at another place too, read-only as it is; raise ``ImageError``."""
    run_mount("--bind", str(source), str(target))


@contextlib.contextmanager
def _loop_device(piece: Piece, *, writable: bool) -> Iterator[str]:
    """Yield a device of these bytes of an open file, which goes with its last user."""
    flags = _AUTOCLEAR | (0 if writable else _READ_ONLY)
    where = (0, 0, 0, piece.offset, piece.size)
    config = struct.pack(_CONFIG, piece.fd, 512, *where, 0, 0, 0, flags, b"", b"", b"", *[0] * 10)
    with open("/dev/loop-control", "rb+", buffering=0) as control:  # noqa: PTH123
        for _ in range(_TRIES):
            name = f"/dev/loop{fcntl.ioctl(control, _GET_FREE)}"
            with contextlib.ExitStack() as held:
                device = os.open(name, os.O_RDWR | os.O_CLOEXEC)
                held.callback(os.close, device)
                try:
                    fcntl.ioctl(device, _CONFIGURE, config)
                except OSError as error:
                    if error.errno == errno.EBUSY:
                        continue  # somebody else was quicker
                    raise
                yield name
                return
    raise ImageError("no loop device is free")


def mount_part(
    piece: Piece, kind: str, where: Path, options: str, *, writable: bool = False
) -> None:
    """Mount a file system of these bytes of an open file, read-only for whoever looks.

    ``writable`` lets the kernel play back a journal. Raises ``ImageError`` and ``OSError``.
    """
    where.mkdir(exist_ok=True)
    words = f"ro,{_HARMLESS}{',' if options else ''}{options}"
    if kind == "xfs":
        words += ",nouuid"  # several copies of one image may be open on this host at once
    with _loop_device(piece, writable=writable) as device:
        run_mount("-t", kind, "-o", words, device, str(where))
