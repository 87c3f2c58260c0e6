"""Opening the dashboard on a live engine or on a stored run, and what remains to say after it."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vmtiming_tui.analysis.comparison.samples import THIS_RUN, Side
from vmtiming_tui.model.cluster import Cluster
from vmtiming_tui.model.events import Event
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.own_faults import kept_fault
from vmtiming_tui.session.deciding import DecidingSource
from vmtiming_tui.session.live_source import OpenSource, live_source
from vmtiming_tui.session.streams import Stream, Streams
from vmtiming_tui.sources.event_lines import Told
from vmtiming_tui.sources.replay import Player
from vmtiming_tui.sources.source import EventSource

if TYPE_CHECKING:
    from vmtiming_tui.history.rows import StoredRun
    from vmtiming_tui.session.wishes import Wishes
    from vmtiming_tui.tui.app import VmTimingApp
    from vmtiming_tui.tui.state.dashboard_settings import DashboardSettings

_PATIENCE_S = 5.0
"""How long a terminal may take nothing at the end: a frozen one may never come back."""


def _settings(*, ascii_only: bool) -> "DashboardSettings":
    from vmtiming_tui.session.preferences import config_path
    from vmtiming_tui.tui.state.dashboard_settings import load_settings

    return load_settings(config_path(), ascii_only=ascii_only)


async def _show(app: "VmTimingApp") -> None:
    """Run the app till it is left, or fails: ``app.crash`` is then what it failed with."""
    try:
        await app.run_async()
    except Exception as error:  # noqa: BLE001  nothing of the dashboard's may end the VMs
        app.crash = app.crash or error


def run_live(
    plan: RunPlan,
    streams: Streams,
    *,
    ascii_only: bool = False,
    cluster: Cluster | None = None,
    baseline: Side | None = None,
    record: Callable[[Sequence[Told]], None] | None = None,
    go_on: Callable[["VmTimingApp"], Awaitable[None]] | None = None,
) -> "VmTimingApp":
    """Show a run of a live engine; return the app as it was left, its engine ended.

    ``go_on`` takes over where the app has failed, while the engine is still there.
    """

    async def live() -> "VmTimingApp":
        async with live_source(cluster, plan, streams) as open_source:
            return await shown(open_source)

    async def shown(open_source: OpenSource) -> "VmTimingApp":
        @asynccontextmanager
        async def connect() -> AsyncIterator[EventSource]:
            async with open_source(record) as source:
                yield DecidingSource(source, baseline)

        gc.disable()  # nothing of what the start makes is garbage; the app enables it when settled
        from vmtiming_tui.tui.app import VmTimingApp

        app = VmTimingApp(
            connect,
            plan,
            _settings(ascii_only=ascii_only),
            baseline=baseline,
            terminal=streams.err,
        )
        try:
            await _show(app)
            gc.enable()
            if app.crash is not None and go_on is not None:
                await go_on(app)
        finally:
            await app.link.close()
        return app

    return asyncio.run(live())


def run_dashboard(
    plan: RunPlan,
    wishes: "Wishes",
    streams: Streams,
    record: Callable[[Sequence[Told]], None] | None = None,
) -> int:
    """Show the run as it goes; return the exit code it deserves.

    ``record`` is handed the lines of events, with the events, as they come. The exports that were
    asked for are written at the end, and said on standard error once the terminal is back. A
    dashboard that fails ends no VM: the plain report goes on in its place, with the same engine.
    """
    streams.patience_s = _PATIENCE_S
    received: list[signal.Signals] = []

    async def go_on(app: "VmTimingApp") -> None:
        received.extend(await _report_the_rest(app, streams))

    app = run_live(
        plan,
        streams,
        ascii_only=wishes.ascii_only,
        cluster=wishes.cluster,
        baseline=wishes.baseline,
        record=record,
        go_on=go_on,
    )
    is_kept = record is not None
    if app.crash is not None:
        from vmtiming_tui.report.result import result_lines
        from vmtiming_tui.session.headless import final_report

        fleet = app.model.fleet
        first = result_lines(fleet, is_kept=is_kept)
        return final_report(fleet, wishes, streams, received, first=first).code
    return _afterwards(app, wishes, streams, is_kept=is_kept)


async def _report_the_rest(app: "VmTimingApp", streams: Streams) -> list[signal.Signals]:
    """Report a run whose dashboard has failed from here on; return the signals that came."""
    from vmtiming_tui.session.headless import follow

    _tell_of_crash(app, streams.say, "; the run goes on without it")
    app.model.catch_up()
    if not app.link.was_started:
        app.link.start(app.model.plan)
    return await follow(app.link, app.model.fleet, streams)


def _tell_of_crash(app: "VmTimingApp", say: Callable[[str], None], then: str = "") -> None:
    assert app.crash is not None  # noqa: S101  who tells of it has seen it
    fault = kept_fault(app.crash, "dashboard")
    say(f"vm-timing-report: the dashboard failed ({fault.what}){then}.")
    say(f"  {fault.hint}")


def _afterwards(app: "VmTimingApp", wishes: "Wishes", streams: Streams, *, is_kept: bool) -> int:
    from vmtiming_tui.report.plain import PlainReport
    from vmtiming_tui.report.result import result_lines
    from vmtiming_tui.session.conclude import conclude
    from vmtiming_tui.session.headless import outlive_hangups

    if app.signal is signal.SIGHUP:
        outlive_hangups()
    app.model.freeze(on=False)
    app.model.settle()
    fleet = app.model.fleet
    if fleet.failure is not None:
        for line in PlainReport(fleet).diagnostics_for(fleet.failure):
            streams.say(line)
    code = conclude(fleet, wishes, streams.say, first=result_lines(fleet, is_kept=is_kept)).code
    return code if app.signal is None else 130


def _no_engine() -> AbstractAsyncContextManager[EventSource]:
    raise AssertionError("a stored run has no engine")


def replay_dashboard(
    events: Sequence[Event],
    plan: RunPlan,
    *,
    speed: float = 1.0,
    ascii_only: bool = False,
    baseline: Side | None = None,
) -> int:
    """Show a stored run as it went, ``speed`` times as fast; return the exit code."""

    async def shown() -> "VmTimingApp":
        from vmtiming_tui.tui.app import VmTimingApp
        from vmtiming_tui.tui.state.played_run import PlayedRun

        player = Player(events, speed)
        app = VmTimingApp(
            _no_engine,
            plan,
            _settings(ascii_only=ascii_only),
            terminal=streams.err,
            played=PlayedRun(player, plan, called=plan.name or THIS_RUN, baseline=baseline),
        )
        await _show(app)
        return app

    with Streams() as streams:
        streams.patience_s = _PATIENCE_S
        app = asyncio.run(shown())
        if app.crash is not None:
            _tell_of_crash(app, streams.say)
            return 1
        return 0 if app.signal is None else 130


async def followed(
    path: Path,
    run: "StoredRun",
    *,
    goes_on: bool,
    ascii_only: bool = False,
    terminal: Stream | None = None,
) -> "VmTimingApp":
    """Show a run that another process makes, as it goes; return the app as it was left.

    ``path`` is the history's that the run is written to. Where it ``goes_on``, newer runs follow.
    Without ``terminal`` it is drawn for a page. Raises ``HistoryError``.
    """
    from dataclasses import replace

    from vmtiming_tui.history.following import FollowedRun
    from vmtiming_tui.history.runs import History
    from vmtiming_tui.tui.app import VmTimingApp
    from vmtiming_tui.tui.state.keymap import Need

    def hold_against(side: Side | None) -> None:
        app.model.baseline = side

    source = FollowedRun(path, run, goes_on=goes_on, on_next=hold_against)

    @asynccontextmanager
    async def connect() -> AsyncIterator[EventSource]:
        yield source

    with History.open(path) as history:
        plan, baseline = history.plan(run), history.baseline_of(run)
    app = VmTimingApp(
        connect,
        plan,
        replace(_settings(ascii_only=ascii_only), clock=source.now_ns),
        there=frozenset({Need.TERMINAL} if terminal else ()),
        terminal=terminal,
        baseline=baseline,
    )
    try:
        await _show(app)
    finally:
        await app.link.close()
    return app


async def looked_back_at(run: "StoredRun") -> "VmTimingApp":
    """Show a page a run as it ended, to be played; return the app as it was left.

    Raises ``HistoryError``.
    """
    from vmtiming_tui.tui.app import VmTimingApp
    from vmtiming_tui.tui.state.past_runs import load_played

    played = load_played(run, frozenset(), at_end=True)
    app = VmTimingApp(_no_engine, played.plan, _settings(ascii_only=False), played=played)
    await _show(app)
    return app


def watch_dashboard(path: Path, run: "StoredRun", *, goes_on: bool, ascii_only: bool) -> int:
    """Show a run as ``followed`` does, on the terminal; return the exit code."""
    with Streams() as streams:
        streams.patience_s = _PATIENCE_S
        app = asyncio.run(
            followed(path, run, goes_on=goes_on, ascii_only=ascii_only, terminal=streams.err)
        )
        if app.crash is not None:
            _tell_of_crash(app, streams.say)
            return 1
        return 0 if app.signal is None else 130
