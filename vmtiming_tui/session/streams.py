"""Standard output and standard error, written beside the loop: a reader that does not read holds
up no run.

What is written waits in line for a thread, which alone may be blocked (by a full pipe, a terminal
stopped with Ctrl-S, a slow disk). A descriptor of our own that does not block would not do: the
flag is one with whoever else has the terminal.
"""

import asyncio
import os
import select
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TextIO

from vmtiming_tui.errors import EngineError
from vmtiming_tui.escape import printable

# So little at a time that a slow line is seen to move, and not taken for one that stalls.
_PIECE_BYTES = 1 << 12
_MOST_WAITING_BYTES = 32 << 20
_LOOK_AGAIN_S = 0.05


class Stream:
    """One of the two, till it takes no more; what is written after that is let go.

    ``trouble`` is what was in the way, where something was.
    """

    def __init__(self, file: TextIO | None, writer: "_Writer") -> None:
        self.trouble: OSError | None = None
        self._writer = writer
        self._fd = -1 if file is None else file.fileno()
        self._encoding = "utf-8" if file is None else file.encoding
        self._errors = "strict" if file is None else file.errors or "strict"

    def write(self, text: str) -> None:
        """Put text in line; returns at once."""
        if not self.trouble:
            self._writer.put(self, self._encoded(text))

    def write_lines(self, lines: Iterable[str]) -> None:
        """Put lines in line, each as it comes."""
        for line in lines:
            self.write(f"{line}\n")

    def write_document(self, text: str) -> None:
        """Put a document in line, as a file of it would be: in UTF-8, whatever a terminal takes."""
        if not self.trouble:
            self._writer.put(self, text.encode(errors="backslashreplace"))

    def _encoded(self, text: str) -> bytes:
        try:
            return text.encode(self._encoding, self._errors)
        except UnicodeEncodeError:
            return text.encode(self._encoding, "backslashreplace")

    def put_through(self, data: memoryview) -> int:
        """Write some, for as long as it takes; return how much is done with. For the thread."""
        if self.trouble:
            return len(data)
        try:
            return os.write(self._fd, data)
        except BlockingIOError:  # somebody else's wish, and theirs to undo
            poll = select.poll()
            poll.register(self._fd, select.POLLOUT)
            poll.poll()
            return 0
        except OSError as error:
            self.trouble = error
            return len(data)

    @property
    def waiting_bytes(self) -> int:
        """How much is in line, of this stream and of one that is the same file."""
        return self._writer.waiting_bytes

    def finish(self, patience_s: float) -> bool:
        """Wait till all is written; return whether it is.

        Gives up where nothing was read for ``patience_s``.
        """
        return self._writer.finish(patience_s)

    @property
    def is_terminal(self) -> bool:
        """Whether somebody may be looking at it."""
        return self._fd >= 0 and os.isatty(self._fd)

    @property
    def was_left(self) -> bool:
        """Whether its reader went away, which is no fault of anybody's."""
        return isinstance(self.trouble, BrokenPipeError)


class _Writer:
    """Writes what is put in line, in its order, in a thread that nobody waits for."""

    def __init__(self) -> None:
        self.waiting_bytes = 0
        self._line: deque[tuple[Stream, memoryview]] = deque()
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="output", daemon=True)

    def start(self) -> None:
        try:
            self._thread.start()
        except RuntimeError:
            raise EngineError(
                "the host allows this user no further thread",
                hint="end some processes, or raise the limit: ulimit -u",
            ) from None

    def put(self, stream: Stream, data: bytes) -> None:
        with self._changed:
            self._line.append((stream, memoryview(data)))
            self.waiting_bytes += len(data)
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._line or self._closing)
                if not self._line:
                    return
                stream, data = self._line.popleft()
            while data:
                done = stream.put_through(data[:_PIECE_BYTES])
                data = data[done:]
                with self._changed:
                    self.waiting_bytes -= done
                    self._changed.notify_all()

    def finish(self, patience_s: float | None) -> bool:
        """Wait till all is written; return whether it is.

        Gives up where nothing was read for ``patience_s``; None waits for ever.
        """
        with self._changed:
            while before := self.waiting_bytes:
                moved = self._changed.wait_for(lambda: self.waiting_bytes != before, patience_s)
                if not moved:
                    return False
        return True

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()


class Streams:
    """Both streams; a context manager, left when what is in line is written or given up.

    ``report`` is the one that a run's report goes to.

    Where both are the same file, one line keeps their order; else one that is not read does not
    hold up the other. ``patience_s`` is how long a reader may read nothing at the end before the
    rest is let go; None waits for it, as any program in a pipeline does.
    """

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        out, err = out or sys.stdout, err or sys.stderr
        first = _Writer()
        second = first if _are_one(out, err) else _Writer()
        self._writers = list(dict.fromkeys([first, second]))
        self.out, self.err = Stream(out, first), Stream(err, second)
        self.report = self.out
        self.patience_s: float | None = None
        self._progress = ""

    def __enter__(self) -> "Streams":
        for writer in self._writers:
            writer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            self.patience_s = 0
        try:
            self.finish()
        finally:
            for writer in self._writers:
                writer.close()

    def say(self, text: str) -> None:
        """Say it on standard error, whatever it is made of: nothing in it acts on a terminal."""
        self.show_progress("")
        self.err.write(printable(text, keep="\t\n") + "\n")

    def show_progress(self, words: str) -> None:
        """Show a terminal how far something is, in place of what was shown last; empty for none."""
        if words == self._progress:
            return
        blanks = " " * (len(self._progress) - len(words))
        self._progress = words
        self.err.write(f"\r{words}{blanks}" if words else f"\r{blanks}\r")

    def warn(self, text: str) -> None:
        """Say that something is not as it should be."""
        self.say(f"Warning: {text}")

    async def room(self, unless: Callable[[], bool]) -> None:
        """Return when a slow reader has caught up far enough, or ``unless`` holds."""
        while self._waiting_bytes > _MOST_WAITING_BYTES and not unless():  # noqa: ASYNC110  a thread makes the room
            await asyncio.sleep(_LOOK_AGAIN_S)

    @property
    def _waiting_bytes(self) -> int:
        return sum(writer.waiting_bytes for writer in self._writers)

    def finish(self) -> None:
        """Wait till what is in line is written; an interrupt in the middle lets go of it."""
        try:
            written = [writer.finish(self.patience_s) for writer in self._writers]
            if not all(written):
                self.patience_s = 0
        except KeyboardInterrupt:
            self.patience_s = 0
            raise


def _are_one(out: TextIO | None, err: TextIO | None) -> bool:
    return out is not None and err is not None and os.path.sameopenfile(out.fileno(), err.fileno())
