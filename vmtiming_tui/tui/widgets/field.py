"""A field to type into: one line of what can be seen, of a length a person can mean."""

from textual import events
from textual.widgets import Input

from vmtiming_tui.escape import printable

MOST_CHARACTERS = 4000
"""More than the longest path there is, and than the kernel takes arguments."""


class Field(Input):
    """Takes what is pasted as one line, its unseen characters as escapes, and no more than fits."""

    def __init__(
        self,
        value: str = "",
        *,
        placeholder: str = "",
        id: str | None = None,  # noqa: A002  Textual's name
        classes: str | None = None,
    ) -> None:
        super().__init__(
            value,
            placeholder=placeholder,
            id=id,
            classes=classes,
            compact=True,
            max_length=MOST_CHARACTERS,
        )

    def on_paste(self, event: events.Paste) -> None:
        """Take the first line that is not empty, in place of what is selected."""
        selected = len(self.selected_text)
        room = max(MOST_CHARACTERS - len(self.value) + selected, 0)
        line = next(filter(str.strip, event.text[: 2 * MOST_CHARACTERS].splitlines()), "")
        self.replace(printable(line.strip(), keep="")[:room], *self.selection)
        event.stop()
        event.prevent_default()
