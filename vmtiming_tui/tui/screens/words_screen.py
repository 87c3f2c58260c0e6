"""What the screens have in common that say something in one pane of words, and scroll it."""

from vmtiming_tui.tui.drawing.styled import Part
from vmtiming_tui.tui.screens.full_screen import FullScreen
from vmtiming_tui.tui.screens.scrolling import Scrolling
from vmtiming_tui.tui.widgets.pane import Pane


class WordsScreen(Scrolling, FullScreen[None]):
    """Says its words in the width and the colours there are; a subclass makes its pane."""

    pane: Pane

    @property
    def scrolled(self) -> Pane:
        """The pane."""
        return self.pane

    def words(self) -> list[Part]:
        """Return what there is to say, a line each."""
        raise NotImplementedError

    def on_resize(self) -> None:
        """Say what there is to say in the width there is."""
        self.pane.show(self.words())

    def restyle(self) -> None:
        """Say it in the new colours."""
        self.pane.show(self.words())

    def action_back(self) -> None:
        """Go back to where one came from."""
        self.dismiss()
