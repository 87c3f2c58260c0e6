"""The engine's process: commands as JSON lines on stdin, events as JSON lines on stdout."""

import asyncio
import contextlib
import errno
import gc
import itertools
import signal
import sys
import time

from vmtiming_tui.engine.engine import Engine
from vmtiming_tui.engine.inlet import Inlet
from vmtiming_tui.engine.outbox import Outbox
from vmtiming_tui.errors import EngineError
from vmtiming_tui.model import events as ev

_DRAIN_LIMIT_S = 5.0
_HINTS = {
    errno.EMFILE: "raise the limit on open files: ulimit -n 65536",
    errno.ENFILE: "the whole host has no file descriptor left: sysctl fs.file-max",
    errno.ENOSPC: "free some space in the temporary folder, or set TMPDIR to another",
    errno.ENOMEM: "the host has no memory left: boot fewer VMs, or one after another",
}


def _quieten_collector() -> None:
    """Keep garbage collection out of the way of stamps; a run collects when a storm is over."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1000)


async def _serve() -> int:
    gone = asyncio.Event()
    outbox = Outbox(sys.stdout.fileno(), gone.set)
    engine = Engine(outbox.emit, reader=sys.stdin.fileno())

    def on_gone() -> None:
        engine.leave(now=True, outcome=ev.Outcome.INTERRUPTED)

    def refuse(why: str) -> None:
        text = f"a command was not understood: {why}"
        outbox.emit(ev.Notice(at_ns=time.monotonic_ns(), level=ev.Level.ERROR, text=text))

    async def see_reader_gone() -> None:
        await gone.wait()
        on_gone()

    _leave_on_signals(engine)
    watching = asyncio.create_task(see_reader_gone())
    inlet = Inlet(sys.stdin.fileno(), obey=engine.obey, refuse=refuse, on_gone=on_gone)
    try:
        with inlet:
            _quieten_collector()
            return await _run(engine, outbox)
    finally:
        watching.cancel()
        await outbox.drain(_DRAIN_LIMIT_S)


def _leave_on_signals(engine: Engine) -> None:
    """Have a signal end the engine in order, and a second one at once."""
    signals = itertools.count(1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(
            number, lambda: engine.leave(now=next(signals) > 1)
        )


async def _run(engine: Engine, outbox: Outbox) -> int:
    """Run the engine to its end and return the exit code; what it cannot get over is an event."""
    try:
        await engine.run()
    except EngineError as error:
        outbox.emit(ev.EngineFailed(at_ns=time.monotonic_ns(), why=error.message, hint=error.hint))
        return error.exit_code
    except OSError as error:
        what = error.strerror or str(error)
        outbox.emit(
            ev.EngineFailed(
                at_ns=time.monotonic_ns(),
                why=f"the host refused the engine something it needs: {what}",
                hint=_HINTS.get(error.errno or 0, ""),
            )
        )
        return 1
    return 0


def main() -> None:
    """Run the engine till it is told to leave, or its reader is gone."""
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(asyncio.run(_serve()))


if __name__ == "__main__":
    main()
