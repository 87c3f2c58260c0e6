"""The new root's file system: copied out of the image, checked, and sized.

Tools work on the copy only, in the work folder, where it has a name of our own.
"""

import os
import re
import struct
from collections.abc import Callable
from pathlib import Path

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Piece, Stretch
from vmtiming_tui.images.disk.volumes import Volume
from vmtiming_tui.images.files.ext import Ext
from vmtiming_tui.images.files.ext_superblock import Superblock
from vmtiming_tui.images.guard.tools import Done, free_bytes, number_in, run, succeed
from vmtiming_tui.images.quoting import human

MIB = 1 << 20
# No other format's header is to begin a root of ours, whatever boot block an image had there. An
# xfs begins with its own.
_BOOT_BLOCK_BYTES = {"btrfs": 64 << 10, "xfs": 0}
_USUAL_BOOT_BLOCK_BYTES = 1024
_SECTOR_BYTES = 512
JOURNAL_BYTES = 80 * MIB
NEW_ROOT = "the root file system"
_CHUNK_BYTES = 4 * MIB
_GRAIN_BYTES = 64 << 10
_NO_ZEROS = bytes(_GRAIN_BYTES)
_JOURNAL_INODE_AT = 1024 + 0xE0
_DAMAGED = 4  # e2fsck(8): errors are left as they were
_UNSUPPORTED = re.compile(r"unsupported feature\(s\): *([A-Za-z0-9_ -]{1,200})")
# e2fsprogs read these; but resize2fs refuses the first, debugfs writes damage into the second, and
# a root with one of the others is never written to.
_NOT_FOR_TOOLS = frozenset({"bigalloc", "inline_data", "read-only", "shared_blocks", "snapshot"})


class BeyondToolsError(ImageError):
    """The e2fsprogs of this host cannot do with an ext4 what a kernel may be able to."""


def roomy(least: int) -> int:
    """Return a comfortable size for so many bytes: a quarter more, and 256 MiB."""
    return (least + least // 4) // MIB * MIB + 256 * MIB


def wanted_size(asked: int | None, least: int) -> int:
    """Return the root's size in bytes; raise ``ImageError`` where what was asked is too small."""
    if asked is None:
        return roomy(least)
    if asked < least:
        raise ImageError(
            f"--size {human(asked)} is too small; the content alone takes {human(least)}"
        )
    return asked // MIB * MIB


def check_space(folder: Path, need: int) -> None:
    """Raise ``ImageError`` where the folder's disk has not so many bytes to spare."""
    free = free_bytes(folder)
    if need > free:
        raise ImageError(
            f"there is room for {human(free)}, but this takes {human(need)}; use --out elsewhere"
        )


def copy_stretch(stretch: Stretch, target: Path) -> None:
    """Copy a stretch into a new file, holes and runs of zeros left as holes."""
    with target.open("xb", buffering=0) as file:
        at = 0
        for piece in stretch.pieces:
            _copy_piece(piece, file.fileno(), at)
            at += piece.size
        file.truncate(stretch.size)


def taken_bytes(stretch: Stretch) -> int:
    """Return at most how many bytes a copy takes; holes of the files cost nothing."""
    return sum(min(piece.size, os.fstat(piece.fd).st_blocks * 512) for piece in stretch.pieces)


def _copy_piece(piece: Piece, target: int, target_at: int) -> None:
    at, end = piece.offset, piece.offset + piece.size
    while at < end:
        try:
            at = max(at, os.lseek(piece.fd, at, os.SEEK_DATA) // _GRAIN_BYTES * _GRAIN_BYTES)
        except OSError:  # only a hole is left
            return
        if at >= end:
            return
        data = os.pread(piece.fd, min(_CHUNK_BYTES, end - at), at)
        if not data:
            raise ImageError("the image is cut short")
        for begin in range(0, len(data), _GRAIN_BYTES):
            grain = data[begin : begin + _GRAIN_BYTES]
            if grain != _NO_ZEROS[: len(grain)]:
                _write(target, grain, target_at + at - piece.offset + begin)
        at += len(data)


def _write(target: int, data: bytes, at: int) -> None:
    while data:
        written = os.pwrite(target, data, at)
        data, at = data[written:], at + written


def refuse_what_tools_cannot(files: Ext, name: str) -> None:
    """Raise ``BeyondToolsError`` for what e2fsprogs would refuse to read."""
    try:
        files.superblock.refuse_unknown()
    except ImageError as error:
        raise BeyondToolsError(f"{name}: {error.message}", hint=error.hint) from None


def refuse_what_tools_cannot_change(files: Ext, name: str) -> None:
    """Raise ``BeyondToolsError`` for what e2fsprogs can read, but neither resize nor write to."""
    if odd := sorted(files.superblock.features & _NOT_FOR_TOOLS):
        raise BeyondToolsError(f"{name} uses {', '.join(odd)}, which e2fsprogs cannot change")


def _refuse_foreign_journal(image: Path, files: Ext) -> None:
    """A journal that is on another disk would be looked for on those of the host."""
    if "has_journal" not in files.superblock.features:
        return
    with image.open("rb") as file:
        (inode,) = struct.unpack("<I", os.pread(file.fileno(), 4, _JOURNAL_INODE_AT))
    if not inode:
        raise ImageError("the file system has its journal on another disk, which is not read")


def clear_boot_block(image: Path, kind: str = "ext4") -> None:
    """Fill what is before the superblock of a kind of file system with zeros."""
    with image.open("r+b") as file:
        file.write(bytes(_BOOT_BLOCK_BYTES.get(kind, _USUAL_BOOT_BLOCK_BYTES)))


def keep(volume: Volume, target: Path) -> None:
    """Copy a file system of a kind that only a kernel reads, as it is; raise ``ImageError``."""
    assert volume.stretch is not None  # noqa: S101  who keeps it has seen to that
    check_space(target.parent, taken_bytes(volume.stretch))
    copy_stretch(volume.stretch, target)
    os.truncate(target, -(-volume.size // _SECTOR_BYTES) * _SECTOR_BYTES)
    clear_boot_block(target, volume.type)


def check(image: Path, files: Ext, what: str) -> None:
    """Play back the journal, mend what is safe to mend; raise ``ImageError`` for the rest.

    ``what`` is what a person calls it.
    """
    _refuse_foreign_journal(image, files)
    _judge(run(["e2fsck", "-fp", image.name], image.parent), image.name, what)


def _judge(done: Done, name: str, what: str) -> None:
    if 0 <= done.code < _DAMAGED:
        return
    for line in done.lines:
        if found := _UNSUPPORTED.search(line):
            raise BeyondToolsError(
                f"{what} was made by a newer e2fsprogs: it uses {found[1].strip()}, which"
                " the e2fsck of this host does not know",
                hint="a newer e2fsprogs on this host helps, or turn it off in the machine"
                " (tune2fs -O ^FEATURE)",
            )
    words = [line.removeprefix(f"{name}: ") for line in done.lines[-3:]] or [done.last_word]
    raise ImageError(f"{what} is damaged; e2fsck says: {' / '.join(words)}")


def fit(image: Path, facts: Superblock, asked: int | None, say: Callable[[str], None]) -> None:
    """Give a checked file system the size it is to have, or ``roomy`` for what it holds."""
    measured = succeed(["resize2fs", "-P", image.name], image.parent, "measuring the root")
    least = (number_in(measured.said, rb"minimum size[^:]*: *") or 0) * facts.block_size
    if not least:
        raise ImageError("resize2fs cannot tell how small the root file system may be")
    size = wanted_size(asked, least)
    if "stable_inodes" in facts.features and size < facts.size:
        if asked is not None:
            raise ImageError(f"it uses stable_inodes, and so stays {human(facts.size)} or more")
        size = facts.size // MIB * MIB or facts.size
    what = f"making it {human(size)}"
    say(what)
    succeed(["resize2fs", image.name, f"{size // 1024}K"], image.parent, what)
    os.truncate(image, size)
    # Blocks that once held deleted files become holes.
    done = run(["e2fsck", "-fp", "-E", "discard", image.name], image.parent)
    if not 0 <= done.code < _DAMAGED:
        raise ImageError(
            f"the root file system could not be resized ({done.last_word})",
            hint="choose another --size",
        )


def bytes_for_files(used: int, inodes: int) -> int:
    """Return the least an ext4 takes for so many files of so many bytes.

    A block for each file that was packed tighter, its inode, and the journal.
    """
    return used + used // 32 + inodes * 4352 + JOURNAL_BYTES
