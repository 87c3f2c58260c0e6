"""QEMU's own word on what an image is: qemu-img asked once, in a box, about one open file."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Piece, Stretch
from vmtiming_tui.images.disk.boot_sectors import HEAD_BYTES
from vmtiming_tui.images.gate.formats import PROBED_BYTES, format_by_mark
from vmtiming_tui.images.gate.nbd import served
from vmtiming_tui.images.gate.nodes import Node, block_node, last_words, nameless
from vmtiming_tui.images.gate.permission import QemuAnswer, Taken
from vmtiming_tui.images.gate.refusals import quoted
from vmtiming_tui.images.guard.box import Box, BoxLimits, Wall, best_wall, own_uid
from vmtiming_tui.images.guard.opening import File
from vmtiming_tui.images.quoting import shown

_LIMIT_S = 20
_LIMITS = BoxLimits(memory_bytes=1 << 30, file_bytes=1 << 20, files=64, cpu_s=10)
_MAX_ANSWER_BYTES = 64 << 10
_SECTOR = 512
_NO_ANSWER = "it does not answer"


class QemuImg:
    """Asks qemu-img; it sees the image as a disk behind a socket, and no other file.

    What it says of a raw image holds for every other with the same first bytes, since it looks at
    no others: a thousand copies of a disk are one question.
    """

    def __init__(self) -> None:
        self._wall: Wall | None = None
        self._raw_heads: set[bytes] = set()

    def __call__(self, fd: int, file: File, told: str) -> QemuAnswer:
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
            said = self._info(_bytes(fd, file), told)
        except OSError as error:
            raise ImageError(
                f"qemu-img cannot be asked what {shown(file.path)!r} is: {error.strerror}"
            ) from None
        match _answer(said.stdout):
            case {"format": "raw"}:
                self._raw_heads.add(head)
                return _raw(file)
            case {"format": str(form), "virtual-size": int(size)}:
                return QemuAnswer(form, size)
        words = last_words(said.stderr) or _NO_ANSWER
        if form := told or format_by_mark(head):
            raise ImageError(
                f"QEMU cannot read {shown(file.path)!r}, which is to be a {form}: {words}",
                hint="get it again, whole, or in another format; where it was not closed properly: "
                f"qemu-img check -r all {quoted(file.path)}",
            )
        raise ImageError(
            f"QEMU cannot tell what {shown(file.path)!r} is: {words}",
            hint="say its format, where you know it: --format raw",
        )

    def head(self, taken: Taken) -> bytes:
        """Return the first bytes of the disk in an image, as a guest would see them.

        Raises ``ImageError`` where qemu-img cannot read them, and ``OSError``.
        """
        top = taken.image.layers[0]
        if top.format == "raw":
            return os.pread(taken.fds[top.file], HEAD_BYTES, 0)
        files = {file: str(number) for number, file in enumerate(taken.image.files)}
        node = block_node(
            taken.image.layers, lambda file, _: _nbd(files[file]), name="image", writable=False
        )
        words = ["dd", "-O", "raw", f"bs={HEAD_BYTES}", "count=1", "of=head"]
        with contextlib.ExitStack() as held:
            stretches = {
                layer.file: held.enter_context(
                    nameless(layer, _bytes(taken.fds[layer.file], layer.file))
                )
                for layer in taken.image.layers
            }
            served = {
                name: stretches.get(file) or _bytes(taken.fds[file], file)
                for file, name in files.items()
            }
            box = held.enter_context(self._box(served))
            said = _run(box, ["qemu-img", *words, f"if=json:{json.dumps(node)}"])
            if said.returncode == 0 and box.work_fd is not None:
                fd = os.open("head", os.O_RDONLY | os.O_NOFOLLOW, dir_fd=box.work_fd)
                with os.fdopen(fd, "rb") as file:
                    return file.read(HEAD_BYTES)
        raise ImageError(
            f"QEMU cannot read {shown(top.file.path)!r}: {last_words(said.stderr) or _NO_ANSWER}",
            hint="choose the firmware yourself: -- -bios FILE",
        )

    def _info(self, image: Stretch, told: str) -> "subprocess.CompletedProcess[bytes]":
        node: Node = {"file": _nbd("0")}
        if told:
            node["driver"] = told
        with self._box({"0": image}) as box:
            return _run(box, ["qemu-img", "info", "--output=json", f"json:{json.dumps(node)}"])

    @contextlib.contextmanager
    def _box(self, images: Mapping[str, Stretch]) -> Iterator[Box]:
        """Yield a box in which these stretches can be reached by sockets of their names."""
        self._wall = self._wall or best_wall()
        with _work_folder() as (folder, uid), contextlib.ExitStack() as serving:
            for name, image in images.items():
                serving.enter_context(_served(folder, name, image))
            yield Box(wall=self._wall, limits=_LIMITS, work_fd=folder, uid=uid)


def _run(box: Box, command: Sequence[str]) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(  # noqa: S603  no word of it is the image's
            box.argv(command), env=box.environment, pass_fds=box.pass_fds, cwd=box.cwd,
            stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_LIMIT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, -9, b"", b"it takes too long")


def _nbd(name: str) -> Node:
    return {"driver": "nbd", "server": {"type": "unix", "path": name}, "export": ""}


def _bytes(fd: int, file: File) -> Stretch:
    return Stretch((Piece(fd, 0, file.size),))


def _raw(file: File) -> QemuAnswer:
    return QemuAnswer("raw", -(-file.size // _SECTOR) * _SECTOR)


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
def _served(folder: int, name: str, image: Stretch) -> Iterator[None]:
    """Serve an image in a folder held open, to whoever may enter it."""
    path = f"/proc/self/fd/{folder}/{name}"  # short enough for a socket's address
    with served(path, image):
        os.chmod(path, 0o666)  # noqa: PTH101, S103  the folder keeps others out
        yield
