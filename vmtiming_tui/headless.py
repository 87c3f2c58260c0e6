"""A run without a dashboard: the plain report or the events themselves, on standard output."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from vmtiming_tui.commands import Quit, Start, Stop
from vmtiming_tui.engine.client import EngineClient
from vmtiming_tui.fleet import Fleet
from vmtiming_tui.plain import PlainReport
from vmtiming_tui.plan import RunPlan
from vmtiming_tui.session import Wishes, conclude

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def _stopping_on_signals(engine: EngineClient) -> Iterator[list[signal.Signals]]:
    """Let the first signal end the run in order, the second at once; yields those that came."""
    received: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        received.append(number)
        if len(received) == 1:
            click.echo("Stopping; once more ends everything at once.", err=True)
            engine.send(Stop())
        else:
            engine.send(Quit(now=True))

    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop, number)
    try:
        yield received
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _write_out(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


async def _run(
    plan: RunPlan, wishes: Wishes, fleet: Fleet, record: Callable[[bytes], None] | None
) -> None:
    report = PlainReport(fleet)

    def tap(lines: bytes) -> None:
        if record:
            record(lines)
        if wishes.as_json:
            _write_out(lines.decode())

    async with EngineClient(tap=tap) as engine:
        with _stopping_on_signals(engine):
            engine.send(Start(plan=plan))
            async for batch in engine.batches():
                for event in batch:
                    fleet.fold(event)
                    for line in () if wishes.as_json else report.lines_for(event):
                        _write_out(f"{line}\n")
                    for line in report.diagnostics_for(event):
                        click.echo(line, err=True)


def run_headless(
    plan: RunPlan, wishes: Wishes, record: Callable[[bytes], None] | None = None
) -> int:
    """Run the plan, report as it goes, export at the end; return the exit code.

    ``record`` is handed the raw lines of events as they come. A reader of standard output that
    goes away ends the run like Ctrl-C.
    """
    fleet = Fleet()
    try:
        asyncio.run(_run(plan, wishes, fleet, record))
        if not wishes.as_json:
            for line in PlainReport(fleet).final_lines():
                _write_out(f"{line}\n")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return conclude(fleet, wishes, _say)
