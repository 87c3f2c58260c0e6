"""Ending in order, however the end comes."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from types import FrameType, TracebackType
from typing import Self

_LOOK_S = 0.1
_ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


class Ended(Exception):  # noqa: N818  it is no error
    """A signal asks us to end; ``code`` is the exit code that says which."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.strsignal(number))
        self.code = 128 + number


class Signals:
    """The signals that ask us to end, noted when they come and obeyed where we ask for them.

    So none parts what belongs together. ``fd`` becomes readable with the first.
    """

    def __init__(self) -> None:
        self._received: list[int] = []
        self.fd, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in _ENDING}
        self._woken = signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        signal.set_wakeup_fd(self._woken)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self.fd)
        os.close(self._wake)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._received.append(number)

    def check(self) -> None:
        """Raise ``Ended`` where one has come."""
        if self._received:
            raise Ended(self._received[0])

    def run(
        self, command: Sequence[str], *, pass_fds: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
    ) -> "subprocess.CompletedProcess[bytes]":  # fmt: skip
        """Run a command to its end, and not longer than until a signal comes."""
        with subprocess.Popen(  # noqa: S603  no shell
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            pass_fds=pass_fds, env=env, start_new_session=True,
        ) as child:  # fmt: skip
            try:
                while True:
                    self.check()
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        said, complaint = child.communicate(timeout=_LOOK_S)
                        return subprocess.CompletedProcess(
                            command, child.returncode, said, complaint
                        )
            finally:
                child.kill()
