"""What every screen but a dialog has in common: the header above it and the keys below it."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget

from vmtiming_tui.tui.app_protocol import HostedScreen
from vmtiming_tui.tui.state.dashboard import Change, Model
from vmtiming_tui.tui.widgets.footer import Footer
from vmtiming_tui.tui.widgets.header import Header

Answer = TypeVar("Answer")


class FullScreen(HostedScreen, Screen[Answer]):
    """A screen about the model, with a header and a footer."""

    AUTO_FOCUS = ""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self.header = Header(model, id="header")
        self.footer = Footer(self.SCOPE, id="footer")

    def compose(self) -> ComposeResult:
        """From the top down."""
        yield self.header
        yield from self.body()
        yield self.footer

    def body(self) -> Iterable[Widget]:
        """Return what stands between header and footer."""
        raise NotImplementedError

    def tick(self, change: Change) -> None:
        """Keep the header true."""
        self.header.renew()


def models_of(screens: Sequence[Screen[Any]], own: Model) -> list[Model]:
    """Return the model that each screen of a stack is about, from the bottom.

    A dialog is about that of the screen it lies over. Where there is no screen, it is ``own``.
    """
    models: list[Model] = []
    for screen in screens:
        beneath = models[-1] if models else own
        models.append(screen.model if isinstance(screen, FullScreen) else beneath)
    return models or [own]
