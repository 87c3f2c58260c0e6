"""Files by their paths, as the system on the image would see them, and never outside of it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from vmtiming_tui.errors import ImageError

MAX_TEXT_BYTES = 1 << 20
_MAX_LINKS = 40
_MAX_PARTS = 256
_MAX_PATH_BYTES = 4096


class FileKind(StrEnum):
    """What a name stands for; ``OTHER`` is a device, a pipe or a socket."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Node:
    """A file of a file system: its number there (an inode), and its size in bytes."""

    number: int
    kind: FileKind
    size: int = 0


class FileSystem(Protocol):
    """What a reader of one kind of file system can do.

    All raise ``ImageError`` for what is damaged, and none reads or yields without a bound. Names
    are bytes as they stand there, without ``.`` and ``..``, never empty, without ``/`` and zero.
    """

    @property
    def root(self) -> Node:
        """The top folder."""

    def entries(self, folder: Node) -> Iterator[tuple[bytes, Node]]:
        """Yield what is in a folder."""

    def entry(self, folder: Node, name: bytes) -> Node | None:
        """Return what has this name in a folder, if anything has."""

    def target(self, link: Node) -> bytes:
        """Return where a link leads."""

    def chunks(self, file: Node) -> Iterator[bytes]:
        """Yield a file's content, ``size`` bytes in all, in pieces of at most 1 MiB."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where a path leads without its links (no leading slash; the top is empty), and to what."""

    path: str
    node: Node


class Tree:
    """A file system's files by path; ``label`` names it to a person."""

    def __init__(self, files: FileSystem, label: str = "") -> None:
        self.files = files
        self.label = label

    def find(self, path: str, *, follow: bool = True) -> Found | None:
        """Return what a path leads to, links followed inside the tree; None where nothing is.

        Without ``follow`` a link at the path's own end is returned itself.
        """
        parts = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        walked: list[tuple[str, Node]] = []
        links = 0
        while parts:
            if len(parts) + len(walked) > _MAX_PARTS:
                return None
            part = parts.pop()
            if part == "..":
                walked = walked[:-1]
                continue
            folder = walked[-1][1] if walked else self.files.root
            if folder.kind is not FileKind.FOLDER:
                return None
            node = self.files.entry(folder, os.fsencode(part))
            if node is None:
                return None
            if node.kind is FileKind.LINK and (parts or follow):
                links += 1
                target = os.fsdecode(self.files.target(node)) if node.size else ""
                if links > _MAX_LINKS or not 0 < len(target) <= _MAX_PATH_BYTES:
                    return None
                if target.startswith("/"):
                    walked = []
                parts += [word for word in reversed(target.split("/")) if word not in ("", ".")]
            else:
                walked.append((part, node))
        node = walked[-1][1] if walked else self.files.root
        return Found("/".join(part for part, _ in walked), node)

    def has(self, path: str) -> bool:
        """Whether a path leads to anything."""
        return self.find(path) is not None

    def names(self, path: str) -> list[str]:
        """Return the names in a folder, sorted; none where it is not there."""
        found = self.find(path)
        if found is None or found.node.kind is not FileKind.FOLDER:
            return []
        return sorted(os.fsdecode(name) for name, _ in self.files.entries(found.node))

    def read(self, path: str, limit: int) -> bytes | None:
        """Return a file's content; None where there is no such file.

        Raises ``ImageError`` where it is larger than ``limit`` bytes.
        """
        found = self.find(path)
        if found is None or found.node.kind is not FileKind.FILE:
            return None
        if found.node.size > limit:
            raise ImageError(f"/{found.path} is larger ({found.node.size} bytes) than it ever may")
        return b"".join(self.files.chunks(found.node))

    def text(self, path: str) -> str:
        """Return a small file as text, zero bytes left out; empty where there is none."""
        content = self.read(path, MAX_TEXT_BYTES) or b""
        return content.replace(b"\0", b"").decode(errors="surrogateescape")

    def copy(self, path: str, target: int, limit: int) -> bool:
        """Write a file to an open descriptor; return whether there is one.

        Raises ``ImageError`` where it is larger than ``limit`` bytes, and ``OSError``.
        """
        found = self.find(path)
        if found is None or found.node.kind is not FileKind.FILE:
            return False
        if found.node.size > limit:
            raise ImageError(f"/{found.path} is larger ({found.node.size} bytes) than it ever may")
        with os.fdopen(os.dup(target), "wb") as file:
            for chunk in self.files.chunks(found.node):
                file.write(chunk)
        return True
