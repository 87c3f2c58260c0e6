"""One key of the dashboard, what it needs to be of use, and how it is written."""

from dataclasses import dataclass
from enum import StrEnum

from textual.binding import Binding


class Need(StrEnum):
    """What a key needs to be of any use; where that is not there, it is neither obeyed nor shown.

    ``engine``: there is one that obeys. ``terminal``: the dashboard is in the user's own.
    ``player``: a stored run is played, at a pace that can be changed. ``hosts``: there are several.
    """

    ENGINE = "engine"
    TERMINAL = "terminal"
    PLAYER = "player"
    HOSTS = "hosts"


LIVE = frozenset({Need.ENGINE, Need.TERMINAL})
"""What is there where a run is made and shown at once."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key: ``label`` for the footer, ``help`` for the rest; ``rank`` orders the footer.

    ``comes_first`` has it obeyed before what has the focus sees it. It is of use only where what it
    ``needs`` is there.
    """

    id: str
    keys: str
    action: str
    label: str
    help: str
    group: str
    rank: int = 0
    display: str = ""
    comes_first: bool = False
    needs: Need | None = None

    def binding(self) -> Binding:
        """Return Textual's form of it."""
        return Binding(
            self.keys,
            self.action,
            self.label,
            show=self.rank > 0,
            key_display=self.display or None,
            tooltip=self.help,
            id=self.id,
            priority=self.comes_first,
        )


_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "comma": ",",
    "full_stop": ".",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "left_parenthesis": "(",
    "right_parenthesis": ")",
    "dollar_sign": "$",
    "escape": "esc",
    "question": "?",
}


def key_name(key: str) -> str:
    """Return a key as it is written in the help: ``question_mark`` is ``?``, ``f1`` is ``F1``."""
    if key in _NAMES:
        return _NAMES[key]
    if len(key) > 1 and key[0] == "f" and key[1:].isdigit():
        return key.upper()
    return key


def key_names(keys: str) -> str:
    """Return keys as a binding has them (``down,j``) as a person reads them."""
    return " ".join(key_name(key.strip()) for key in keys.split(","))
