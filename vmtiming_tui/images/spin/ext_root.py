"""An ext4 that is written to by debugfs, so without a mount.

No word of the image is in what debugfs is told: folders of the image's own are entered by their
inode's number, which our own reader found, and every name is one of ours. What was written is read
back by our own reader.
"""

from collections.abc import Sequence
from pathlib import Path

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Piece, Stretch
from vmtiming_tui.images.files.ext import Ext
from vmtiming_tui.images.files.tree import FileKind, Found, Tree
from vmtiming_tui.images.guard.tools import run
from vmtiming_tui.images.reader.kernel_reader import no_folder
from vmtiming_tui.images.spin import rootfs
from vmtiming_tui.images.spin.install_service import UNIT_LABEL

_LABEL = "security.selinux"
_SCRIPT, _CONTENT, _LABEL_FILE = "debugfs.script", "debugfs.content", "debugfs.label"


class ExtRoot:
    """An ext4 image in the work folder that is written to; ``fd`` is open for reading it."""

    def __init__(self, image: Path, fd: int) -> None:
        self._image = image
        self._fd = fd
        self.tree = self._read()
        self._labelled = False

    def _read(self) -> Tree:
        """Return a reader that has seen nothing yet: what it remembers is of before a change."""
        size = self._image.stat().st_size
        return Tree(Ext(Stretch([Piece(self._fd, 0, size)])))

    def put_file(self, path: str, content: bytes, mode: int, label: str) -> None:
        """Write a file of root's, in the place of what has its name.

        SELinux's labels are set as the policy names them, which spares the guest a relabelling.
        """
        name = path.rpartition("/")[2]
        (self._image.parent / _CONTENT).write_bytes(content)
        self._put(
            path,
            [
                f"write {_CONTENT} {name}",
                f"sif {name} mode 0100{mode:o}",
                f"sif {name} uid 0",
                f"sif {name} gid 0",
            ],
            label,
        )
        if not self._holds(path, content):
            raise ImageError(
                f"/{path} could not be written into the new root (no room? a larger --size helps)"
            )

    def _holds(self, path: str, content: bytes) -> bool:
        written = self.tree.find(path, follow=False)
        if written is None or written.node.kind is not FileKind.FILE:
            return False
        return written.node.size == len(content) and content == b"".join(
            self.tree.files.chunks(written.node)
        )

    def put_link(self, path: str, target: str) -> None:
        """Write a link."""
        name = path.rpartition("/")[2]
        self._put(path, [f"symlink {name} {target}"], UNIT_LABEL)
        written = self.tree.find(path, follow=False)
        if (
            written is None
            or written.node.kind is not FileKind.LINK
            or self.tree.files.target(written.node) != target.encode()
        ):
            raise ImageError(f"/{path} could not be written into the new root")

    def _put(self, path: str, making: Sequence[str], label: str) -> None:
        folder, _, name = path.rpartition("/")
        above, missing = self._deepest(folder)
        commands = [f"cd <{above.node.number}>"]
        for part in missing:
            commands += [f"mkdir {part}", *self._labelling(part, UNIT_LABEL), f"cd {part}"]
        if not missing and self.tree.find(path, follow=False):
            commands.append(f"rm {name}")
        self._command([*commands, *making, *self._labelling(name, label)])
        self.tree = self._read()

    def _deepest(self, folder: str) -> tuple[Found, list[str]]:
        """Return the folder that is there, and the names of those to be made in it.

        Raises ``ImageError`` where something else has such a name.
        """
        parts = folder.split("/")
        missing: list[str] = []
        while True:
            if found := self.tree.find("/".join(parts)):
                break
            missing.insert(0, parts.pop())
        there = "/".join((*parts, *missing[:1]))
        if found.node.kind is not FileKind.FOLDER or (
            missing and self.tree.find(there, follow=False)
        ):
            raise ImageError(no_folder(folder))
        return found, missing

    def _labelling(self, name: str, label: str) -> list[str]:
        if not self._labelled:
            return []
        file = f"{_LABEL_FILE}.{label}"
        (self._image.parent / file).write_bytes(f"system_u:object_r:{label}:s0\0".encode())
        return [f"ea_set -f {file} {name} {_LABEL}"]

    def _command(self, commands: Sequence[str]) -> None:
        script = self._image.parent / _SCRIPT
        script.write_text("".join(f"{command}\n" for command in commands))
        done = run(["debugfs", "-w", "-f", _SCRIPT, self._image.name], self._image.parent)
        if done.code:
            raise ImageError(f"debugfs cannot write into the new root: {done.last_word}")

    def has_labels(self) -> bool:
        """Whether its files have SELinux's labels."""
        etc = self.tree.find("etc")
        if etc is None:
            return False
        asked = f"ea_get <{etc.node.number}> {_LABEL}"
        done = run(["debugfs", "-R", asked, self._image.name], self._image.parent)
        return b"object_r" in done.said

    def set_labels(self) -> None:
        """Give what is written from here on SELinux's labels."""
        self._labelled = True

    def finish(self) -> None:
        """Have it checked; raise ``ImageError``."""
        files = self._read().files
        assert isinstance(files, Ext)  # noqa: S101  it is one
        rootfs.check(self._image, files, rootfs.NEW_ROOT)
