"""Read all that our readers find in images, with little memory and time.

    python -m hostile.read_all IMAGE...

Prints what was found, a line of JSON an image; an error that is not ours ends it with a traceback.
"""

import json
import os
import resource
import sys
from collections.abc import Iterator
from typing import Any

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Piece, Stretch
from vmtiming_tui.images.disk.volumes import find_volumes, open_files
from vmtiming_tui.images.files.tree import FileKind, FileSystem, Node, Tree

MEMORY_BYTES = 400 << 20
CPU_S = 40
MAX_VISITS = 3000
MAX_FILE_BYTES = 8 << 20
PATHS = ("etc/os-release", "etc/fstab", "boot", "loop", "deep", "huge", "EFI/BOOT/BOOTX64.EFI")


def visits(files: FileSystem) -> Iterator[tuple[bytes, Node]]:
    """Yield what is in the tree, folder after folder, until it is enough."""
    pending, count = [(b"", files.root)], 0
    while pending and count < MAX_VISITS:
        path, folder = pending.pop(0)
        for name, node in files.entries(folder):
            count += 1
            yield path + b"/" + name, node
            if node.kind is FileKind.FOLDER:
                pending.append((path + b"/" + name, node))


def read_files(files: FileSystem) -> tuple[int, list[str]]:
    """Read everything once, and some paths; return how many names, and the complaints."""
    tree, found, complaints = Tree(files), 0, []

    def attempt(action: Any, *given: Any) -> None:
        try:
            action(*given)
        except ImageError as error:
            complaints.append(error.message)

    def content(node: Node) -> None:
        if node.kind is FileKind.FOLDER:
            list(files.entries(node))
        elif node.kind is FileKind.LINK:
            files.target(node)
        elif node.kind is FileKind.FILE and node.size <= MAX_FILE_BYTES:
            assert sum(map(len, files.chunks(node))) == node.size

    for path in PATHS:
        attempt(tree.text, path)
        attempt(tree.names, path)
        attempt(tree.find, path)
    try:
        for path, node in visits(files):
            name = path.rpartition(b"/")[2]
            assert name not in (b"", b".", b"..")
            assert b"\0" not in name
            found += 1
            attempt(content, node)
    except ImageError as error:
        complaints.append(error.message)
    return found, complaints


def read_image(path: str) -> dict[str, Any]:
    """Return what is in one image, or why it was refused."""
    fd = os.open(path, os.O_RDONLY)
    told: dict[str, Any] = {"refused": "", "said": [], "volumes": [], "names": 0, "complaints": []}
    try:
        image = Stretch([Piece(fd, 0, os.fstat(fd).st_size)])
        volumes = find_volumes(image, told["said"].append)
    except ImageError as error:
        told["refused"] = error.message
        volumes = []
    for volume in volumes:
        told["volumes"].append([volume.name, volume.type, volume.uuid, volume.label])
        try:
            files = open_files(volume)
        except ImageError as error:
            told["complaints"].append(error.message)
            continue
        if files is not None:
            names, complaints = read_files(files)
            told["names"] += names
            told["complaints"] += complaints
    return told


def main() -> None:
    """Be the command."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    for path in sys.argv[1:]:
        print(json.dumps(read_image(path)))


if __name__ == "__main__":
    main()
