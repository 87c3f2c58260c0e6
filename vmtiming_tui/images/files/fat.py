"""The files of a FAT12, FAT16 or FAT32 with long names: what an EFI system partition is.

After Microsoft's "FAT32 File System Specification" (2000) and "Long Filename Specification" (1992).
"""

import functools
import struct
from collections.abc import Iterator

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Stretch
from vmtiming_tui.images.files.fat_header import (
    ENTRY_BYTES,
    LONG_NAME,
    VOLUME_ID,
    FatHeader,
    read_fat_header,
)
from vmtiming_tui.images.files.folders import FolderCache, checked_name
from vmtiming_tui.images.files.tree import FileKind, Node

_FOLDER = 0x10
_DELETED = 0xE5
_LAST_LONG = 0x40
_LOWER_BASE, _LOWER_EXTENSION = 0x08, 0x10
_MAX_FOLDER_BYTES = 65536 * ENTRY_BYTES
_CHUNK_BYTES = 1 << 20
_TABLE_WINDOW_BYTES = 3 * 4096
_CODE_PAGE = "cp437"
_TOP = 0
_NEVER_IN_NAMES = frozenset(b'"*/:<>?\\|') | frozenset(range(32))


class Fat:
    """A FAT as a ``FileSystem``: a file's number is its first cluster, names are UTF-8.

    A name is found whatever its case, as firmware finds it.
    """

    def __init__(self, stretch: Stretch) -> None:
        """Read the first sector; raise ``ImageError`` where it is no FAT's, or cut short."""
        header = read_fat_header(stretch)
        if header is None:
            raise ImageError("it is no FAT")
        self.header: FatHeader = header
        self._stretch = stretch
        self._table = functools.lru_cache(64)(self._read_table)
        self._folders = FolderCache(self._read_folder)

    @property
    def root(self) -> Node:
        """The top folder."""
        return Node(_TOP, FileKind.FOLDER)

    def entries(self, folder: Node) -> Iterator[tuple[bytes, Node]]:
        """Yield what is in a folder."""
        yield from self._folders[folder.number].values()

    def entry(self, folder: Node, name: bytes) -> Node | None:
        """Return what has this name in a folder, if anything has."""
        found = self._folders[folder.number].get(_alike(name))
        return found and found[1]

    def target(self, link: Node) -> bytes:
        """A FAT has no links."""
        raise ImageError(f"a FAT has no links: {link.number}")

    def chunks(self, file: Node) -> Iterator[bytes]:
        """Yield a file's content, ``size`` bytes in all, in pieces of at most 1 MiB."""
        left = file.size
        if left > self.header.clusters * self.header.cluster_bytes:
            raise ImageError(f"a file claims {left} bytes, more than its FAT has")
        if not left:
            return
        for offset, count in self._runs(file.number):
            for at in range(offset, offset + count, _CHUNK_BYTES):
                piece = min(_CHUNK_BYTES, offset + count - at, left)
                yield self._stretch.read(at, piece)
                left -= piece
                if not left:
                    return
        raise ImageError("a file ends before its size: the FAT is damaged")

    # Clusters

    def _read_table(self, window: int) -> bytes:
        at = self.header.table_offset + window * _TABLE_WINDOW_BYTES
        return self._stretch.read(at, min(_TABLE_WINDOW_BYTES, self._stretch.size - at))

    def _next(self, cluster: int) -> int:
        """Return what the table has for a cluster; twelve bits may lie across two windows."""
        bits = self.header.bits
        at, raw = cluster * bits // 8, b""
        for byte in range(at, at + (4 if bits == 32 else 2)):
            window, place = divmod(byte, _TABLE_WINDOW_BYTES)
            raw += self._table(window)[place : place + 1]
        number = int.from_bytes(raw, "little")
        if bits == 12:
            return number >> 4 if cluster & 1 else number & 0xFFF
        return number & 0x0FFFFFFF if bits == 32 else number

    def _clusters(self, first: int) -> Iterator[int]:
        """Yield a chain's clusters; raise ``ImageError`` where it leaves the disk or is a circle.

        A circle is found with Brent's method: one cluster is remembered, ever later in the chain.
        """
        end = 0x0FFFFFF8 if self.header.bits == 32 else (1 << self.header.bits) - 8
        cluster, remembered, steps, limit = first, -1, 0, 1
        while True:
            if not 2 <= cluster < self.header.clusters + 2:
                raise ImageError("a chain of clusters leads out of the FAT")
            yield cluster
            if steps == limit:
                remembered, steps, limit = cluster, 0, limit * 2
            cluster = self._next(cluster)
            steps += 1
            if cluster >= end:
                return
            if cluster == remembered:
                raise ImageError("a chain of clusters goes in a circle")

    def _runs(self, first: int) -> Iterator[tuple[int, int]]:
        """Yield where a chain lies: byte and count, clusters side by side as one."""
        size, begin, count = self.header.cluster_bytes, 0, 0
        for cluster in self._clusters(first):
            at = self.header.data_offset + (cluster - 2) * size
            if at == begin + count and count < _CHUNK_BYTES:
                count += size
                continue
            if count:
                yield begin, count
            begin, count = at, size
        if count:
            yield begin, count

    # Folders

    def _folder_blocks(self, number: int) -> Iterator[bytes]:
        header = self.header
        first = number or header.root_cluster
        if not first:
            yield self._stretch.read(header.root_offset, header.root_bytes)
            return
        read = 0
        for cluster in self._clusters(first):
            read += header.cluster_bytes
            if read > _MAX_FOLDER_BYTES:
                raise ImageError(f"its folder {number} has more names than a FAT's may")
            at = header.data_offset + (cluster - 2) * header.cluster_bytes
            yield self._stretch.read(at, header.cluster_bytes)

    def _read_folder(self, number: int) -> Iterator[tuple[bytes, tuple[bytes, Node]]]:
        long_name = _LongName()
        for block in self._folder_blocks(number):
            self._folders.charge(len(block))
            for at in range(0, len(block), ENTRY_BYTES):
                raw = block[at : at + ENTRY_BYTES]
                if not raw[0]:
                    return
                if raw[0] == _DELETED:
                    long_name.forget()
                elif raw[11] & 0x3F == LONG_NAME:
                    long_name.add(raw)
                else:
                    name = long_name.take(raw[:11]) or _short_name(raw)
                    if not raw[11] & VOLUME_ID and raw[:2] not in (b". ", b".."):
                        name = checked_name(name)
                        if _NEVER_IN_NAMES & set(name):
                            raise ImageError("a folder holds a name that a FAT cannot have")
                        yield _alike(name), (name, self._node(raw))

    def _node(self, raw: bytes) -> Node:
        high, low, size = struct.unpack("<H4xHI", raw[20:32])
        cluster = low | (high << 16 if self.header.bits == 32 else 0)
        if raw[11] & _FOLDER:
            if not cluster:
                raise ImageError("a folder has no place: the FAT is damaged")
            return Node(cluster, FileKind.FOLDER)
        return Node(cluster, FileKind.FILE, size)


def _alike(name: bytes) -> bytes:
    """Return a name so that two that a FAT takes for one are equal."""
    return name.decode(errors="surrogateescape").upper().encode(errors="surrogateescape")


def _short_name(raw: bytes) -> bytes:
    """Return the name of an entry of the old kind, eight characters and three."""
    first = b"\xe5" if raw[0] == 0x05 else raw[:1]
    base = (first + raw[1:8]).decode(_CODE_PAGE).rstrip(" ")
    extension = raw[8:11].decode(_CODE_PAGE).rstrip(" ")
    base = base.lower() if raw[12] & _LOWER_BASE else base
    extension = extension.lower() if raw[12] & _LOWER_EXTENSION else extension
    return (f"{base}.{extension}" if extension else base).encode()


class _LongName:
    """A long name in the making: its parts come from the last to the first, before its file."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self._parts: list[bytes] = []
        self._expected = 0
        self._check = -1

    def add(self, raw: bytes) -> None:
        """Take an entry's thirteen characters; what is out of order ends the name."""
        number = raw[0] & 0x1F
        if raw[0] & _LAST_LONG:
            self.forget()
            self._check, self._expected = raw[13], number
        if not number or number != self._expected or raw[13] != self._check:
            self.forget()
            return
        self._expected -= 1
        self._parts.insert(0, raw[1:11] + raw[14:26] + raw[28:32])

    def take(self, short: bytes) -> bytes:
        """Return the name, if it is whole and belongs to this short name; else nothing."""
        whole = self._parts and not self._expected
        raw = b"".join(self._parts) if whole and self._check == _name_check(short) else b""
        self.forget()
        return raw.decode("utf-16-le", errors="replace").partition("\0")[0].encode()


def _name_check(short: bytes) -> int:
    total = 0
    for byte in short:
        total = ((total & 1) << 7 | total >> 1) + byte & 0xFF
    return total
