"""What the menus of boot loaders have in common: what a kernel is told, and by default."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.files.tree import Tree
from vmtiming_tui.images.system.loader.words import Word, split

_MAX_BYTES = 1 << 20
_MAX_VALUE = 8192
_RESCUE = frozenset({"rescue", "recovery", "fallback", "failsafe", "single", "emergency"})
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w{0,63})\}|([A-Za-z_]\w{0,63}))", re.ASCII)
# Stands before the name of a variable whose value only a running loader knows.
UNKNOWN = "\1"


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuEntry:
    """What a menu tells a kernel.

    ``place`` is its file; ``kernel`` and ``initrds`` are paths as they stand there, mostly from the
    top of the file system they are on. ``unknown`` are words that only the running loader could
    complete; ``is_sure`` is false where it alone decides whether they are said at all.
    """

    place: str
    title: str
    kernel: str
    words: tuple[Word, ...]
    unknown: tuple[Word, ...] = ()
    initrds: tuple[str, ...] = ()
    is_default: bool = False
    is_sure: bool = True
    devicetree: str = ""

    @property
    def is_rescue(self) -> bool:
        """Whether it is for repairs, by its title, its kernel's name or its words."""
        names = re.split(r"\W+", f"{self.title} {self.kernel}".lower())
        told = {*names, *(word.text for word in self.words)}
        return not _RESCUE.isdisjoint(told)


@dataclass(frozen=True, slots=True)
class Place:
    """A folder where a loader's files may lie; what cannot be read there is not there."""

    tree: Tree
    folder: str

    def path(self, name: str) -> str:
        """Return a path below it, from the top of its tree."""
        return f"{self.folder}/{name}" if self.folder else name

    def label(self, name: str) -> str:
        """Return what to call a file below it to a person."""
        return f"/{self.path(name)} of {self.tree.label}"

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder below it."""
        try:
            return self.tree.names(self.path(folder))
        except ImageError:
            return []

    def has(self, name: str) -> bool:
        """Whether there is a file or folder of this name."""
        try:
            return self.tree.has(self.path(name))
        except ImageError:
            return False

    def text(self, name: str) -> str:
        """Return a file's text; empty where there is none."""
        try:
            content = self.tree.read(self.path(name), _MAX_BYTES) or b""
        except ImageError:
            return ""
        return content.translate(None, b"\0\1\r").decode(errors="surrogateescape")


def places(root: Tree, others: Sequence[Tree]) -> Iterator[Place]:
    """Yield where loaders' files lie: below some of the root's folders, else below a volume's."""
    for folder in ("boot", "", "boot/efi", "boot/firmware", "efi"):
        yield Place(root, folder)
    for other in others:
        for folder in ("", "boot"):
            yield Place(other, folder)


Words = tuple[Word, ...]


def expanded(text: str, variables: Mapping[str, str]) -> tuple[Words, Words]:
    """Return a line's words with their variables' values, and those that cannot be told.

    A variable that is not there is empty, as to GRUB.
    """
    return marked(
        _VARIABLE.sub(
            lambda found: variables.get(found[1] or found[2], "")[:_MAX_VALUE],
            text.replace(UNKNOWN, ""),
        )
    )


def marked(text: str) -> tuple[Words, Words]:
    """Return a line's words, and those of them that have a variable which is not known."""
    words = split(text)
    known = tuple(word for word in words if UNKNOWN not in word.text)
    unknown = (Word(word.text.replace(UNKNOWN, "")) for word in words if word not in known)
    return known, tuple(unknown)
