"""Unified kernel images: PE programs whose sections are a kernel, an initrd and their facts.

Layout: Microsoft's PE/COFF specification, headers and section table only; names of the sections,
profiles and addons: the UAPI group's "Unified Kernel Image" specification.
"""

import itertools
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.files.tree import FileKind, FileSystem, Node, Tree

_MAX_HEAD_BYTES = 64 << 10
_MAX_SECTIONS = 255
MAX_PROFILES = 32
_MAX_ADDONS = 64
_MAX_UNAME_BYTES = 256
_PE_AT = 60
_COFF = struct.Struct("<4sHHIIIHH")
_SECTION = struct.Struct("<8sIIII16x")
_PROFILE = ".profile"
_ADDON = ".addon.efi"
_BESIDE = (".cred", ".raw")
_TRIES = re.compile(r"\+[0-9]+(-[0-9]+)?(?=\.[^.]*$)")


@dataclass(frozen=True, slots=True)
class Section:
    """Bytes of a file."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Program:
    """A program in a tree, and its sections by name."""

    files: FileSystem
    node: Node
    sections: dict[str, Section]

    def has(self, name: str) -> bool:
        """Whether it has a section that is not empty."""
        return name in self.sections and self.sections[name].size > 0

    def content(self, name: str) -> Iterator[bytes]:
        """Yield a section's bytes; nothing where it has none."""
        return content(self.files, self.node, self.sections.get(name, Section(0, 0)))

    @property
    def uname(self) -> str:
        """The kernel's version, where it says one."""
        section = self.sections.get(".uname", Section(0, 0))
        raw = b"".join(self.content(".uname")) if section.size <= _MAX_UNAME_BYTES else b""
        return raw.translate(None, b"\0\n").decode(errors="replace")


def profiles(files: FileSystem, file: Node) -> tuple[dict[str, Section], ...]:
    """Return the sections that each profile of a program has; none where it is no PE program.

    The first is what is booted where nobody chooses. Of several sections of one name in a profile
    the first counts. Raises ``ImageError`` where one lies outside of the file.
    """
    found: list[dict[str, Section]] = [{}]
    for name, section in _table(_head(files, file)):
        if section.offset + section.size > file.size:
            raise ImageError("a unified kernel image is cut short")
        if name == _PROFILE:
            found.append({})
        found[-1].setdefault(name, section)
    base, *own = found[: MAX_PROFILES + 1]
    return tuple(base | each for each in own or [{}]) if base or own else ()


def sections(files: FileSystem, file: Node, profile: int = 0) -> dict[str, Section]:
    """Return the sections of one of a program's ``profiles``; none where it has no such."""
    return dict(enumerate(profiles(files, file))).get(profile, {})


def program(tree: Tree, path: str, profile: int = 0) -> Program | None:
    """Return the program at a path; None where there is none. Raises ``ImageError``."""
    found = tree.find(path)
    if found is None or found.node.kind is not FileKind.FILE:
        return None
    parts = sections(tree.files, found.node, profile)
    return Program(tree.files, found.node, parts) if parts else None


def with_addons(tree: Tree, path: str, profile: int = 0) -> Iterator[Program]:
    """Yield a unified kernel image and what is to be added to it, in the order of systemd-stub(7).

    That is what is for all of them, then what is for this one, and nothing that is for another
    kernel or has one itself. Damaged addons are passed over. Raises ``ImageError``.
    """
    kernel = program(tree, path, profile)
    if kernel is None:
        return
    yield kernel
    top, own = _places(path)
    for folder in (f"{top}/loader/addons", own):
        names = (name for name in tree.names(folder) if name.lower().endswith(_ADDON))
        for name in itertools.islice(names, _MAX_ADDONS):
            try:
                addon = program(tree, f"{folder}/{name}")
            except ImageError:
                continue
            fits = addon and addon.uname in ("", kernel.uname or addon.uname)
            if addon and fits and not addon.has(".linux"):
                yield addon


def initrd(tree: Tree, path: str, profile: int = 0) -> list[tuple[Program, str]]:
    """Return the sections that are a unified kernel image's initrd, in the order of a kernel's.

    Microcode comes first, the last addon's before all; what addons bring comes last. Raises
    ``ImageError``.
    """
    programs = list(with_addons(tree, path, profile))
    found = [(each, ".ucode") for each in (*reversed(programs[1:]), *programs[:1])]
    found += [(each, ".initrd") for each in programs]
    return [(each, name) for each, name in found if each.has(name)]


def left_beside(tree: Tree, path: str) -> list[str]:
    """Return the names of what lies beside a unified kernel image that only a UEFI hands over.

    Those are credentials and extensions of the system or its configuration (systemd-stub(7)).
    """
    top, own = _places(path)
    folders = (own, f"{top}/loader/credentials", f"{top}/loader/extensions")
    names = (name for folder in folders for name in tree.names(folder))
    return list(itertools.islice((name for name in names if name.endswith(_BESIDE)), _MAX_ADDONS))


def _places(path: str) -> tuple[str, str]:
    """Return the top of what a boot loader sees, and the folder of a program's own additions."""
    place = PurePosixPath(path)
    above = place.parent.parent
    top = above.parent if above.name.lower() == "efi" else place.parent
    return str(top), str(place.with_name(f"{_TRIES.sub('', place.name)}.extra.d"))


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


def _table(head: bytes) -> Iterator[tuple[str, Section]]:
    if not head.startswith(b"MZ") or len(head) < _PE_AT + 4:
        return
    at = int.from_bytes(head[_PE_AT : _PE_AT + 4], "little")
    if at + _COFF.size > len(head):
        return
    magic, _, count, _, _, _, optional_size, _ = _COFF.unpack_from(head, at)
    at += _COFF.size + optional_size
    if magic != b"PE\0\0" or count > _MAX_SECTIONS or at + count * _SECTION.size > len(head):
        return
    for raw, virtual_size, _, raw_size, offset in _SECTION.iter_unpack(
        head[at : at + count * _SECTION.size]
    ):
        # What is in memory may be less than what the file's alignment made of it.
        size = min(virtual_size or raw_size, raw_size)
        yield raw.rstrip(b"\0").decode("latin-1"), Section(offset, size)


def _head(files: FileSystem, file: Node) -> bytes:
    head = b""
    for chunk in files.chunks(file):
        head += chunk
        if len(head) >= _MAX_HEAD_BYTES:
            break
    return head[:_MAX_HEAD_BYTES]
