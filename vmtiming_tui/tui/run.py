"""Opening the dashboard on a live engine or on a stored run, and what remains to say after it."""

import asyncio
import gc
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vmtiming_tui.commands import Command, Quit
from vmtiming_tui.engine.client import EngineClient, EventSource
from vmtiming_tui.events import Event
from vmtiming_tui.plain import PlainReport
from vmtiming_tui.plan import RunPlan
from vmtiming_tui.replay import replay
from vmtiming_tui.session import Wishes, conclude, outlive_hangups, say
from vmtiming_tui.sides import Side

if TYPE_CHECKING:
    from vmtiming_tui.tui.app import VmTimingApp
    from vmtiming_tui.tui.settings import DashboardSettings


class ReplaySource:
    """Plays stored events at ``speed`` times their pace; commands but Quit mean nothing to it."""

    def __init__(self, events: Sequence[Event], speed: float = 1.0) -> None:
        self._events, self._speed = events, speed
        self._began_ns = time.monotonic_ns()
        self._zero_ns = events[0].at_ns if events else 0
        self._left = asyncio.Event()

    def now_ns(self) -> int:
        """Return the moment of the stored run that is being shown, on its own clock."""
        passed_ns = time.monotonic_ns() - self._began_ns
        end_ns = self._events[-1].at_ns if self._events else 0
        return min(self._zero_ns + int(passed_ns * self._speed), end_ns)

    def send(self, command: Command) -> None:
        """Take Quit; a run of the past obeys nothing else."""
        if isinstance(command, Quit):
            self._left.set()

    def batches(self) -> AsyncIterator[list[Event]]:
        """Yield the events whose time has come."""
        return replay(self._events, self._speed, self._left)


def _crash_file() -> Path:
    import platformdirs

    return platformdirs.user_state_path("vmtiming-tui") / "dashboard-crash.txt"


def _tell_of_crash(crash: str) -> None:
    last = crash.strip().rpartition("\n")[2]
    say(f"vm-timing-report: the dashboard failed ({last[:200]}); no VM was left.")
    path = _crash_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(crash, encoding="utf-8")
    except OSError:
        say(crash)
        return
    say(f"  Run with --plain to do without it; {path} has what to report.")


def _settings(*, ascii_only: bool) -> "DashboardSettings":
    from vmtiming_tui.preferences import config_path
    from vmtiming_tui.tui.settings import load_settings

    return load_settings(config_path(), ascii_only=ascii_only)


async def _show(app: "VmTimingApp") -> None:
    """Run the app and, whatever ended it, end the engine after it."""
    try:
        await app.run_async()
    finally:
        await app.link.close()
    app.model.freeze(on=False)
    app.model.settle()


def run_live(
    plan: RunPlan,
    *,
    ascii_only: bool = False,
    baseline: Side | None = None,
    record: Callable[[bytes], None] | None = None,
) -> "VmTimingApp":
    """Show a run of a live engine; return the app as it was left, its engine ended."""

    async def live() -> "VmTimingApp":
        @asynccontextmanager
        async def connect() -> AsyncIterator[EventSource]:
            async with EngineClient(tap=record) as engine:
                yield engine

        gc.disable()  # nothing of what the start makes is garbage; the app enables it when settled
        from vmtiming_tui.tui.app import VmTimingApp

        app = VmTimingApp(connect, plan, _settings(ascii_only=ascii_only), baseline=baseline)
        await _show(app)
        return app

    return asyncio.run(live())


def run_dashboard(
    plan: RunPlan, wishes: Wishes, record: Callable[[bytes], None] | None = None
) -> int:
    """Show the run as it goes; return the exit code it deserves.

    ``record`` is handed the raw lines of events as they come. The exports that were asked for are
    written at the end, and said on standard error once the terminal is back.
    """
    app = run_live(plan, ascii_only=wishes.ascii_only, baseline=wishes.baseline, record=record)
    return _afterwards(app, wishes)


def _afterwards(app: "VmTimingApp", wishes: Wishes) -> int:
    if app.signal is signal.SIGHUP:
        outlive_hangups()
    fleet = app.model.fleet
    if fleet.failure is not None:
        for line in PlainReport(fleet).diagnostics_for(fleet.failure):
            say(line)
    code = conclude(fleet, wishes)
    if app.crash:
        _tell_of_crash(app.crash)
        return 1
    return code if app.signal is None else 130


def replay_dashboard(
    events: Sequence[Event], plan: RunPlan, *, speed: float = 1.0, ascii_only: bool = False
) -> int:
    """Show a stored run as it went, ``speed`` times as fast; return the exit code."""

    async def played() -> "VmTimingApp":
        from dataclasses import replace

        from vmtiming_tui.tui.app import VmTimingApp

        source = ReplaySource(events, speed)

        @asynccontextmanager
        async def connect() -> AsyncIterator[EventSource]:
            yield source

        settings = replace(_settings(ascii_only=ascii_only), clock=source.now_ns)
        app = VmTimingApp(connect, plan, settings, live=False)
        await _show(app)
        return app

    app = asyncio.run(played())
    if app.crash:
        _tell_of_crash(app.crash)
        return 1
    return 0 if app.signal is None else 130
