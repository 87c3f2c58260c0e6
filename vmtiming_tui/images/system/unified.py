"""Unified kernel images: PE programs whose sections are a kernel, an initrd and their facts.

Layout: Microsoft's PE/COFF specification, headers and section table only; names of the sections:
the UAPI group's "Unified Kernel Image" specification.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.files.tree import FileSystem, Node

_MAX_HEAD_BYTES = 64 << 10
_MAX_SECTIONS = 96
_PE_AT = 60
_COFF = struct.Struct("<4sHHIIIHH")
_SECTION = struct.Struct("<8sIIII16x")


@dataclass(frozen=True, slots=True)
class Section:
    """Bytes of a file."""

    offset: int
    size: int


def sections(files: FileSystem, file: Node) -> dict[str, Section]:
    """Return a program's sections by name, the first of each; none where it is no PE program.

    Raises ``ImageError`` where one lies outside of the file.
    """
    head = _head(files, file)
    if not head.startswith(b"MZ") or len(head) < _PE_AT + 4:
        return {}
    at = int.from_bytes(head[_PE_AT : _PE_AT + 4], "little")
    if at + _COFF.size > len(head):
        return {}
    magic, _, count, _, _, _, optional_size, _ = _COFF.unpack_from(head, at)
    at += _COFF.size + optional_size
    if magic != b"PE\0\0" or count > _MAX_SECTIONS or at + count * _SECTION.size > len(head):
        return {}
    found: dict[str, Section] = {}
    for raw, virtual_size, _, raw_size, offset in _SECTION.iter_unpack(
        head[at : at + count * _SECTION.size]
    ):
        # What is in memory may be less than what the file's alignment made of it.
        size = min(virtual_size or raw_size, raw_size)
        if offset + size > file.size:
            raise ImageError("a unified kernel image is cut short")
        found.setdefault(raw.rstrip(b"\0").decode("latin-1"), Section(offset, size))
    return found


def content(files: FileSystem, file: Node, section: Section) -> Iterator[bytes]:
    """Yield a section's bytes."""
    skip, left = section.offset, section.size
    for chunk in files.chunks(file):
        if not left:
            return
        wanted = chunk[skip : skip + left]
        skip -= min(skip, len(chunk))
        left -= len(wanted)
        if wanted:
            yield wanted


def _head(files: FileSystem, file: Node) -> bytes:
    head = b""
    for chunk in files.chunks(file):
        head += chunk
        if len(head) >= _MAX_HEAD_BYTES:
            break
    return head[:_MAX_HEAD_BYTES]
