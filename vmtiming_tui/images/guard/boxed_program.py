"""A program of ours in a box: started, listened to, and ended with all that runs in it."""

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
from typing import Any, TypeAlias

from vmtiming_tui.errors import AsItIsError, ImageError
from vmtiming_tui.escape import printable
from vmtiming_tui.images.guard.box import Box, Wall, end_all_of
from vmtiming_tui.images.guard.channel import Channel
from vmtiming_tui.images.guard.ending import Signals
from vmtiming_tui.images.guard.isolated import PACKAGE, isolated

_UNREADABLE = ("Permission denied", "No module named", "No such file")
_KEPT_BYTES = 64 << 10
_END_LIMIT_S = 30
_LOOK_S = 0.05

Servant: TypeAlias = Callable[[Channel, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxedProgram:
    """A module of ``images``, what it is told, and how long it may take.

    ``servants`` answer the messages that have their word in them.
    """

    box: Box
    module: str
    order: Mapping[str, object]
    limit_s: float
    servants: Mapping[str, Servant] = field(default_factory=dict)


def run_in_box(
    program: BoxedProgram, signals: Signals, say: Callable[[str], None]
) -> Mapping[str, Any]:
    """Have it done inside, and return what was made.

    Nothing of the box is left at the end, however it ends. Raises ``ImageError`` with what the
    inside complains of, or where it takes too long, and ``Ended``.
    """
    box = program.box
    ours, theirs = socket.socketpair()
    errors, errors_inside = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    with contextlib.ExitStack() as held:
        held.callback(os.close, errors)
        held.enter_context(ours)
        with theirs:
            command = isolated(program.module, str(theirs.fileno()))
            os.set_blocking(errors_inside, True)
            try:
                child = subprocess.Popen(  # noqa: S603  no word of it is the image's
                    box.argv(command), env=box.environment, cwd=box.cwd,
                    pass_fds=(*box.pass_fds, theirs.fileno()), stdin=subprocess.DEVNULL,
                    stdout=errors_inside, stderr=errors_inside, start_new_session=True,
                )  # fmt: skip
            finally:
                os.close(errors_inside)
        held.callback(_end, child, box)
        return _listen(_Talk(Channel(ours), errors, say, program), signals)


def _end(child: "subprocess.Popen[bytes]", box: Box) -> None:
    """End all that runs in the box, and return when nothing of it can write any more.

    The first process of a process namespace is gone only when all others in it are, and whoever
    made the namespace waits for it.
    """
    if box.wall is Wall.LIMITS:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)  # it leads a session of its own
        child.wait()
        if box.uid is not None:
            end_all_of(box.uid)
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
    program: BoxedProgram
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
                    show_progress(percent)
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
                    self._servant(message)(self.channel, message)
        return True

    def keep_errors(self) -> bool:
        """Keep the last of what the tools inside print; return whether more may come."""
        data = os.read(self.errors, _KEPT_BYTES)
        self.last_words = (self.last_words + data)[-_KEPT_BYTES:]
        return bool(data)

    def _servant(self, message: Mapping[str, Any]) -> Servant:
        for word, servant in self.program.servants.items():
            if word in message:
                return servant
        raise ImageError("what reads the image in its box says what is no message")

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


def show_progress(percent: int) -> None:
    """Show how far something is, on a terminal; what is no percent of it takes that away."""
    if sys.stderr.isatty():
        at_end = not 0 <= percent < 100
        print("\r\033[K" if at_end else f"\r  {percent:3d} %", end="", file=sys.stderr, flush=True)


def _listen(talk: _Talk, signals: Signals) -> Mapping[str, Any]:
    limit_s = talk.program.limit_s
    deadline = time.monotonic() + limit_s
    talk.channel.send(**talk.program.order)
    with selectors.DefaultSelector() as selector:
        for source in (talk.channel, talk.errors, signals.fd):
            selector.register(source, selectors.EVENT_READ)
        while True:
            ready = selector.select(max(deadline - time.monotonic(), 0))
            signals.check()
            if not ready:
                raise ImageError(f"reading the image took longer than {limit_s:.0f} s")
            for key, _ in ready:
                if key.fileobj is talk.channel:
                    if not talk.hear():
                        return talk.made or {}
                elif key.fileobj == talk.errors and not talk.keep_errors():
                    selector.unregister(talk.errors)
