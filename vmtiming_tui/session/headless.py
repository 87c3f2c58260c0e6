"""A run without a dashboard: the plain report or the events themselves, on standard output.

Where a document is to stand there, the report goes to standard error.
"""

import asyncio
import secrets
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace

from vmtiming_tui.analysis.comparison.samples import Side
from vmtiming_tui.analysis.exit_code import ExitCode
from vmtiming_tui.model.commands import Quit, Start, Stop
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.report.export import render
from vmtiming_tui.report.plain import PlainReport
from vmtiming_tui.session.conclude import Conclusion, conclude
from vmtiming_tui.session.deciding import DecidingSource
from vmtiming_tui.session.live_source import SIGNALS, live_source
from vmtiming_tui.session.phase_progress import PhaseProgress
from vmtiming_tui.session.streams import Streams
from vmtiming_tui.session.wishes import Wishes
from vmtiming_tui.sources.event_lines import Told
from vmtiming_tui.sources.source import EventSource

_PATIENCE_S = 10.0


def outlive_hangups() -> None:
    """Let no further SIGHUP end us: a closed terminal's shell and the kernel each send theirs."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


@contextmanager
def _stopping_on_signals(
    source: EventSource, streams: Streams, words: str
) -> Iterator[list[signal.Signals]]:
    """Let the first signal end the run in order, the second at once; yields those that came.

    After one, a reader that does not read is not waited for as long as it likes; after two not
    at all.
    """
    received: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        received.append(number)
        if len(received) == 1:
            streams.patience_s = _PATIENCE_S
            if words:
                streams.say(words)
            source.send(Stop())
        else:
            streams.patience_s = 0
            source.send(Quit(now=True))

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


async def follow(
    source: EventSource,
    fleet: Fleet,
    streams: Streams,
    *,
    as_json: bool = False,
    when_stopped: str = "Stopping; once more ends everything at once.",
) -> list[signal.Signals]:
    """Report a run as it goes, and end its engine after it; return the signals that came meanwhile.

    Standard output that takes no more (its reader went away, its disk is full) ends the run like
    Ctrl-C. With ``as_json`` it is left to others. ``when_stopped`` is said at the first signal.
    """
    report, progress = PlainReport(fleet), PhaseProgress(fleet, streams)
    stops = leaves = False
    with _stopping_on_signals(source, streams, when_stopped) as received:
        async for batch in source.batches():
            for event in batch:
                fleet.fold(event)
                if lines := () if as_json else report.lines_for(event):
                    streams.show_progress("")
                    streams.report.write_lines(lines)
                for line in report.diagnostics_for(event):
                    streams.say(line)
            progress.show()
            if streams.out.trouble and not stops:
                stops = True
                source.send(Stop())
            if fleet.ran_to_end and not leaves:
                leaves = True
                source.send(Quit())
            await streams.room(unless=lambda: bool(received or streams.out.trouble))
    return received


async def _run(
    plan: RunPlan,
    wishes: Wishes,
    fleet: Fleet,
    streams: Streams,
    record: Callable[[Sequence[Told]], None] | None,
) -> list[signal.Signals]:
    """Carry out the plan; return the signals that came meanwhile."""

    def tap(told: Sequence[Told]) -> None:
        if record:
            record(told)
        if wishes.as_json:
            streams.out.write_lines(line.decode() for line, _ in told)

    async with (
        live_source(wishes.cluster, plan, streams) as open_source,
        open_source(tap) as live,
    ):
        source = DecidingSource(live, wishes.baseline)
        source.send(Start(plan=plan))
        return await follow(source, fleet, streams, as_json=wishes.as_json)


def run_headless(
    plan: RunPlan,
    wishes: Wishes,
    streams: Streams,
    record: Callable[[Sequence[Told]], None] | None = None,
) -> int:
    """Run the plan, report as it goes, export at the end; return the exit code.

    ``record`` is handed the lines of events, with the events, as they come.
    """
    fleet = Fleet()
    streams.report = streams.err if wishes.printed else streams.out
    with _words_only(streams) if wishes.step_summary else nullcontext():
        received = asyncio.run(_run(plan, wishes, fleet, streams, record))
        concluded = final_report(fleet, wishes, streams, received)
    if wishes.step_summary:
        streams.out.write_lines(concluded.annotations(plan.name or "vm-timing-report"))
    return concluded.code


def watch_headless(source: EventSource, streams: Streams, baseline: Side | None = None) -> int:
    """Report a run that another process makes until it is over; return the run's exit code.

    A signal ends the report alone, with 130.
    """
    fleet = Fleet()
    received = asyncio.run(follow(source, fleet, streams, when_stopped=""))
    if received:
        return ExitCode.INTERRUPTED
    return final_report(fleet, Wishes(baseline=baseline), streams, received).code


@contextmanager
def _words_only(streams: Streams) -> Iterator[None]:
    """Keep GitHub from taking a line that a guest made up for a command to the step."""
    token = secrets.token_hex(16)
    streams.out.write(f"::stop-commands::{token}\n")
    try:
        yield
    finally:
        streams.finish()
        streams.out.write(f"::{token}::\n")


def final_report(
    fleet: Fleet,
    wishes: Wishes,
    streams: Streams,
    received: list[signal.Signals],
    *,
    first: Sequence[str] = (),
) -> Conclusion:
    """Report what a run came to, export it, and see it all written; return what it came to.

    ``first`` is what is said of it before all that makes it doubtful.

    That a terminal which hung up takes no more is part of the hang-up.
    """
    out, hung_up = streams.out, signal.SIGHUP in received
    if not wishes.as_json:
        streams.report.write_lines(PlainReport(fleet).final_lines())
    if wishes.printed:
        out.write_document(render(wishes.printed, fleet, baseline=wishes.baseline))
    concluded = conclude(fleet, wishes, streams.say, first=first)
    streams.finish()
    if out.trouble and not (out.was_left or hung_up):
        streams.say(f"Error: the report cannot be written: {out.trouble.strerror}")
        streams.say("  send it to another place; exports (-o) and the history have what is known")
    if out.was_left:
        return replace(concluded, code=128 + signal.SIGPIPE)
    if out.trouble and not hung_up:
        return replace(concluded, code=ExitCode.SOME_FAILED)
    return concluded
