"""How VMs are laid out: as few columns as show all of them, so that each gets the most room."""

from dataclasses import dataclass

SECONDS_WIDTH = 6
TALLEST = 8
"""One of several lanes has this many lines at the most."""

_WORD_WIDTH = 10
_FIXED = 12
WORD_FROM = 44
"""A cell this wide has room for words beside its figures."""

_LEAST_BAR = 3
_GAP = 1
_NOTE_FROM = 104


@dataclass(frozen=True, slots=True)
class GridShape:
    """The grid's geometry in cells; ``bar`` is 0 where there is no room for one.

    ``note`` is the room for a few words to the right of the bar, if any, ``host`` that for the name
    of a VM's host, with a blank after it.
    """

    columns: int
    cell: int
    row_height: int
    id_width: int
    bar: int
    word: bool
    note: int = 0
    host: int = 0

    @property
    def bar_at(self) -> int:
        """Where in a cell the bar begins."""
        return _FIXED + self.id_width + self.host + (_WORD_WIDTH if self.word else 0)


def most_columns(width: int, highest_id: int) -> int:
    """Return how many VMs there is room for side by side, without their bars."""
    return max(width // (_FIXED + max(len(str(highest_id)), 2)), 1)


def shape_for(width: int, height: int, count: int, highest_id: int, host: int = 0) -> GridShape:
    """Return the layout of ``count`` VMs on ``width`` x ``height`` cells.

    Columns are added only till everything fits without scrolling. Where nothing fits, cells are
    as small as a short bar allows. Where there is room for words, the name of a VM's host gets
    ``host`` cells.
    """
    id_width = max(len(str(highest_id)), 2)
    bare = _FIXED + id_width
    with_bar = bare + _LEAST_BAR + _GAP
    height = max(height, 1)
    most = most_columns(width, highest_id)
    comfortable = max(width // with_bar, 1)
    needed = max(-(-count // height), 1)
    columns = needed if needed <= most else comfortable
    cell = max(width // columns, 1)
    word = cell >= WORD_FROM
    host = host + _GAP if host and word else 0
    bar = cell - _FIXED - id_width - host - (_WORD_WIDTH if word else 0) - _GAP
    rows = max(-(-count // columns), 1)
    row_height = 1
    if columns == 1:
        row_height = height if count == 1 else min(max(height // rows, 1), TALLEST)
    note = bar * 2 // 5 if row_height == 1 and cell >= _NOTE_FROM else 0
    bar -= note + _GAP * bool(note)
    return GridShape(columns, cell, row_height, id_width, max(bar, 0), word, note, host)
