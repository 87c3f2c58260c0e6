"""A few open files as a file system of their own: what a person gave beside the image."""

from collections.abc import Iterator, Mapping

from vmtiming_tui.images.byte_range import Stretch
from vmtiming_tui.images.files.tree import FileKind, Node

_CHUNK_BYTES = 1 << 20


class GivenFiles:
    """A ``FileSystem`` with one folder, of files by name."""

    def __init__(self, files: Mapping[str, Stretch]) -> None:
        self._names = {name.encode(): number for number, name in enumerate(files, 1)}
        self._stretches = tuple(files.values())

    @property
    def root(self) -> Node:
        """The only folder."""
        return Node(0, FileKind.FOLDER)

    def _node(self, number: int) -> Node:
        return Node(number, FileKind.FILE, self._stretches[number - 1].size)

    def entries(self, folder: Node) -> Iterator[tuple[bytes, Node]]:
        """Yield the files."""
        for name, number in self._names.items():
            yield name, self._node(number)

    def entry(self, folder: Node, name: bytes) -> Node | None:
        """Return the file of this name, if there is one."""
        number = self._names.get(name)
        return None if number is None else self._node(number)

    def target(self, link: Node) -> bytes:
        """Return nothing: there is no link among them."""
        return b""

    def chunks(self, file: Node) -> Iterator[bytes]:
        """Yield a file's content."""
        stretch = self._stretches[file.number - 1]
        for at in range(0, stretch.size, _CHUNK_BYTES):
            yield stretch.read(at, min(_CHUNK_BYTES, stretch.size - at))
