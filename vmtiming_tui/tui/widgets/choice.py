"""One of several that can be chosen."""

from typing import TYPE_CHECKING, cast

from textual.content import Content
from textual.widgets import RadioButton

if TYPE_CHECKING:
    from vmtiming_tui.tui.app import VmTimingApp


class Choice(RadioButton):
    """A radio button whose sign, not its colour alone, says whether it is the one chosen."""

    BUTTON_LEFT = BUTTON_RIGHT = ""
    BUTTON_INNER = "( )"

    def render(self) -> Content:
        """Return the sign and the label."""
        sign = cast("VmTimingApp", self.app).glyphs.live if self.value else " "
        self.BUTTON_INNER = f"({sign})"
        return super().render()
