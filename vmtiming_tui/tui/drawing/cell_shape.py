"""How VMs are laid out as cells of one sign each: as wide as all of them can be seen; pure."""

from dataclasses import dataclass

_BARE = 2
_WIDTHS = (4, 3, 2, 1)
_ID_SIGN = 2


@dataclass(frozen=True, slots=True)
class CellShape:
    """Cells of ``cell`` columns, ``columns`` of them a row; ids stand in them, or before a row.

    ``label`` is the room for the latter, 0 where each cell has its own.
    """

    columns: int
    cell: int
    id_width: int
    label: int

    @property
    def sign(self) -> int:
        """How wide a stage is drawn."""
        return _ID_SIGN if self.has_ids else max(self.cell - 1, 1)

    @property
    def gap(self) -> int:
        """How much room there is behind it."""
        return 0 if self.has_ids else min(self.cell - 1, 1)

    @property
    def has_ids(self) -> bool:
        """Whether each cell has its id."""
        return not self.label


def cell_shape(width: int, height: int, count: int, highest_id: int) -> CellShape:
    """Return the layout of ``count`` cells; where nothing fits they are as small as can be."""
    id_width = max(len(str(highest_id)), 2)
    label = id_width + 2
    with_ids = id_width + 2 + _ID_SIGN
    shapes = [CellShape(max(width // with_ids, 1), with_ids, id_width, 0)]
    shapes += [
        CellShape(max((width - label) // cell, 1), cell, id_width, label) for cell in _WIDTHS
    ]
    return next((s for s in shapes if -(-count // s.columns) <= height), shapes[-1])


def rows_needed(count: int, width: int) -> int:
    """Return how many lines so many cells take, small but apart."""
    columns = max((width - len(str(count)) - 2) // _BARE, 1)
    return -(-count // columns)
