"""Opening images for the readers, and whole trees to compare."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from support.disk_images import sh
from vmtiming_tui.images.byte_range import Piece, Stretch
from vmtiming_tui.images.disk.volumes import Volume, find_volumes, open_files
from vmtiming_tui.images.files.tree import FileKind, FileSystem, Node

Content = tuple[FileKind, bytes]


@contextlib.contextmanager
def opened(image: Path) -> Iterator[Stretch]:
    """An image's bytes, for as long as the block lasts."""
    fd = os.open(image, os.O_RDONLY)
    try:
        yield Stretch([Piece(fd, 0, os.fstat(fd).st_size)])
    finally:
        os.close(fd)


@contextlib.contextmanager
def files_of(image: Path) -> Iterator[FileSystem]:
    """The files of an image that is one file system."""
    with opened(image) as stretch:
        files = open_files(find_volumes(stretch, print)[0])
        assert files is not None
        yield files


def volumes_of(image: Path) -> tuple[list[Volume], list[str]]:
    """The volumes found, and what was said; their files cannot be read any more."""
    said: list[str] = []
    with opened(image) as stretch:
        return find_volumes(stretch, said.append), said


def walked(files: FileSystem) -> dict[bytes, Content]:
    """Everything a reader finds, by path: what it is, and a file's bytes or a link's target."""
    found: dict[bytes, Content] = {}
    pending: list[tuple[bytes, Node]] = [(b"", files.root)]
    while pending:
        path, folder = pending.pop()
        for name, node in files.entries(folder):
            inside = path + b"/" + name
            content = b""
            if node.kind is FileKind.FOLDER:
                pending.append((inside, node))
            elif node.kind is FileKind.FILE:
                content = b"".join(files.chunks(node))
                assert len(content) == node.size
            elif node.kind is FileKind.LINK:
                content = files.target(node)
            found[inside] = (node.kind, content)
    found.pop(b"/lost+found", None)
    return found


def on_host(tree: Path) -> dict[bytes, Content]:
    """The same of a folder of the host."""
    found: dict[bytes, Content] = {}
    for path in tree.rglob("*"):
        if path.is_symlink():
            content = (FileKind.LINK, os.fsencode(path.readlink()))
        elif path.is_dir():
            content = (FileKind.FOLDER, b"")
        elif path.is_file():
            content = (FileKind.FILE, path.read_bytes())
        else:
            content = (FileKind.OTHER, b"")
        found[b"/" + os.fsencode(path.relative_to(tree))] = content
    return found


def blkid(image: Path, key: str) -> str:
    """What blkid says of an image; empty where nothing."""
    words = ("blkid", "--probe", "--match-tag", key, "--output", "value", image)
    return sh("sh", "-c", '"$@" || true', "sh", *words).strip()
