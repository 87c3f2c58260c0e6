"""What every dialog has in common: a box in the middle, and escape to leave it."""

from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

if TYPE_CHECKING:
    from vmtiming_tui.tui.app import VmTimingApp

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer]):
    """A modal box; ``escape`` leaves it without an answer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c", "cancel", "Back", show=False, priority=True),
        Binding("ctrl+s", "app.screenshot", "Screenshot", show=False),
    ]

    @property
    def host(self) -> "VmTimingApp":
        """The app, as what it is."""
        return cast("VmTimingApp", self.app)

    def action_cancel(self) -> None:
        """Leave without an answer."""
        self.dismiss(None)
