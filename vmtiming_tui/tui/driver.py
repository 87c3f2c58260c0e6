"""Textual's driver for terminals, made to wait for none.

Its own holds thirty writes and then waits for the terminal, in the loop. One that stalls without
hanging up (a frozen ssh, a tmux whose reader is stopped) would hold up the run's bookkeeping.
"""

import select
from typing import TextIO

from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver

from vmtiming_tui.session.streams import Stream

_BEFORE_SUSPENDING_S = 1.0


def driver_for(stream: Stream) -> type[Driver]:
    """Return a driver that puts what is written in a stream's line, and is else the usual one."""

    class StreamDriver(LinuxDriver):
        def write(self, data: str) -> None:
            stream.write(data)

        def suspend_application_mode(self) -> None:
            super().suspend_application_mode()
            stream.finish(_BEFORE_SUSPENDING_S)  # what comes next there is the shell's

    return StreamDriver


def has_hung_up(stream: TextIO | None) -> bool:
    """Whether a terminal is gone, which no signal tells whom it does not control."""
    if stream is None:
        return False
    watch = select.poll()
    watch.register(stream, 0)
    return any(seen & select.POLLHUP for _, seen in watch.poll(0))
