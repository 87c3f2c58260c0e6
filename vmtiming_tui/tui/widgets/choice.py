"""One of several that can be chosen."""

from textual.content import Content
from textual.widgets import RadioButton

from vmtiming_tui.tui.app_protocol import Hosted


class Choice(Hosted, RadioButton):
    """A radio button whose sign, not its colour alone, says whether it is the one chosen."""

    BUTTON_LEFT = BUTTON_RIGHT = ""
    BUTTON_INNER = "( )"

    def render(self) -> Content:
        """Return the sign and the label."""
        sign = self.host.glyphs.live if self.value else " "
        self.BUTTON_INNER = f"({sign})"
        return super().render()
