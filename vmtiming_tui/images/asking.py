"""QEMU's own word on what an image is: qemu-img asked once, in a box, about one open file."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.box import Box, Limits, Wall, best_wall, own_uid
from vmtiming_tui.images.formats import PROBED_BYTES, shown
from vmtiming_tui.images.intake import Told
from vmtiming_tui.images.nbd import served
from vmtiming_tui.images.opening import File
from vmtiming_tui.images.stretch import Piece, Stretch

_LIMIT_S = 20
_LIMITS = Limits(memory_bytes=1 << 30, file_bytes=1 << 20, files=64, cpu_s=10)
_SOCKET = "image"
_MAX_ANSWER_BYTES = 64 << 10
_SECTOR = 512


class QemuImg:
    """Asks qemu-img; it sees the image as a disk behind a socket, and no other file.

    What it says of a raw image holds for every other with the same first bytes, since it looks at
    no others: a thousand copies of a disk are one question.
    """

    def __init__(self) -> None:
        self._wall: Wall | None = None
        self._raw_heads: set[bytes] = set()

    def __call__(self, fd: int, file: File, told: str) -> Told:
        """Return what an open file is; ``told`` is its format where that is settled.

        Raises ``ImageError`` where qemu-img cannot tell.
        """
        head = os.pread(fd, PROBED_BYTES, 0)
        if not told and head in self._raw_heads:
            return _raw(file)
        if shutil.which("qemu-img") is None:
            raise ImageError(
                f"qemu-img is needed to tell what {shown(file.path)!r} is, and is not installed",
                hint="apt-get install qemu-utils, or say it: --format raw",
            )
        try:
            said = self._ask(Stretch((Piece(fd, 0, file.size),)), told)
        except OSError as error:
            raise ImageError(
                f"qemu-img cannot be asked what {shown(file.path)!r} is: {error.strerror}"
            ) from None
        match _answer(said.stdout):
            case {"format": "raw"}:
                self._raw_heads.add(head)
                return _raw(file)
            case {"format": str(form), "virtual-size": int(size)}:
                return Told(form, size)
        last = said.stderr.strip().rpartition(b"\n")[2].decode(errors="replace")
        raise ImageError(
            f"QEMU cannot tell what {shown(file.path)!r} is: "
            f"{shown(last.removeprefix('qemu-img: ')) or 'it does not answer'}",
            hint="say its format, where you know it: --format raw",
        )

    def _ask(self, image: Stretch, told: str) -> "subprocess.CompletedProcess[bytes]":
        server = {"type": "unix", "path": _SOCKET}
        node: dict[str, object] = {"file": {"driver": "nbd", "server": server, "export": ""}}
        if told:
            node["driver"] = told
        self._wall = self._wall or best_wall()
        with _work_folder() as (folder, uid), _server(folder, image):
            box = Box(wall=self._wall, limits=_LIMITS, work_fd=folder, uid=uid)
            question = ["qemu-img", "info", "--output=json", f"json:{json.dumps(node)}"]
            try:
                return subprocess.run(  # noqa: S603  no word of it is the image's
                    box.argv(question), env=box.environment, pass_fds=box.pass_fds, cwd=box.cwd,
                    stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_LIMIT_S,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                return subprocess.CompletedProcess(question, -9, b"", b"it takes too long")


def _raw(file: File) -> Told:
    return Told("raw", -(-file.size // _SECTOR) * _SECTOR)


def _answer(said: bytes) -> object:
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(said[:_MAX_ANSWER_BYTES])
    return None


@contextlib.contextmanager
def _work_folder() -> Iterator[tuple[int, int | None]]:
    """Yield a folder of the box's user, held open, and that user."""
    with own_uid() as uid, tempfile.TemporaryDirectory(prefix="vmtiming-ask-") as path:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        if uid is not None:
            os.fchown(folder, uid, uid)
        try:
            yield folder, uid
        finally:
            os.close(folder)


@contextlib.contextmanager
def _server(folder: int, image: Stretch) -> Iterator[None]:
    """Serve an image in a folder held open, to whoever may enter it."""
    name = f"/proc/self/fd/{folder}/{_SOCKET}"  # short enough for a socket's address
    with served(name, image):
        os.chmod(name, 0o666)  # noqa: PTH101, S103  the folder keeps others out
        yield
