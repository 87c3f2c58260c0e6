"""The files of an ext2, ext3 or ext4, read without a mount and without trusting a number of it.

After the kernel's Documentation/filesystems/ext4/. Checksums are not looked at: a wrong one says
that something is damaged, a right one says nothing of who made it.
"""

import functools
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Stretch
from vmtiming_tui.images.files.ext_blocks import Run, extent_runs, indirect_runs
from vmtiming_tui.images.files.ext_superblock import Superblock
from vmtiming_tui.images.files.folders import FolderCache, checked_name
from vmtiming_tui.images.files.tree import FileKind, Node

_ROOT_INODE = 2
_ENCRYPTED = 0x800
_EXTENTS = 0x80000
_INLINE = 0x10000000
_POINTER_BYTES = 60
_CHUNK_BYTES = 1 << 20
_MAX_TARGET_BYTES = 4096
_MAX_FOLDER_BYTES = 64 << 20
_CACHED_BLOCKS = 128
_ATTRIBUTE_MAGIC = 0xEA020000
_SYSTEM_ATTRIBUTE = 7
_KINDS = {stat.S_IFREG: FileKind.FILE, stat.S_IFDIR: FileKind.FOLDER, stat.S_IFLNK: FileKind.LINK}


@dataclass(frozen=True, slots=True)
class _Inode:
    """An inode's fields that matter here; ``pointers`` is its 60 bytes of ``i_block``."""

    number: int
    kind: FileKind
    size: int
    flags: int
    pointers: bytes
    raw: bytes


class Ext:
    """An ext2, ext3 or ext4 as a ``FileSystem``; ``superblock`` has its facts."""

    def __init__(self, stretch: Stretch) -> None:
        """Read the superblock; raise ``ImageError`` where it is none or cannot be read here."""
        superblock = Superblock.read(stretch)
        if superblock is None:
            raise ImageError("it is no ext2, ext3 or ext4")
        superblock.refuse_unreadable()
        self.superblock = superblock
        self._stretch = stretch
        self._block = functools.lru_cache(_CACHED_BLOCKS)(self._read_block)
        self._folders = FolderCache(self._read_folder)

    @property
    def root(self) -> Node:
        """The top folder; raises ``ImageError`` where there is none."""
        top = self._node(_ROOT_INODE)
        if top.kind is not FileKind.FOLDER:
            raise ImageError("its top is no folder: it is damaged")
        return top

    def entries(self, folder: Node) -> Iterator[tuple[bytes, Node]]:
        """Yield what is in a folder."""
        for name, number in self._folders[folder.number].items():
            yield name, self._node(number)

    def entry(self, folder: Node, name: bytes) -> Node | None:
        """Return what has this name in a folder, if anything has."""
        number = self._folders[folder.number].get(name)
        return None if number is None else self._node(number)

    def target(self, link: Node) -> bytes:
        """Return where a link leads."""
        inode = self._inode(link.number)
        if inode.kind is not FileKind.LINK or inode.size > _MAX_TARGET_BYTES:
            raise ImageError(f"its link {link.number} is damaged")
        if inode.size < _POINTER_BYTES and not inode.flags & (_EXTENTS | _INLINE | _ENCRYPTED):
            return inode.pointers[: inode.size]
        return b"".join(self._content(inode))

    def chunks(self, file: Node) -> Iterator[bytes]:
        """Yield a file's content, ``size`` bytes in all, in pieces of at most 1 MiB."""
        return self._content(self._inode(file.number))

    def _read_block(self, number: int) -> bytes:
        size = self.superblock.block_size
        if not 0 <= number < self.superblock.blocks:
            raise ImageError(f"it points to a block {number} that it does not have")
        return self._stretch.read(number * size, size)

    def _inode(self, number: int) -> _Inode:
        facts = self.superblock
        if not 1 <= number <= facts.inodes:
            raise ImageError(f"it points to an inode {number} that it does not have")
        group, index = divmod(number - 1, facts.inodes_per_group)
        at, place = divmod(group, facts.block_size // facts.descriptor_size)
        descriptor = self._block(facts.descriptor_block(at))[place * facts.descriptor_size :]
        table = struct.unpack_from("<I", descriptor, 8)[0]
        if facts.wide:
            table |= struct.unpack_from("<I", descriptor, 0x28)[0] << 32
        at, place = divmod(index * facts.inode_size, facts.block_size)
        raw = self._block(table + at)[place : place + facts.inode_size]
        mode, _, size = struct.unpack_from("<HHI", raw)
        kind = _KINDS.get(stat.S_IFMT(mode), FileKind.OTHER)
        if kind is FileKind.FILE or (kind is FileKind.FOLDER and "large_dir" in facts.features):
            size |= struct.unpack_from("<I", raw, 0x6C)[0] << 32
        flags = struct.unpack_from("<I", raw, 0x20)[0]
        return _Inode(number, kind, size, flags, raw[0x28 : 0x28 + _POINTER_BYTES], raw)

    def _node(self, number: int) -> Node:
        inode = self._inode(number)
        return Node(number, inode.kind, inode.size)

    def _runs(self, inode: _Inode) -> Iterator[Run]:
        facts = self.superblock
        blocks = -(-inode.size // facts.block_size)
        if inode.flags & _EXTENTS:
            return extent_runs(inode.pointers, blocks, self._block)
        return indirect_runs(inode.pointers, blocks, self._block, facts.block_size)

    def _content(self, inode: _Inode) -> Iterator[bytes]:
        """Yield an inode's bytes in pieces; holes come as zeros."""
        if inode.flags & _ENCRYPTED:
            raise ImageError(f"its file {inode.number} is encrypted")
        if inode.flags & _INLINE:
            yield self._inline(inode)
            return
        size, at = self.superblock.block_size, 0
        for run in self._runs(inode):
            if run.physical + run.count > self.superblock.blocks:
                raise ImageError(f"it points to a block {run.physical} that it does not have")
            yield from _zeros(run.logical * size - at)
            at = min((run.logical + run.count) * size, inode.size)
            begin = run.physical * size
            left = at - run.logical * size
            while left:
                yield self._stretch.read(begin, min(left, _CHUNK_BYTES))
                begin += min(left, _CHUNK_BYTES)
                left -= min(left, _CHUNK_BYTES)
        yield from _zeros(inode.size - at)

    def _inline(self, inode: _Inode) -> bytes:
        """Return content that is in the inode itself: in ``i_block``, then in an attribute."""
        content = inode.pointers
        if inode.size > _POINTER_BYTES:
            content += _inline_attribute(inode.raw)
        if inode.size > len(content):
            raise ImageError(f"its file {inode.number} is damaged: not all of it is there")
        return content[: inode.size]

    def _read_folder(self, number: int) -> Iterator[tuple[bytes, int]]:
        """Yield the names in a folder and their inodes, whether it has an index or not."""
        inode = self._inode(number)
        if inode.kind is not FileKind.FOLDER:
            raise ImageError(f"its inode {number} is no folder")
        if inode.flags & _ENCRYPTED:
            raise ImageError(f"its folder {number} is encrypted")
        if inode.flags & _INLINE:
            # The first four bytes are the folder above; what the attribute holds begins anew.
            yield from _names(inode.pointers[4:])
            yield from _names(_inline_attribute(inode.raw))
            return
        if inode.size > _MAX_FOLDER_BYTES:
            raise ImageError(f"its folder {number} claims {inode.size} bytes of names")
        for run in self._runs(inode):
            for block in range(run.physical, run.physical + run.count):
                self._folders.charge(self.superblock.block_size)
                yield from _names(self._read_block(block))


def _zeros(count: int) -> Iterator[bytes]:
    for _ in range(count // _CHUNK_BYTES):
        yield bytes(_CHUNK_BYTES)
    if count % _CHUNK_BYTES > 0:
        yield bytes(count % _CHUNK_BYTES)


def _names(block: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the entries of one block of a folder, the unused and the folder's own left out.

    An index's blocks look unused to who reads entry after entry; so they are meant to.
    """
    at = 0
    while at + 8 <= len(block):
        number, length, name_length = struct.unpack_from("<IHB", block, at)
        if len(block) > 1 << 15:
            # ext4_rec_len_from_disk: with such blocks the two lowest bits are the highest.
            length = len(block) if length in (0, 65535) else length & 65532 | (length & 3) << 16
        if length < 8 + name_length or length % 4 or at + length > len(block):
            raise ImageError("a folder's names are damaged")
        name = block[at + 8 : at + 8 + name_length]
        if number and name not in (b".", b".."):
            yield checked_name(name), number
        at += length


def _inline_attribute(raw: bytes) -> bytes:
    """Return the inode's attribute ``system.data``; empty where it has none."""
    if len(raw) < 132:
        return b""
    first = 128 + struct.unpack_from("<H", raw, 128)[0] + 4
    if first > len(raw) or struct.unpack_from("<I", raw, first - 4)[0] != _ATTRIBUTE_MAGIC:
        return b""
    at = first
    while at + 16 <= len(raw) and raw[at : at + 4] != bytes(4):
        length, index, offset, elsewhere, size = struct.unpack_from("<BBHII", raw, at)
        if (index, raw[at + 16 : at + 16 + length]) == (_SYSTEM_ATTRIBUTE, b"data"):
            if elsewhere or first + offset + size > len(raw):
                raise ImageError("a file's content in its inode is damaged")
            return raw[first + offset : first + offset + size]
        at += 16 + (length + 3 & ~3)
    return b""
