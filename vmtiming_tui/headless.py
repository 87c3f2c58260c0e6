"""A run without a dashboard: the plain report or the events themselves, on standard output."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from vmtiming_tui.commands import Quit, Start, Stop
from vmtiming_tui.engine.client import EngineClient
from vmtiming_tui.fleet import Fleet
from vmtiming_tui.outcome import ExitCode
from vmtiming_tui.plain import PlainReport
from vmtiming_tui.plan import RunPlan
from vmtiming_tui.session import Wishes, conclude, outlive_hangups, say

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def _stopping_on_signals(engine: EngineClient) -> Iterator[list[signal.Signals]]:
    """Let the first signal end the run in order, the second at once; yields those that came."""
    received: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        received.append(number)
        if len(received) == 1:
            say("Stopping; once more ends everything at once.")
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
        if signal.SIGHUP in received:
            outlive_hangups()


class Output:
    """Standard output, till it takes no more; what is written after that is let go.

    ``trouble`` is what was in the way, where something was.
    """

    def __init__(self) -> None:
        self.trouble: OSError | None = None

    def write(self, text: str) -> None:
        """Write and flush."""
        if self.trouble:
            return
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError as error:
            self.trouble = error
            # What was not written yet would be tried again at the interpreter's end.
            os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), sys.stdout.fileno())

    def write_lines(self, lines: Iterable[str]) -> None:
        """Write lines, each as it comes."""
        for line in lines:
            self.write(f"{line}\n")

    @property
    def was_left(self) -> bool:
        """Whether its reader went away, which is no fault of anybody's."""
        return isinstance(self.trouble, BrokenPipeError)


async def _run(
    plan: RunPlan,
    wishes: Wishes,
    fleet: Fleet,
    output: Output,
    record: Callable[[bytes], None] | None,
) -> list[signal.Signals]:
    """Carry out the plan; return the signals that came meanwhile."""
    report = PlainReport(fleet)

    def tap(lines: bytes) -> None:
        if record:
            record(lines)
        if wishes.as_json:
            output.write(lines.decode())

    async with EngineClient(tap=tap) as engine:
        with _stopping_on_signals(engine) as received:
            engine.send(Start(plan=plan))
            is_over = False
            async for batch in engine.batches():
                for event in batch:
                    fleet.fold(event)
                    output.write_lines(() if wishes.as_json else report.lines_for(event))
                    for line in report.diagnostics_for(event):
                        say(line)
                if output.trouble and not is_over:
                    is_over = True
                    engine.send(Stop())
    return received


def run_headless(
    plan: RunPlan, wishes: Wishes, record: Callable[[bytes], None] | None = None
) -> int:
    """Run the plan, report as it goes, export at the end; return the exit code.

    ``record`` is handed the raw lines of events as they come. Standard output that takes no more
    (its reader went away, its disk is full) ends the run like Ctrl-C; exports are written then too.
    That a terminal which hung up takes no more is part of the hang-up.
    """
    fleet, output = Fleet(), Output()
    hung_up = signal.SIGHUP in asyncio.run(_run(plan, wishes, fleet, output, record))
    if not wishes.as_json:
        output.write_lines(PlainReport(fleet).final_lines())
    if output.trouble and not (output.was_left or hung_up):
        say(f"Error: the report cannot be written: {output.trouble.strerror}")
        say("  send it to another place; exports (-o) and the history have what is known")
    code = conclude(fleet, wishes)
    if output.was_left:
        return 128 + signal.SIGPIPE
    return ExitCode.SOME_FAILED if output.trouble and not hung_up else code
