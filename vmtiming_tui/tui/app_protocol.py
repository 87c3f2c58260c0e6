"""What screens and widgets may ask of the app, which they need not know for it."""

from typing import Any, ClassVar, Protocol, cast

from textual.app import App

from vmtiming_tui.model.commands import Command
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.tui.drawing.glyphs import Glyphs
from vmtiming_tui.tui.drawing.theme import Palette
from vmtiming_tui.tui.state.dashboard import Change
from vmtiming_tui.tui.state.keymap import Need, Scope, is_useless
from vmtiming_tui.tui.state.played_run import PlayedRun


class AppProtocol(Protocol):
    """The app, as far as what it shows is concerned with it."""

    glyphs: Glyphs

    @property
    def palette(self) -> Palette:
        """The styles of the theme that is on."""
        ...

    @property
    def live(self) -> bool:
        """Whether there is, or was, an engine; a stored run has none."""
        ...

    @property
    def there(self) -> frozenset[Need]:
        """What is there for keys that need something."""
        ...

    @property
    def engine_is_gone(self) -> bool:
        """Whether there is nobody to ask for anything."""
        ...

    def key_for(self, id: str) -> str:  # noqa: A002  what Textual calls it
        """Return the key of this id as the user has it, for the footer and for words."""
        ...

    def keys_for(self, id: str) -> str:  # noqa: A002
        """Return all keys of this id as the user has them, for the help."""
        ...

    def send(self, command: Command) -> None:
        """Ask the engine for something; a stored run obeys nothing."""
        ...

    def look_at(self, played: PlayedRun) -> None:
        """Show a stored run over what is shown; one can come back from it."""
        ...

    def begin(self, plan: RunPlan) -> None:
        """Start a run; one that is under way is stopped first."""
        ...

    def offer_another(self) -> None:
        """Ask whether to run the same plan anew, where there is no engine any more."""
        ...

    def copy(self, text: str, what: str) -> None:
        """Put a text on the clipboard and say so."""
        ...

    def deliver(self, text: str, name: str) -> None:
        """Hand a file to the browser that this is shown in, and say so."""
        ...

    async def leave(self) -> None:
        """End the engine and everything it runs, then the app; at once where asked twice."""
        ...


class _Mounted(Protocol):
    @property
    def app(self) -> App[Any]: ...


class _MountedScreen(_Mounted, Protocol):
    SCOPE: ClassVar[Scope]


class Hosted:
    """A widget or screen that asks its app, the host, for what is said above."""

    @property
    def host(self: _Mounted) -> AppProtocol:
        """The app, as what it is."""
        return cast("AppProtocol", self.app)

    def restyle(self) -> None:
        """Draw everything anew in the host's palette, which has become another one."""


class HostedScreen(Hosted):
    """A screen that is told of every turn, and whose keys the help shows."""

    SCOPE: ClassVar[Scope]

    def check_action(
        self: _MountedScreen, action: str, parameters: tuple[object, ...]
    ) -> bool | None:
        """Return false for what would be of no use here, so that no key of it is offered."""
        del parameters
        return not is_useless(action, self.SCOPE, cast("AppProtocol", self.app).there)

    def tick(self, change: Change) -> None:
        """Show what one turn brought."""
