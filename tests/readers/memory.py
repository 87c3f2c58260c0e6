"""A file system that is no more than a table of names: quick to make, and any name fits."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vmtiming_tui.images.files.tree import FileKind, Node, Tree


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: bytes


@dataclass(frozen=True)
class Hollow:
    """A file that says it has so many bytes, all of them zero."""

    size: int


Content = bytes | Link | Hollow


class Memory:
    """A ``FileSystem`` of these files by path; the folders above them are there, too."""

    def __init__(self, files: Mapping[str | bytes, Content]) -> None:
        self._content: list[Content | dict[bytes, int]] = [{}]
        for path, content in files.items():
            *folders, name = os.fsencode(path).split(b"/")
            self._folder(folders)[name] = self._new(content)

    def _new(self, content: Content | dict[bytes, int]) -> int:
        self._content.append(content)
        return len(self._content) - 1

    def _folder(self, names: list[bytes]) -> dict[bytes, int]:
        folder = self._names(0)
        for name in names:
            if name not in folder:
                folder[name] = self._new({})
            folder = self._names(folder[name])
        return folder

    def _names(self, number: int) -> dict[bytes, int]:
        content = self._content[number]
        assert isinstance(content, dict)
        return content

    def _node(self, number: int) -> Node:
        match self._content[number]:
            case dict():
                return Node(number, FileKind.FOLDER)
            case Link(target):
                return Node(number, FileKind.LINK, len(target))
            case Hollow(size):
                return Node(number, FileKind.FILE, size)
            case content:
                return Node(number, FileKind.FILE, len(content))

    @property
    def root(self) -> Node:
        return self._node(0)

    def entries(self, folder: Node) -> Iterator[tuple[bytes, Node]]:
        for name, number in self._names(folder.number).items():
            yield name, self._node(number)

    def entry(self, folder: Node, name: bytes) -> Node | None:
        number = self._names(folder.number).get(name)
        return None if number is None else self._node(number)

    def target(self, link: Node) -> bytes:
        content = self._content[link.number]
        assert isinstance(content, Link)
        return content.target

    def chunks(self, file: Node) -> Iterator[bytes]:
        content = self._content[file.number]
        if isinstance(content, Hollow):
            for at in range(0, content.size, 1 << 20):
                yield bytes(min(1 << 20, content.size - at))
        else:
            assert isinstance(content, bytes)
            for at in range(0, len(content), 1000):
                yield content[at : at + 1000]


def tree(files: Mapping[str | bytes, Content]) -> Tree:
    """A tree of these files."""
    return Tree(Memory(files), "the disk")
