"""A root whose file system stays what it is: written to by the kernel that reads it."""

from dataclasses import replace
from pathlib import Path

from vmtiming_tui.images.files.tree import Tree
from vmtiming_tui.images.reader.kernel_reader import Excerpt, KernelReader, Mount, Writing
from vmtiming_tui.images.spin.install_service import UNIT_LABEL
from vmtiming_tui.images.spin.root_words import subvolume_option


class KeptRoot:
    """The image of a volume as it was, its files by their excerpt; all is written in one go."""

    def __init__(self, image: Path, tree: Tree, excerpt: Excerpt, reader: KernelReader) -> None:
        self.tree = tree
        self._image, self._excerpt, self._reader = image, excerpt, reader
        self._writings: list[Writing] = []
        self._labelled = False

    def put_file(self, path: str, content: bytes, mode: int, label: str) -> None:
        """Have a file written in the end."""
        self._put(Writing(path=path, content=content, mode=mode, label=label))

    def put_link(self, path: str, target: str) -> None:
        """Have a link written in the end."""
        self._put(Writing(path=path, content=target.encode(), label=UNIT_LABEL))

    def _put(self, writing: Writing) -> None:
        self._writings.append(writing if self._labelled else replace(writing, label=""))

    def has_labels(self) -> bool:
        """Whether its files have SELinux's labels."""
        return self._excerpt.labelled

    def set_labels(self) -> None:
        """Give what is written from here on SELinux's labels."""
        self._labelled = True

    def finish(self) -> None:
        """Have it written; raise ``ImageError``."""
        option = subvolume_option(self._excerpt.subvolume)
        where = Mount(self._excerpt.volume, "/", option)
        self._reader.write(where, self._image, self._writings)
