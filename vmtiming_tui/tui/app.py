"""The dashboard: an app that owns the timer, the theme and the way out, and little else."""

import asyncio
import contextlib
import gc
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

from textual import events
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import LineFilter, NoColor
from textual.geometry import Size
from textual.screen import Screen
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.timer import Timer

from vmtiming_tui.analysis.comparison.samples import Side
from vmtiming_tui.model.commands import Command, Quit, Stop
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.session.streams import Stream
from vmtiming_tui.tui.app_protocol import Hosted, HostedScreen
from vmtiming_tui.tui.drawing.ascii_scroll_bar import AsciiScrollBar
from vmtiming_tui.tui.drawing.glyphs import glyphs_for
from vmtiming_tui.tui.drawing.styled import shown
from vmtiming_tui.tui.drawing.theme import (
    DARK,
    DARK_NAME,
    LIGHT_NAME,
    PLAIN_NAME,
    THEMES,
    palette_for,
)
from vmtiming_tui.tui.driver import driver_for, has_hung_up
from vmtiming_tui.tui.screens.full_screen import models_of
from vmtiming_tui.tui.screens.played import PlayedScreen
from vmtiming_tui.tui.screens.storm import StormScreen
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.state.dashboard_settings import DashboardSettings
from vmtiming_tui.tui.state.engine_link import Connect, EngineLink
from vmtiming_tui.tui.state.keymap import LIVE, Need, Scope
from vmtiming_tui.tui.state.played_run import PlayedRun
from vmtiming_tui.tui.state.questions import about_leaving
from vmtiming_tui.tui.widgets.footer import Footer

TURN_S = 0.1
NEWS_S = TURN_S / 2
"""News is shown this long after the last turn, if it comes before the next."""
_SETTLED_S = 1.0
LEAST_WIDTH, LEAST_HEIGHT = 80, 24
_LEAVE_LIMIT_S = 22.0
_MOST_WAITING_BYTES = 1 << 16
"""A terminal that has so much left to take is drawn on no further: some large frames."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _spare_the_collector() -> None:
    """Have the garbage collector leave out what will stay: its pauses would be seen."""
    gc.collect()
    gc.freeze()
    gc.enable()


def _has_room(size: Size) -> bool:
    """Whether a terminal is large enough for more than a summary."""
    return size.width >= LEAST_WIDTH and size.height >= LEAST_HEIGHT


def _scope_of(screen: Screen[Any]) -> Scope:
    return screen.SCOPE if isinstance(screen, HostedScreen) else Scope.ANYWHERE


class VmTimingApp(App[None], inherit_bindings=False):
    """Folds events ten times a second, and the end of a boot sooner; shows what they add up to.

    ``terminal`` is what it draws on where that is one, and which it does not wait for. Where a
    stored run is ``played``, nothing is connected to.
    """

    CSS_PATH = Path(__file__).with_name("app.tcss")
    TITLE = "vm-timing-report"
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(keymap.ANYWHERE)]
    AUTO_FOCUS = None

    def __init__(
        self,
        connect: Connect,
        plan: RunPlan,
        settings: DashboardSettings | None = None,
        *,
        there: frozenset[Need] = LIVE,
        baseline: Side | None = None,
        terminal: Stream | None = None,
        played: PlayedRun | None = None,
    ) -> None:
        self.terminal = terminal
        self.settings = settings or DashboardSettings()
        plain = not self.settings.colour
        super().__init__(ansi_color=True if plain else None)
        self.no_color |= plain
        ScrollBar.renderer = AsciiScrollBar if self.settings.ascii_only else ScrollBarRender
        self.set_class(self.settings.ascii_only, "-ascii")
        self.glyphs = glyphs_for(ascii_only=self.settings.ascii_only, colour=not plain)
        self.model = played or Model(plan, self.settings.clock, baseline, there)
        self.link = EngineLink(connect, self.model, self.settings.clock, self._hurry)
        self.crash: Exception | None = None
        self.signal: signal.Signals | None = None
        self._turned_s = 0.0
        self._news: Timer | None = None
        self._leaving = False
        self._undrawn = ExitStack()
        self._is_stalled = False
        self._next_plan: RunPlan | None = None
        self._failure_seen: object = None
        for theme in THEMES:
            self.register_theme(theme)
        self.set_keymap(dict(self.settings.keys))
        dark = self.settings.theme == "dark"
        self.palette = palette_for(dark=dark, colour=not plain)
        self.theme = PLAIN_NAME if plain else DARK_NAME if dark else LIGHT_NAME

    # The app's life.

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return our own variables for themes that do not have them."""
        return {"dim": DARK.dim, "faint": DARK.faint}

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return what all that is drawn passes through: without colour, what takes it away."""
        filters = super().get_line_filters()
        return filters if self.settings.colour else [*filters, NoColor()]

    def get_driver_class(self) -> type[Driver]:
        """Return our own driver where Textual would take its own for terminals."""
        usual = super().get_driver_class()
        return driver_for(self.terminal) if self.terminal and usual is LinuxDriver else usual

    def get_default_screen(self) -> Screen[Any]:
        """Begin with all VMs."""
        if isinstance(self.model, PlayedRun):
            return PlayedScreen(self.model)
        return StormScreen(self.model)

    def on_mount(self) -> None:
        """Start the run, the timer, and an orderly way out for signals."""
        if not (self.link.is_open or isinstance(self.model, PlayedRun)):
            self.link.start(self.model.plan)
        self.set_interval(TURN_S, self.turn)
        self.set_timer(_SETTLED_S, _spare_the_collector)
        self.theme_changed_signal.subscribe(self, self._restyle)
        with contextlib.suppress(RuntimeError, ValueError):
            for number in _SIGNALS:
                asyncio.get_running_loop().add_signal_handler(number, self._on_signal, number)
        for problem in self.settings.problems:
            self.notify(
                shown(problem), title="Settings", severity="warning", timeout=20, markup=False
            )

    def _on_signal(self, number: signal.Signals) -> None:
        self.signal = number
        self.link.send(Quit(now=True))
        self.exit(return_code=128 + number)

    # These two are Textual's own. It has no public way to learn of an exception that nothing has
    # caught, nor to end without a traceback, in which it would write out every local variable.

    def _handle_exception(self, error: Exception) -> None:
        """Keep what went wrong for a sentence once the terminal is restored."""
        self.crash = self.crash or error
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Close, and draw no traceback."""
        self.panic()

    def _hurry(self) -> None:
        """News has come: show it before the next turn where that is far."""
        if self._news is None:
            wait_s = self._turned_s + NEWS_S - time.monotonic()
            self._news = self.set_timer(max(wait_s, 0.001), self._turn_for_news)

    def _turn_for_news(self) -> None:
        if self._news is not None:
            self.turn(between=True)

    def turn(self, *, between: bool = False) -> None:
        """Fold what has come and let every screen show what changed."""
        if self.signal is None and not self.is_headless and has_hung_up(sys.__stderr__):
            self._on_signal(signal.SIGHUP)
        self._spare_the_terminal()
        if self._news is not None:
            self._news.stop()
            self._news = None
        self._turned_s = time.monotonic()
        screens = self.screen_stack
        models = models_of(screens, self.model)
        changes = {model: model.turn(between=between) for model in dict.fromkeys(models)}
        for screen, model in zip(screens, models, strict=False):
            if isinstance(screen, HostedScreen):
                screen.tick(changes[model])
        self._watch_for_failure()
        if self._next_plan is not None and self.model.fleet.ran_to_end:
            plan, self._next_plan = self._next_plan, None
            self.link.start(plan)

    def _spare_the_terminal(self) -> None:
        """Draw nothing while the terminal takes nothing, and all of it anew once it has."""
        waiting_bytes = self.terminal.waiting_bytes if self.terminal else 0
        if not self._is_stalled and waiting_bytes > _MOST_WAITING_BYTES:
            self._is_stalled = True
            self._undrawn.enter_context(self.batch_update())
        elif self._is_stalled and waiting_bytes == 0:
            self._is_stalled = False
            self._undrawn.close()
            self.refresh()

    def _watch_for_failure(self) -> None:
        if not self.model.live:
            return  # nobody here can start it anew; the line of troubles says it
        failure = self.model.fleet.failure
        if failure is not None and failure is not self._failure_seen and not self._leaving:
            self._failure_seen = failure
            self._next_plan = None  # it is offered again, where there is somebody to carry it out
            from vmtiming_tui.tui.screens.engine_error import EngineErrorScreen

            self.push_screen(EngineErrorScreen(failure, self.model))

    # Size and theme.

    def on_resize(self, event: events.Resize) -> None:
        """Where there is too little room, show a summary on top of everything until there is."""
        from vmtiming_tui.tui.screens.too_small import TooSmallScreen

        has_room = _has_room(event.size)
        if not (has_room or isinstance(self.screen, TooSmallScreen)):
            self.push_screen(TooSmallScreen(self.model))
        elif has_room and isinstance(self.screen, TooSmallScreen):
            self.pop_screen()

    def _restyle(self, _: object) -> None:
        self.palette = palette_for(dark=self.current_theme.dark, colour=self.settings.colour)
        for screen in self.screen_stack:
            for node in screen.walk_children(with_self=True):
                if isinstance(node, Hosted):
                    node.restyle()

    def action_switch_theme(self) -> None:
        """Switch between dark and light."""
        if self.settings.colour:
            self.theme = LIGHT_NAME if self.current_theme.dark else DARK_NAME

    # Keys, in one place.

    def key_for(self, id: str) -> str:  # noqa: A002  what Textual calls it
        """Return the key of this id as the user has it, for the footer and for words."""
        key, mine = keymap.BY_ID[id], self.settings.keys.get(id)
        if mine is None and key.display:
            return key.display
        return keymap.key_name((mine or key.keys).split(",")[0].strip())

    def keys_for(self, id: str) -> str:  # noqa: A002
        """Return all keys of this id as the user has them, for the help."""
        return keymap.key_names(self.settings.keys.get(id, keymap.BY_ID[id].keys))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Offer every key's action in the palette: those of the screen, then those of the app."""
        for key in keymap.useful(_scope_of(screen), self.there):
            if key.id == "palette":
                continue

            def run(action: str = key.action, target: Screen[Any] = screen) -> None:
                self.run_worker(self._run_action(action, target), exit_on_error=True)

            title = f"{key.label[:1].upper()}{key.label[1:]}"
            yield SystemCommand(title, f"{key.help} ({self.keys_for(key.id)})", run)

    async def _run_action(self, action: str, target: Screen[Any]) -> None:
        name = action.partition("(")[0]
        await self.run_action(action, target if hasattr(target, f"action_{name}") else self)

    async def on_footer_pressed(self, message: Footer.Pressed) -> None:
        """Do what a clicked key of the footer does."""
        await self._run_action(message.action, self.screen)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return false for what would be of no use here."""
        if keymap.is_useless(action, Scope.ANYWHERE, self.there):
            return False
        return super().check_action(action, parameters)

    @property
    def _looked_at(self) -> Model:
        return models_of(self.screen_stack, self.model)[-1]

    @property
    def there(self) -> frozenset[Need]:
        """What is there for keys that need something, as to the run that is looked at."""
        looked_at = self._looked_at
        return looked_at.there | {Need.HOSTS} if looked_at.fleet.hosts.are_many else looked_at.there

    @property
    def live(self) -> bool:
        """Whether there is, or was, an engine; a stored run has none."""
        return self._looked_at.live

    # Commands and the way out.

    def send(self, command: Command) -> None:
        """Ask the engine for something; a stored run obeys nothing."""
        if self.live:
            self.link.send(command)

    @property
    def engine_is_gone(self) -> bool:
        """Whether there is nobody to ask for anything."""
        return self.live and not self.link.is_open

    def offer_another(self) -> None:
        """Ask whether to run the same plan anew, for there is no engine to boot a VM again with."""
        from vmtiming_tui.tui.screens.confirm import ConfirmScreen

        def answered(yes: bool | None) -> None:
            if yes:
                self.begin(self.model.asked)

        question = "The engine is gone, and its VMs with it. Start the whole run anew?"
        self.push_screen(ConfirmScreen("Start anew", question, yes="Start anew"), answered)

    def look_at(self, played: PlayedRun) -> None:
        """Show a stored run over what is shown; one can come back from it."""
        gc.freeze()  # its events are many, and stay: no pause to look through them
        self.push_screen(PlayedScreen(played))

    def begin(self, plan: RunPlan) -> None:
        """Start a run; one that is under way is stopped first."""
        self.model.asked = plan
        if self.model.is_busy:
            self._next_plan = plan
            self.send(Stop())
        else:
            self.link.start(plan)

    async def action_leave(self) -> None:
        """Leave; ask first while VMs run."""
        if not self.model.is_busy or self._leaving:
            await self.leave()
            return
        from vmtiming_tui.tui.screens.confirm import ConfirmScreen

        def answered(yes: bool | None) -> None:
            if yes:
                self.run_worker(self.leave(), exclusive=True, group="leave")

        question = about_leaving(self.model)
        self.push_screen(ConfirmScreen("Leave", question, yes="End and leave"), answered)

    async def leave(self) -> None:
        """End the engine and everything it runs, then the app; at once where asked twice."""
        if self._leaving or not self.link.is_open:
            self.exit()
            return
        self._leaving = True
        self.model.freeze(on=False)
        self.link.send(Quit())
        if self.model.live:
            again = self.key_for("quit")
            self.notify(f"Ending the VMs; {again} again leaves at once.", timeout=_LEAVE_LIMIT_S)
        await self.link.ended(_LEAVE_LIMIT_S)
        self.exit()

    def action_help(self) -> None:
        """Show every key that works here."""
        from vmtiming_tui.tui.screens.help import HelpScreen

        if _has_room(self.size):
            self.push_screen(HelpScreen(_scope_of(self.screen)))

    def action_command_palette(self) -> None:
        """Open the palette; it may be open already beneath the summary of a small terminal."""
        if _has_room(self.size):
            super().action_command_palette()

    def action_screenshot(self, filename: str | None = None, path: str | None = None) -> None:
        """Save this screen as an SVG picture in the current folder and say where."""
        from vmtiming_tui.tui.screenshot import picture_of, save, suggested_name

        if Need.TERMINAL not in self.there:
            self.deliver(picture_of(self), filename or suggested_name())
            return
        try:
            saved = save(self, folder=path, name=filename)
        except OSError as error:
            self.notify(shown(f"{error.filename}: {error.strerror}"), title="Screenshot not saved",
                        severity="error", markup=False)  # fmt: skip
            return
        self.notify(shown(str(saved)), title="Screenshot saved", markup=False)

    def deliver(self, text: str, name: str) -> None:
        """Hand a file to the browser that this is shown in, and say so."""
        data = BytesIO(text.encode(errors="backslashreplace"))
        self.deliver_binary(data, save_filename=name)
        self.notify(shown(name), title="Downloaded", markup=False)

    def copy(self, text: str, what: str) -> None:
        """Put a text on the clipboard, through the terminal (OSC 52), and say so."""
        self.copy_to_clipboard(text)
        self.notify(f"{what} copied", timeout=3, markup=False)
