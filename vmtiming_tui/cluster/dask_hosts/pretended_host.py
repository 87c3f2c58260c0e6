"""Loaded by a worker that pretends to be a host: it leaves the terminal to the front end there."""

import os
import signal

TERMINAL_SIGNALS = (signal.SIGINT, signal.SIGHUP)
"""What a terminal sends to all who share it; a worker is started with these blocked."""


def dask_setup(_: object) -> None:
    """Write nothing, and take a terminal's signals for the front end's: it ends the worker.

    What is started from here on is to take them as usual, so they are heard and not blocked.
    """
    for number in TERMINAL_SIGNALS:
        signal.signal(number, _heard)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, TERMINAL_SIGNALS)
    nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _heard(number: int, frame: object) -> None:
    """Do nothing; unlike a signal that is ignored, that holds for no other program."""
