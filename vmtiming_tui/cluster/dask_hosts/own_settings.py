"""How Dask behaves while it works for us: its settings, its words, its folder. All is put back."""

import logging
import sys
import tempfile
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import dask

from vmtiming_tui.model.cluster import Reach

DEAD_AFTER_S = 12
"""After how long a connection over which nothing comes counts as dead; Dask takes 30 s, and none
below 11. A host that is cut off is lost so much later, and a storm waits for it so long."""

CONNECT_LIMIT_S = 10
_FORGOTTEN_AFTER_S = 30

_SETTINGS = {
    "distributed.comm.timeouts.tcp": f"{DEAD_AFTER_S}s",
    "distributed.comm.timeouts.connect": f"{CONNECT_LIMIT_S}s",
    # A worker that hangs has connections that live on; where the scheduler is ours, it is told.
    "distributed.scheduler.worker-ttl": f"{_FORGOTTEN_AFTER_S}s",
    # Nothing samples a worker's stack a hundred times a second beside VMs that are being timed.
    "distributed.worker.profile.enabled": False,
}
_WITHIN = {
    # Nothing of a cluster that pretends leaves this host, whatever others are to be reached by.
    "distributed.comm.require-encryption": False,
}
_LOGGERS = ("distributed", "dask", "tornado", "asyncssh", "bokeh")
_WORDS_KEPT = 20


class LastWords(logging.Handler):
    """Keeps the last that programs on other hosts said before Dask gave them up; writes nothing.

    Dask logs that, and tells no more than that they failed.
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: deque[str] = deque(maxlen=_WORDS_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what a program wrote."""
        if record.name == "distributed.deploy.ssh":
            self.lines.append(record.getMessage())


@contextmanager
def own_settings(reach: Reach) -> Iterator[LastWords]:
    """Have Dask keep to our settings and write nothing to the terminal; yield what it says.

    What workers on this host put on the disk goes into a folder that is removed. What its user has
    told Dask stands where it is not one of these settings.
    """
    with ExitStack() as held:
        held.enter_context(dask.config.set(_SETTINGS))
        if reach is Reach.LOCAL:
            scratch = held.enter_context(tempfile.TemporaryDirectory(prefix="vmtiming-dask-"))
            held.enter_context(dask.config.set({**_WITHIN, "temporary-directory": scratch}))
        words = held.enter_context(_quiet())
        yield words


@contextmanager
def _quiet() -> Iterator[LastWords]:
    words = LastWords()
    with ExitStack() as held, warnings.catch_warnings():
        for module in _LOGGERS:
            warnings.filterwarnings("ignore", module=module)
        for name in _logger_names():
            held.enter_context(_logged_to(logging.getLogger(name), words))
        yield words


def _logger_names() -> list[str]:
    """Return the loggers that have been set up, for which Dask gives handlers to several."""
    made = [name for name in logging.Logger.manager.loggerDict if name.startswith(_LOGGERS)]
    return sorted({*_LOGGERS, *made})


@contextmanager
def _logged_to(logger: logging.Logger, words: LastWords) -> Iterator[None]:
    """Take the terminal away from a logger; a file that its user gave it keeps what it is told."""
    before = logger.handlers[:]
    terminals = (sys.stderr, sys.stdout, sys.__stderr__, sys.__stdout__)
    kept = [each for each in before if getattr(each, "stream", None) not in terminals]
    propagates = logger.propagate
    is_root = "." not in logger.name
    logger.handlers[:] = [*kept, words] if is_root else kept
    logger.propagate = not is_root
    try:
        yield
    finally:
        logger.handlers[:] = before
        logger.propagate = propagates
