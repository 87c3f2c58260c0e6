"""Overlays of a base image, made where images are missing."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from vmtiming_tui.engine.children.children import Children
from vmtiming_tui.engine.image.gate_client import absolute, ask_gate, note_overlays
from vmtiming_tui.errors import EngineError, ImageError
from vmtiming_tui.images.gate.format_ledger import ledger_path
from vmtiming_tui.images.gate.gate_process import MadeOverlay, Request
from vmtiming_tui.images.gate.permission import Image, Rules
from vmtiming_tui.images.gate.qcow2 import write_empty
from vmtiming_tui.images.guard.out_folder import open_folder
from vmtiming_tui.model.config import RunConfig

_AT_ONCE = 16


def missing_overlays(config: RunConfig, vms: Sequence[int]) -> list[Path]:
    """Return the images that do not exist yet."""
    return [config.image(vm) for vm in vms if not os.path.lexists(config.image(vm))]


async def make_overlays(config: RunConfig, vms: Sequence[int], children: Children) -> int:
    """Make the missing images as qcow2 overlays of ``base``; return how many were made.

    The base's format is the gate's word, and what was made is written down, so that it boots
    without a flag wherever its base is. Each appears under its name whole or not at all, and an
    existing one is never touched. The folder is reached as ``open_folder`` has it. Raises
    ``EngineError``, and ``ImageError`` for the base and for a link of another user's.
    """
    missing = missing_overlays(config, vms)
    if not missing:
        return 0
    base = await _base(config, children)
    made: list[MadeOverlay] = []
    try:
        for index, path in enumerate(missing):
            if _place(path, base):
                made.append(MadeOverlay(path=absolute(path), backing=base.layers[0].file.path))
            if index % _AT_ONCE == 0:
                await asyncio.sleep(0)
    except OSError as error:
        raise EngineError(
            f"cannot make overlays in {config.vmdir!r}: {error.strerror}",
            hint="check the folder's permissions and the space on its disk",
        ) from None
    await note_overlays(made, children)
    return len(made)


async def _base(config: RunConfig, children: Children) -> Image:
    rules = Rules(allow_backing=config.allow_backing, allow_device=config.allow_device)
    path = absolute(Path(config.base))
    request = Request(images=(path,), rules=rules, ledger=str(ledger_path()))
    answer, _ = await ask_gate(request, children)
    if answer.image is None:
        raise ImageError(f"--base: {answer.why}", hint=answer.hint)
    return answer.image


def _place(final: Path, base: Image) -> bool:
    """Write an overlay and give it its name; return whether the name was still free."""
    with contextlib.closing(open_folder(str(final.parent))) as folder:
        return _place_in(folder.fd, final.name, base)


def _place_in(folder: int, final: str, base: Image) -> bool:
    new = f".{final[:200]}.{secrets.token_hex(4)}"
    fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=folder)
    try:
        backing = base.layers[0].file.path
        write_empty(fd, base.virtual_bytes, backing=backing, backing_format=base.format)
        with contextlib.suppress(FileExistsError):
            # Unlike a rename, never in place of what came meanwhile.
            os.link(new, final, src_dir_fd=folder, dst_dir_fd=folder)
            return True
    finally:
        os.close(fd)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new, dir_fd=folder)
    return False
