"""Where a file of an ext2, ext3 or ext4 has its blocks: extents, or blocks of block numbers.

After the kernel's Documentation/filesystems/ext4/{blockmap,ifork}.rst. Both walks go forward
through the file, without recursion, and end at the number of blocks asked for: no loop of pointers
makes them longer than that.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from vmtiming_tui.errors import ImageError

_EXTENT_MAGIC = 0xF30A
_ENTRY_BYTES = 12
_MAX_DEPTH = 5
_MAX_WRITTEN = 32768
_DIRECT_BLOCKS = 12

ReadBlock = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Run:
    """Blocks one after another: the first's number in the file and on the disk, and how many."""

    logical: int
    physical: int
    count: int


@dataclass(frozen=True, slots=True)
class _Branch:
    """A node of an extent tree yet to be read: where it is, what of the file it may tell of."""

    block: int
    depth: int
    first: int
    end: int


def extent_runs(root: bytes, blocks: int, read: ReadBlock) -> Iterator[Run]:
    """Yield the first ``blocks`` blocks of a file with an extent tree, holes left out.

    A node may speak only of its own part of the file, and every node of something: so none can
    stand in the tree twice, and no tree is larger than the disk. Raises ``ImageError``.
    """
    written_to = 0
    pending = [_Branch(0, -1, 0, 1 << 32)]
    while pending:
        branch = pending.pop()
        raw = root if branch.depth < 0 else read(branch.block)
        magic, count, _, depth = struct.unpack_from("<4H", raw)
        if (
            magic != _EXTENT_MAGIC
            or count > len(raw) // _ENTRY_BYTES - 1
            or depth > _MAX_DEPTH
            or (branch.depth >= 0 and (depth != branch.depth or not count))
        ):
            raise ImageError("a file's tree of extents is damaged")
        entries = list(struct.iter_unpack("<3I", raw[_ENTRY_BYTES : _ENTRY_BYTES * (count + 1)]))
        starts = [entry[0] for entry in entries]
        ends = [*starts, branch.end][1:]
        if any(not branch.first <= start < end for start, end in zip(starts, ends, strict=True)):
            raise ImageError("a file's tree of extents goes back or in a circle")
        if depth:
            below = [
                _Branch(low | (high & 0xFFFF) << 32, depth - 1, start, end)
                for (start, low, high), end in zip(entries, ends, strict=True)
                if start < blocks
            ]
            pending += reversed(below)
            continue
        for start, mixed, low in entries:
            length = mixed & 0xFFFF
            unwritten = length > _MAX_WRITTEN
            length -= _MAX_WRITTEN if unwritten else 0
            if not length or start < written_to:
                raise ImageError("a file's extents lie over one another")
            written_to = start + length
            if start < blocks and not unwritten:
                yield Run(start, low | (mixed >> 16) << 32, min(length, blocks - start))


def indirect_runs(root: bytes, blocks: int, read: ReadBlock, block_size: int) -> Iterator[Run]:
    """Yield the first ``blocks`` blocks of a file with block numbers, holes left out.

    Raises ``ImageError``.
    """
    run = Run(0, 0, 0)
    for logical, physical in _numbered_blocks(root, blocks, read, block_size // 4):
        if (logical, physical) == (run.logical + run.count, run.physical + run.count):
            run = Run(run.logical, run.physical, run.count + 1)
            continue
        if run.count:
            yield run
        run = Run(logical, physical, 1)
    if run.count:
        yield run


def _numbered_blocks(
    root: bytes, blocks: int, read: ReadBlock, per_block: int
) -> Iterator[tuple[int, int]]:
    numbers = struct.unpack_from("<15I", root)
    pending = [(number, 0, at) for at, number in enumerate(numbers[:_DIRECT_BLOCKS])]
    start = _DIRECT_BLOCKS
    for level, number in enumerate(numbers[_DIRECT_BLOCKS:], 1):
        pending.append((number, level, start))
        start += per_block**level
    pending.reverse()
    while pending:
        number, level, start = pending.pop()
        if not number or start >= blocks:
            continue
        if not level:
            yield start, number
            continue
        span = per_block ** (level - 1)
        below = struct.unpack(f"<{per_block}I", read(number))
        pending += [
            (each, level - 1, start + at * span)
            for at, each in reversed(list(enumerate(below)))
            if each
        ]
