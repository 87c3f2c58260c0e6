"""A dashboard on a recorded stream, with a frozen clock and a source that notes commands."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from rich.color import Color
from rich.style import Style
from textual.pilot import Pilot
from textual.screen import Screen
from textual.strip import Strip
from textual.widgets import DataTable

from support.facts import SECOND
from support.recording import ZERO_NS, plan_for, until
from vmtiming_tui.analysis.comparison.samples import Side
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.commands import Command, Quit
from vmtiming_tui.sources.replay import Player
from vmtiming_tui.tui.app import VmTimingApp
from vmtiming_tui.tui.screens.reckoning import Reckoning
from vmtiming_tui.tui.screens.storm import StormScreen
from vmtiming_tui.tui.state.dashboard import Change
from vmtiming_tui.tui.state.dashboard_settings import DashboardSettings
from vmtiming_tui.tui.state.keymap import LIVE, Need
from vmtiming_tui.tui.state.played_run import PlayedRun

S = TypeVar("S")


class FrozenClock:
    """A clock that stands where it is put; ``at`` is seconds into the run."""

    def __init__(self, at: float = 0.0) -> None:
        self.at = at

    def __call__(self) -> int:
        return ZERO_NS + int(self.at * SECOND)


class RecordedSource:
    """An ``EventSource`` under a test's control: gives what it is fed, notes what it is sent."""

    def __init__(self, events: Iterable[ev.Event] = ()) -> None:
        self.sent: list[Command] = []
        self._batches: asyncio.Queue[list[ev.Event] | None] = asyncio.Queue()
        self.opened = 0
        if first := list(events):
            self.feed(first)

    def feed(self, events: Iterable[ev.Event]) -> None:
        """Have events read next."""
        self._batches.put_nowait(list(events))

    def end(self) -> None:
        """End the stream."""
        self._batches.put_nowait(None)

    def send(self, command: Command) -> None:
        """Note the command; Quit ends the stream, as an engine's does."""
        self.sent.append(command)
        if isinstance(command, Quit):
            self.end()

    async def batches(self) -> AsyncIterator[list[ev.Event]]:
        """Yield what was fed."""
        while (batch := await self._batches.get()) is not None:
            yield batch

    @asynccontextmanager
    async def connect(self) -> AsyncIterator["RecordedSource"]:
        """Be opened by the dashboard."""
        self.opened += 1
        yield self


class HeardApp(VmTimingApp):
    """A dashboard that notes what it says in toasts, which are not drawn in tests."""

    def __init__(self, *args: Any, **how: Any) -> None:
        self.told: list[str] = []
        super().__init__(*args, **how)

    def notify(self, message: str, **how: Any) -> None:
        self.told.append(message)
        super().notify(message, **how)


@dataclass
class Stage:
    """What a test needs at hand."""

    app: HeardApp
    pilot: Pilot[Any]
    source: RecordedSource
    clock: FrozenClock

    @property
    def main(self) -> StormScreen:
        screen = self.app.screen_stack[0]
        assert isinstance(screen, StormScreen)
        return screen

    @property
    def screen(self) -> Screen[Any]:
        return self.app.screen

    def on(self, kind: type[S]) -> S:
        """Return the screen that is on top, which must be of this kind."""
        assert isinstance(self.app.screen, kind), self.app.screen
        return self.app.screen

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def feed(self, events: Iterable[ev.Event], at: float | None = None) -> None:
        """Have events arrive, and the clock go on to ``at``."""
        if at is not None:
            self.clock.at = at
        self.source.feed(events)
        await self.pilot.pause()
        await settle(self.app)
        await self.pilot.pause()

    async def link_ended(self) -> None:
        """Wait till the stream is over."""
        assert await self.app.link.ended(5)

    async def until(self, holds: Callable[[], bool], what: object, limit_s: float = 2.0) -> None:
        """Wait till something holds; fail with what was waited for and the screen."""
        for _ in range(round(limit_s / 0.02)):
            if holds():
                return
            await self.pilot.pause(0.02)
        raise AssertionError(f"not seen: {what}\n{self.text}")

    async def sees(self, words: str) -> None:
        """Wait till these words are on the screen, however they are wrapped."""
        wanted = words.replace(" ", "")
        await self.until(lambda: wanted in self.box or words in self.text, words)

    async def comes(self, kind: type[S]) -> S:
        """Wait till a screen of this kind is on top."""
        await self.until(lambda: isinstance(self.app.screen, kind), kind)
        return self.on(kind)

    @property
    def box(self) -> str:
        """What stands in the dialog on top, without any blanks."""
        lines = self.text.splitlines()
        top = next((line for line in lines if re.search("╭─ [A-Z].*╮", line)), None)
        if top is None:
            return ""
        left, right = top.index("╭"), top.rindex("╮")
        return re.sub(r"\s+", "", "".join(line[left + 1 : right] for line in lines))

    @property
    def text(self) -> str:
        """What is on the screen, as plain lines."""
        return text_of(self.app)

    @property
    def notes(self) -> str:
        """What was said in toasts."""
        return "\n".join(self.app.told)


def _strips(app: VmTimingApp) -> list[Strip]:
    # Textual has no public way to what stands on the screen but a picture of it.
    return app.screen._compositor.render_strips(app.size)


def text_of(app: VmTimingApp) -> str:
    """Return the screen as plain text."""
    return "\n".join(strip.text for strip in _strips(app))


def drawn(app: VmTimingApp) -> list[list[tuple[str, Color | None, Color | None]]]:
    """Return the screen's lines as characters, each with its colour and that behind it."""
    lines = []
    for strip in _strips(app):
        styled = [(char, piece.style or Style()) for piece in strip for char in piece.text]
        lines.append([(char, style.color, style.bgcolor) for char, style in styled])
    return lines


def show(app: VmTimingApp) -> None:
    """Fold all that has come and draw it, without waiting for the timers."""
    model = app.model
    if model.is_frozen:
        change = model.turn()
    else:
        new_run = model.turn(everything=True).new_run
        model.settle()
        model.reorder(now=True)
        change = Change(frozenset(model.fleet.vms), new_run=new_run, order=True, figures=True)
    for screen in app.screen_stack:
        tick = getattr(screen, "tick", None)
        if tick is not None:
            tick(change)
    app._watch_for_failure()


async def settle(app: VmTimingApp) -> None:
    """Show all that has come, and what is reckoned of it beside the loop."""
    await app.workers.wait_for_complete()
    for screen in app.screen_stack:
        for reckoning in vars(screen).values():
            if isinstance(reckoning, Reckoning):
                reckoning._due_s = 0.0
    show(app)
    await app.workers.wait_for_complete()
    for screen in app.screen_stack:
        for table in screen.query(DataTable):
            # Columns get their widths when the table is idle, which nothing tells.
            while table._require_update_dimensions:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


def make(
    events: Iterable[ev.Event] = (),
    at: float = 0.0,
    number: int = 8,
    baseline: Side | None = None,
    there: frozenset[Need] = LIVE,
    **settings: Any,
) -> tuple[HeardApp, RecordedSource, FrozenClock]:
    """Return an app that has not been started yet, with what drives it."""
    source, clock = RecordedSource(until(list(events), at)), FrozenClock(at)
    app = HeardApp(
        source.connect,
        plan_for(number),
        DashboardSettings(clock=clock, **settings),
        baseline=baseline,
        there=there,
    )
    return app, source, clock


@asynccontextmanager
async def dashboard(
    events: Iterable[ev.Event] = (),
    at: float = 0.0,
    size: tuple[int, int] = (120, 40),
    number: int = 8,
    **settings: Any,
) -> AsyncIterator[Stage]:
    """Run a dashboard that shows what was known ``at`` seconds into the run."""
    app, source, clock = make(events, at, number, **settings)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await settle(app)
        await pilot.pause()
        yield Stage(app, pilot, source, clock)
    source.end()
    await app.link.close()


class Watch:
    """The clock of a person who watches a replay; it goes on when it is told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> int:
        return int(self.now_s * SECOND)


def make_replay(
    events: Iterable[ev.Event], number: int = 8, speed: float = 1.0, **settings: Any
) -> tuple[HeardApp, Watch]:
    """Return an app that plays a stored run, not started yet, and the clock of who watches."""
    watch = Watch()
    played = PlayedRun(Player(list(events), speed, watch), plan_for(number), called="r1")
    app = HeardApp(
        RecordedSource().connect, plan_for(number), DashboardSettings(**settings), played=played
    )
    return app, watch


@asynccontextmanager
async def replayed(
    events: Iterable[ev.Event],
    size: tuple[int, int] = (120, 40),
    number: int = 8,
    speed: float = 1.0,
    **settings: Any,
) -> AsyncIterator["Replay"]:
    """Run a dashboard that plays a stored run for a person whose clock stands."""
    app, watch = make_replay(events, number, speed, **settings)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        show(app)
        await pilot.pause()
        yield Replay(app, pilot, RecordedSource(), FrozenClock(), watch)


@dataclass
class Replay(Stage):
    """A stage on which a stored run is played."""

    watch: Watch

    @property
    def player(self) -> Player:
        """What plays the run."""
        played = self.app.model
        assert isinstance(played, PlayedRun)
        return played.player

    @property
    def place_s(self) -> float:
        """How far the run is played."""
        return (self.player.now_ns - self.player.begin_ns) / SECOND

    async def play(self, passed_s: float) -> None:
        """Let the person watch for so long."""
        for _ in range(round(passed_s * 10)):
            self.watch.now_s += 0.1
            self.app.model.turn()
        await self.shown()

    async def shown(self) -> None:
        """Wait till the moment that was wished for is there, and drawn."""
        played = self.app.model
        assert isinstance(played, PlayedRun)
        await self.until(lambda: not played.is_seeking, "the other moment")
        show(self.app)
        await self.pilot.pause()
