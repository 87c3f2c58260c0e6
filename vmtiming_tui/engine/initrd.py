"""What kind of initrd a file is, told from the names in it."""

import bz2
import gzip
import lzma
import re
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import PurePosixPath

_HEAD = 110
_MAGICS = (b"070701", b"070702")
_TOOLS = {b"\x28\xb5\x2f\xfd": "zstd", b"\x02\x21\x4c\x18": "lz4", b"\x04\x22\x4d\x18": "lz4"}
_DECOMPRESS_LIMIT_S = 20
_MOST_LAYERS = 8
_NUMBER = re.compile(rb"[0-9A-Fa-f]{8}")


class InitrdKind(StrEnum):
    """Who made an initrd, as far as it matters for what can be brought in with it."""

    INITRAMFS_TOOLS = "initramfs-tools"
    DRACUT = "dracut"
    SYSTEMD = "systemd"
    OTHER = "other"
    UNREADABLE = "unreadable"


def _decompressed(data: bytes) -> bytes | None:
    """Return an archive without its compression; None where no tool at hand knows it."""
    try:
        if data.startswith(b"\x1f\x8b"):
            return gzip.decompress(data)
        if data.startswith(b"BZh"):
            return bz2.decompress(data)
        if data.startswith((b"\xfd7zXZ", b"\x5d\0\0")):
            return lzma.decompress(data)
    except (OSError, EOFError, lzma.LZMAError, zlib.error):
        return None
    tool = shutil.which(_TOOLS.get(data[:4], "no such tool"))
    if tool is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603  a known tool that reads its input only
            [tool, "-dc"], input=data, capture_output=True, timeout=_DECOMPRESS_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout or None


def names(data: bytes, layers: int = _MOST_LAYERS) -> Iterator[str]:
    """Yield the paths in an initrd: archives one after another, the last one maybe compressed.

    Raises ``ValueError`` where something else follows, or more than ``layers`` of compression.
    """
    at = 0
    while at < len(data):
        if data[at : at + 6] in _MAGICS:
            name, at = _entry(data, at)
            if name != "TRAILER!!!":
                yield str(PurePosixPath("/", name)).lstrip("/")
        elif data[at] == 0:
            at += len(data[at : at + 4096]) - len(data[at : at + 4096].lstrip(b"\0"))
        else:
            plain = _decompressed(data[at:])
            if plain is None:
                raise ValueError("neither an archive nor in a compression known here")
            if not layers:
                raise ValueError("compressed again and again")
            yield from names(plain, layers - 1)
            return


def _number(digits: bytes) -> int:
    """Return a header's number; a sign, which ``int`` would take, would lead back and round."""
    if not _NUMBER.fullmatch(digits):
        raise ValueError("a damaged header")
    return int(digits, 16)


def _entry(data: bytes, at: int) -> tuple[str, int]:
    size = _number(data[at + 54 : at + 62])
    name_size = _number(data[at + 94 : at + 102])
    name = data[at + _HEAD : at + _HEAD + name_size - 1].decode(errors="replace")
    after_name = at + (_HEAD + name_size + 3) // 4 * 4
    return name, after_name + (size + 3) // 4 * 4


def initrd_kind(data: bytes) -> InitrdKind:
    """Return what kind of initrd this is."""
    found = set()
    try:
        for name in names(data):
            found.add(name.removeprefix("usr/"))
    except ValueError:
        return InitrdKind.UNREADABLE
    if "conf/initramfs.conf" in found and "conf/conf.d" in found:
        return InitrdKind.INITRAMFS_TOOLS
    if found & {"lib/dracut/hooks", "var/lib/dracut/hooks"}:
        return InitrdKind.DRACUT
    if "lib/systemd/systemd" in found and found & {"bin/sh", "bin/bash", "bin/dash"}:
        return InitrdKind.SYSTEMD
    return InitrdKind.OTHER
