"""A VM's disks as QEMU is given them: files by descriptor, and a node for each by name and format.

QEMU opens no disk by its name. Each file is opened here, is looked at again, and goes to QEMU as a
descriptor in an fd set of its own (-add-fd); ``/dev/fdset/N`` stands for it in the nodes.
"""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from vmtiming_tui.engine.qemu.option_words import option
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.gate.nodes import Node, apart, block_node
from vmtiming_tui.images.gate.permission import Image, Layer
from vmtiming_tui.images.gate.qcow2 import write_empty
from vmtiming_tui.images.guard.opening import File, open_file

FIRST_FD = 6
_SETS = "/dev/fdset/"


class GivenFiles:
    """Files for one QEMU, each under the number it shall have there; closed on leaving.

    ``names`` tells which file a name that QEMU has for a descriptor stands for.
    """

    def __init__(self) -> None:
        self._fds: list[int] = []
        self.words: list[str] = []
        self.names: dict[str, str] = {}

    def __enter__(self) -> "GivenFiles":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for fd in self._fds:
            os.close(fd)

    @property
    def fds(self) -> list[tuple[int, tuple[int]]]:
        """Our descriptors, and the number of each in QEMU."""
        return [(fd, (FIRST_FD + place,)) for place, fd in enumerate(self._fds)]

    def give(self, fd: int, name: str, *, writable: bool) -> str:
        """Take over an open descriptor; return the name QEMU opens it by.

        ``name`` is for people: it stands in QEMU's command.
        """
        self._fds.append(fd)
        number = len(self._fds)
        opaque = f"{'rdwr' if writable else 'rdonly'}:{name}"
        self.words += ["-add-fd", option(fd=FIRST_FD + number - 1, set=number, opaque=opaque)]
        self.names[f"{_SETS}{number}"] = name
        return f"{_SETS}{number}"

    def plain(self, path: str) -> str:
        """Open a file that QEMU may read, and not reach; return the name it finds it by.

        Raises ``ImageError`` where it is no regular file, and ``OSError``.
        """
        _, fd = open_file(path)
        self._fds.append(fd)
        name = f"/proc/self/fd/{FIRST_FD + len(self._fds) - 1}"
        self.names[name] = path
        return name

    def file(self, file: File, writable: bool) -> Node:
        """Open a file that was let in; return how QEMU reaches it.

        Raises ``ImageError`` where another has taken its place, and ``OSError``.
        """
        flags = os.O_RDWR if writable else os.O_RDONLY
        found, fd = open_file(file.path, allow_device=file.is_device, flags=flags)
        name = self.give(fd, file.path, writable=writable)
        if (found.device, found.inode) != (file.device, file.inode):
            raise ImageError(f"{file.path!r} was replaced while the run began", hint="run it again")
        return {
            "driver": "host_device" if file.is_device else "file",
            "filename": name,
            "read-only": not writable,
        }

    def scratch(self, virtual_bytes: int, below: Sequence[Layer], name: str) -> Node:
        """Return a node that takes what a guest writes, and is gone with its QEMU.

        It lies without a name in TMPDIR or /var/tmp, as QEMU's own would. Raises as ``file``.
        """
        folder = scratch_folder()
        try:
            fd = _unnamed_file(folder)
            filename = self.give(fd, "what this VM writes", writable=True)
            write_empty(fd, virtual_bytes)
        except OSError as error:
            raise ImageError(
                f"what the guest writes cannot be kept in {str(folder)!r}: {error.strerror}",
                hint="free some space there, or set TMPDIR to another folder",
            ) from None
        # As QEMU's own temporary snapshots: nothing of it needs to outlive a crash.
        cache = {"direct": False, "no-flush": True}
        return {
            "node-name": name,
            "driver": "qcow2",
            "cache": cache,
            "file": {
                "node-name": f"{name}-file",
                "driver": "file",
                "filename": filename,
                "cache": cache,
            },
            "backing": block_node(below, self.file, name=f"{name}-image", writable=False),
        }


def scratch_folder() -> Path:
    """Return where what guests write lies, as QEMU's own temporary snapshots would."""
    return Path(os.environ.get("TMPDIR") or "/var/tmp")  # noqa: S108  in files without a name


def lies_in_memory(folder: Path) -> bool:
    """Whether what is written to a folder's disk is kept in the host's memory (proc(5), mounts)."""
    real, best, kind = os.path.realpath(folder), "", ""
    for line in Path("/proc/self/mounts").read_text(errors="replace").splitlines():
        _, place, its_kind, *_ = line.split(" ")
        inside = real == place or real.startswith(place.rstrip("/") + "/")
        if inside and len(place) >= len(best):
            best, kind = place, its_kind
    return kind in ("tmpfs", "ramfs")


def _unnamed_file(folder: Path) -> int:
    flags = os.O_RDWR | os.O_CLOEXEC
    try:
        return os.open(folder, flags | os.O_TMPFILE, 0o600)
    except OSError:  # some file systems have none
        fd, name = tempfile.mkstemp(prefix="vmtiming-", dir=folder)
        Path(name).unlink()
        return fd


def _words(node: Node) -> list[str]:
    lone = (json.dumps(each, separators=(",", ":")) for each in apart(node))
    return [word for text in lone for word in ("-blockdev", text)]


def root_words(image: Image, given: GivenFiles, *, persist: bool) -> list[str]:
    """Return the words for a VM's disk, the node ``root``; raises ``ImageError``, ``OSError``."""
    if persist:
        node = block_node(image.layers, given.file, name="root", writable=True)
    else:
        node = given.scratch(image.virtual_bytes, image.layers, "root")
    return _words(node)


def flash_words(code: str, variables: str, given: GivenFiles) -> list[str]:
    """Return the words for UEFI in flash; raises ``ImageError`` and ``OSError``.

    What a guest changes of the variables is its own, and gone with its QEMU.
    """
    nodes: list[Node] = []
    for name, path in (("flash0", code), ("flash1", variables)):
        file, fd = open_file(path)
        os.close(fd)
        layer = Layer(file=file, format="raw")
        if name == "flash0":
            nodes.append(block_node([layer], given.file, name=name, writable=False))
        else:
            nodes.append(given.scratch(file.size, [layer], name))
    words = [word for node in nodes for word in _words(node)]
    return [*words, "-machine", option(pflash0="flash0", pflash1="flash1")]
