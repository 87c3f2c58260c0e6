"""Disk images: their formats, and overlays made where they are missing."""

import asyncio
import contextlib
import os
import shutil
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path

from vmtiming_tui.config import RunConfig
from vmtiming_tui.engine.children import Children
from vmtiming_tui.errors import EngineError
from vmtiming_tui.text import printable

_MAGICS = {
    b"QFI\xfb": "qcow2",
    b"KDMV": "vmdk",
    b"conectix": "vpc",
    b"vhdxfile": "vhdx",
}
_QCOW1 = 1


def image_format(path: Path) -> str:
    """Return an image's format from its first bytes; what has no mark is raw.

    QEMU is always told, so that a guest cannot turn its raw disk into another format by writing
    a header to it. Raises ``OSError``.
    """
    with path.open("rb") as image:
        head = image.read(16)
    for magic, name in _MAGICS.items():
        if head.startswith(magic):
            if name == "qcow2" and len(head) >= 8 and struct.unpack(">I", head[4:8])[0] == _QCOW1:
                return "qcow"
            return name
    return "raw"


def missing_overlays(config: RunConfig, vms: Sequence[int]) -> list[Path]:
    """Return the images that do not exist yet."""
    return [config.image(vm) for vm in vms if not os.path.lexists(config.image(vm))]


async def make_overlays(config: RunConfig, vms: Sequence[int], children: Children) -> int:
    """Make the missing images as qcow2 overlays of ``base``; return how many were made.

    One is made by qemu-img; the others are copies, since an overlay knows only its backing file.
    Each appears under its name whole or not at all, and an existing one is never touched. Raises
    ``EngineError``.
    """
    missing = missing_overlays(config, vms)
    if not missing:
        return 0
    qemu_img = shutil.which("qemu-img")
    if qemu_img is None:
        raise EngineError(
            "qemu-img is needed to make overlays, and is not installed",
            hint="apt-get install qemu-utils",
        )
    folder = Path(config.vmdir)
    try:
        base, form, template = _begin(folder, config.base)
    except OSError as error:
        raise _failure(folder, error) from None
    try:
        command = [qemu_img, "create", "-q", "-f", "qcow2", "-F", form, "-b", base, str(template)]
        code, words = await children.output(command, 60)
        if code != 0:
            raise EngineError(
                f"qemu-img cannot make an overlay of {config.base!r}: {printable(words.strip())}"
            )
        mode = 0o666 & ~_umask()
        for index, path in enumerate(missing):
            _place(template, path, mode)
            if index % 16 == 0:
                await asyncio.sleep(0)
    except OSError as error:
        raise _failure(folder, error) from None
    finally:
        _discard(template)
    return len(missing)


def _begin(folder: Path, base: str) -> tuple[str, str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    form = image_format(Path(base))
    fd, name = tempfile.mkstemp(prefix=".vmtiming-", suffix=".qcow2", dir=folder)
    os.close(fd)
    return os.path.realpath(base), form, Path(name)


def _discard(path: Path) -> None:
    path.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _place(template: Path, final: Path, mode: int) -> None:
    copy = final.with_name(f".{final.name}.{os.getpid()}")
    try:
        shutil.copyfile(template, copy)
        copy.chmod(mode)
        with contextlib.suppress(FileExistsError):
            os.link(copy, final)  # unlike a rename, never in place of what came meanwhile
    finally:
        _discard(copy)


def _failure(folder: Path, error: OSError) -> EngineError:
    return EngineError(
        f"cannot make overlays in {str(folder)!r}: {error.strerror}",
        hint="check the folder's permissions and the space on its disk",
    )
