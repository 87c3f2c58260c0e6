"""The words between the box and whoever built it: lines of JSON, few and short."""

import json
import socket
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from vmtiming_tui.errors import ImageError

_MAX_LINE_BYTES = 64 << 10
_MAX_LINES = 20_000
_MAX_BYTES = 16 << 20


class Channel:
    """One end of it. Whoever made the socket closes it."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._sending = threading.Lock()
        self._kept = b""
        self._lines = self._bytes = 0
        self._waiting: deque[Mapping[str, Any]] = deque()

    def fileno(self) -> int:
        """The descriptor, for a selector."""
        return self._end.fileno()

    def send(self, **words: object) -> None:
        """Send one message, from any thread; raise ``OSError`` where nobody is there any more."""
        with self._sending:
            self._end.sendall(json.dumps(words).encode() + b"\n")

    def received(self) -> Iterator[Mapping[str, Any]] | None:
        """Return the messages that one read brings; None at the end.

        Raises ``ImageError`` for what is no message, too long, or one too many.
        """
        try:
            data = self._end.recv(_MAX_LINE_BYTES)
        except ConnectionResetError:
            data = b""
        if not data:
            return None
        *lines, self._kept = (self._kept + data).split(b"\n")
        self._lines += len(lines)
        self._bytes += len(data)
        too_much = self._lines > _MAX_LINES or self._bytes > _MAX_BYTES
        if too_much or len(self._kept) > _MAX_LINE_BYTES:
            raise ImageError("what reads the image in its box says more than it ever should")
        return map(_message, lines)

    def receive(self) -> Mapping[str, Any]:
        """Wait for one message; raise ``ImageError`` where none comes any more."""
        while not self._waiting:
            found = self.received()
            if found is None:
                raise ImageError("nobody is there to read the image for any more")
            self._waiting += found
        return self._waiting.popleft()


def _message(line: bytes) -> Mapping[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise ImageError("what reads the image in its box says what is no message")
    return message
