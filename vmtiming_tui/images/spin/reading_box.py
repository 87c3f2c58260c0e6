"""The box that reads an image: started, listened to, and ended with all that runs in it."""

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vmtiming_tui.errors import AsItIsError, ImageError
from vmtiming_tui.escape import printable
from vmtiming_tui.images.gate.permission import Taken
from vmtiming_tui.images.guard.box import Box, BoxLimits, Wall, end_all_of, python_files
from vmtiming_tui.images.guard.channel import Channel
from vmtiming_tui.images.guard.ending import Signals
from vmtiming_tui.images.guard.isolated import PACKAGE, isolated
from vmtiming_tui.images.guard.opening import File
from vmtiming_tui.images.guard.out_folder import WorkFolder
from vmtiming_tui.images.reader.host_kernel import HostKernel
from vmtiming_tui.images.reader.mount_server import MountServer

_LIMITS = BoxLimits(
    memory_bytes=6 << 30, file_bytes=20 << 40, processes=128, files=512, cpu_s=12 * 3600
)
_LEAST_TIME_S = 3600
_SLOWEST_BYTES_S = 1 << 20
_UNREADABLE = ("Permission denied", "No module named", "No such file")
_KEPT_BYTES = 64 << 10
_END_LIMIT_S = 30
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxedReading:
    """What the box is built of, and what it is told.

    ``own`` are the user's own kernel and initrd: descriptor and size in bytes by name.
    """

    wall: Wall
    uid: int | None
    work: WorkFolder
    taken: Taken
    order: Mapping[str, object]
    kernels: tuple[HostKernel, ...]
    mounts: MountServer | None = None
    own: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def box(self) -> Box:
        """Return the box itself."""
        given = (*self.taken.fds.values(), *(kernel.fd for kernel in self.kernels),
                 *(fd for fd, _ in self.own.values()))  # fmt: skip
        return Box(
            wall=self.wall, uid=self.uid, limits=_LIMITS, work_fd=self.work.fd, given=given,
            readable=python_files(PACKAGE),
        )  # fmt: skip

    def message(self, box: Box) -> dict[str, object]:
        """Return the order as the inside reads it: every file by its word."""

        def word(file: File | None) -> list[object] | None:
            return None if file is None else [box.word(self.taken.fds[file]), file.size]

        layers = [
            {"format": layer.format, "file": word(layer.file), "data": word(layer.data),
             "content_ids": layer.content_ids,
             "parts": [[word(part.file), part.offset, part.size, part.is_sparse]
                       for part in layer.parts]}
            for layer in self.taken.image.layers
        ]  # fmt: skip
        kernels = [[kernel.version, box.word(kernel.fd)] for kernel in self.kernels]
        return {
            **self.order, "layers": layers, "virtual_bytes": self.taken.image.virtual_bytes,
            "kernels": kernels, "mount": self.mounts is not None,
            "own": {name: [box.word(fd), size] for name, (fd, size) in self.own.items()},
        }  # fmt: skip

    @property
    def limit_s(self) -> float:
        """How long it may take: an hour, and a second for each MiB."""
        return _LEAST_TIME_S + self.taken.image.virtual_bytes / _SLOWEST_BYTES_S


def read_in_box(
    what: BoxedReading, signals: Signals, say: Callable[[str], None]
) -> Mapping[str, Any]:
    """Have the image read inside, and return what was made of it.

    Nothing of the box is left at the end, however it ends. Raises ``ImageError`` with what the
    inside complains of, or where it takes too long, and ``Ended``.
    """
    box = what.box()
    ours, theirs = socket.socketpair()
    errors, errors_inside = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    with contextlib.ExitStack() as held:
        held.callback(os.close, errors)
        held.enter_context(ours)
        with theirs:
            command = isolated("spin.inside", str(theirs.fileno()))
            os.set_blocking(errors_inside, True)
            try:
                child = subprocess.Popen(  # noqa: S603  no word of it is the image's
                    box.argv(command), env=box.environment, cwd=box.cwd,
                    pass_fds=(*box.pass_fds, theirs.fileno()), stdin=subprocess.DEVNULL,
                    stdout=errors_inside, stderr=errors_inside, start_new_session=True,
                )  # fmt: skip
            finally:
                os.close(errors_inside)
        held.callback(_end, child, what)
        return _listen(_Talk(Channel(ours), errors, say, what), box, signals)


def _end(child: "subprocess.Popen[bytes]", what: BoxedReading) -> None:
    """End all that runs in the box, and return when nothing of it can write any more.

    The first process of a process namespace is gone only when all others in it are, and whoever
    made the namespace waits for it.
    """
    if what.wall is Wall.LIMITS:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)  # it leads a session of its own
        child.wait()
        if what.uid is not None:
            end_all_of(what.uid)
        return
    deadline = time.monotonic() + _END_LIMIT_S
    while time.monotonic() < deadline:
        for pid in _children(child.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_LOOK_S)
            return
    child.kill()
    child.wait()


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


@dataclass
class _Talk:
    channel: Channel
    errors: int
    say: Callable[[str], None]
    what: BoxedReading
    last_words: bytes = b""
    made: Mapping[str, Any] | None = None

    def hear(self) -> bool:
        """Take in what has come by the channel; return whether it goes on."""
        messages = self.channel.received()
        if messages is None:
            line = self._last_line()
            raise ImageError(f"what reads the image in its box failed: {line}", hint=_hint(line))
        for message in messages:
            match message:
                case {"say": str(text)}:
                    self.say(text)
                case {"progress": int(percent)}:
                    _show_progress(percent)
                case {"mount": str()} if self.what.mounts is not None:
                    self.what.mounts.serve(self.channel, message)
                case {
                    "failed": str(text), "hint": str(hint),
                    "as_it_is": {"systemd": int(version), "untouched": bool(untouched)},
                }:  # fmt: skip
                    raise AsItIsError(text, hint=hint, systemd=version, untouched=untouched)
                case {"failed": str(text), "hint": str(hint)}:
                    raise ImageError(text, hint=hint)
                case {"made": dict(made)}:
                    self.made = made
                    return False
                case _:
                    raise ImageError("what reads the image in its box says what is no message")
        return True

    def keep_errors(self) -> bool:
        """Keep the last of what the tools inside print; return whether more may come."""
        data = os.read(self.errors, _KEPT_BYTES)
        self.last_words = (self.last_words + data)[-_KEPT_BYTES:]
        return bool(data)

    def _last_line(self) -> str:
        with contextlib.suppress(BlockingIOError):
            while self.keep_errors():
                pass
        lines = [line for line in self.last_words.split(b"\n") if line.strip()]
        return printable(lines[-1][:500]) if lines else "it ended without a word"


def _hint(line: str) -> str:
    """The box's user is nobody, and reads what everybody may."""
    if not any(word in line for word in _UNREADABLE):
        return ""
    return (f"Python and {PACKAGE} must be such that every user may read them "
            f"(chmod -R go+rX); without bubblewrap the folders above, too")  # fmt: skip


def _show_progress(percent: int) -> None:
    if sys.stderr.isatty():
        at_end = not 0 <= percent < 100
        print("\r\033[K" if at_end else f"\r  {percent:3d} %", end="", file=sys.stderr, flush=True)


def _listen(talk: _Talk, box: Box, signals: Signals) -> Mapping[str, Any]:
    deadline = time.monotonic() + talk.what.limit_s
    talk.channel.send(**talk.what.message(box))
    with selectors.DefaultSelector() as selector:
        for source in (talk.channel, talk.errors, signals.fd):
            selector.register(source, selectors.EVENT_READ)
        while True:
            ready = selector.select(max(deadline - time.monotonic(), 0))
            signals.check()
            if not ready:
                raise ImageError(f"reading the image took longer than {talk.what.limit_s:.0f} s")
            for key, _ in ready:
                if key.fileobj is talk.channel:
                    if not talk.hear():
                        return talk.made or {}
                elif key.fileobj == talk.errors and not talk.keep_errors():
                    selector.unregister(talk.errors)
