"""File systems put together as their system sees them: one below another, a folder as the top."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from vmtiming_tui.images.files.tree import FileSystem, Found, Node, Tree


class Rebased:
    """The files below one folder of a file system, which is their top."""

    def __init__(self, files: FileSystem, top: Node) -> None:
        self._files = files
        self.root = top

    def entries(self, folder: Node) -> Iterator[tuple[bytes, Node]]:
        """Yield what is in a folder."""
        return self._files.entries(folder)

    def entry(self, folder: Node, name: bytes) -> Node | None:
        """Return what has this name in a folder, if anything has."""
        return self._files.entry(folder, name)

    def target(self, link: Node) -> bytes:
        """Return where a link leads."""
        return self._files.target(link)

    def chunks(self, file: Node) -> Iterator[bytes]:
        """Yield a file's content."""
        return self._files.chunks(file)


class Joined:
    """A file system with others in the place of folders at its top.

    A file's number says which of them it is in, so that no two files have one number.
    """

    def __init__(self, top: FileSystem, below: Mapping[bytes, FileSystem]) -> None:
        self._all = (top, *below.values())
        self._places = {name: place for place, name in enumerate(below, 1)}
        self.root = self._numbered(top.root, 0)

    def _numbered(self, node: Node, place: int) -> Node:
        return replace(node, number=node.number * len(self._all) + place)

    def _owner(self, node: Node) -> tuple[FileSystem, Node, int]:
        number, place = divmod(node.number, len(self._all))
        return self._all[place], replace(node, number=number), place

    def entries(self, folder: Node) -> Iterator[tuple[bytes, Node]]:
        """Yield what is in a folder."""
        files, own, place = self._owner(folder)
        at_top = folder == self.root
        for name, node in files.entries(own):
            if not (at_top and name in self._places):
                yield name, self._numbered(node, place)
        if at_top:
            for name, below in self._places.items():
                yield name, self._numbered(self._all[below].root, below)

    def entry(self, folder: Node, name: bytes) -> Node | None:
        """Return what has this name in a folder, if anything has."""
        if folder == self.root and (below := self._places.get(name)):
            return self._numbered(self._all[below].root, below)
        files, own, place = self._owner(folder)
        node = files.entry(own, name)
        return node and self._numbered(node, place)

    def target(self, link: Node) -> bytes:
        """Return where a link leads."""
        files, own, _ = self._owner(link)
        return files.target(own)

    def chunks(self, file: Node) -> Iterator[bytes]:
        """Yield a file's content."""
        files, own, _ = self._owner(file)
        return files.chunks(own)


def below(tree: Tree, folder: Found) -> Tree:
    """Return the tree that has a folder of another's at its top."""
    return Tree(Rebased(tree.files, folder.node), tree.label)


def with_usr(root: Tree, usr: Tree) -> Tree:
    """Return a root's tree with the ``/usr`` that is elsewhere in its place."""
    return Tree(Joined(root.files, {b"usr": usr.files}), root.label)
