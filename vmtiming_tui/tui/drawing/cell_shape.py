"""How VMs are laid out as cells of one sign each: as wide as all of them can be seen; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

_BARE = 2
_WIDTHS = (4, 3, 2, 1)
_ID_SIGN = 2


@dataclass(frozen=True, slots=True)
class CellShape:
    """Cells of ``cell`` columns, ``columns`` of them a row; ids stand in them, or before a row.

    ``label`` is the room for the latter, 0 where each cell has its own; ``name`` that before them,
    for the host of each block of rows.
    """

    columns: int
    cell: int
    id_width: int
    label: int
    name: int = 0

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


@dataclass(frozen=True, slots=True)
class Blocks:
    """VMs in blocks of rows, so many each: those of a host, whose name has ``name`` cells."""

    sizes: Sequence[int]
    name: int


def cell_shape(
    width: int, height: int, count: int, highest_id: int, blocks: Blocks | None = None
) -> CellShape:
    """Return the layout of ``count`` cells; where nothing fits they are as small as can be."""
    id_width, name = max(len(str(highest_id)), 2), blocks.name if blocks else 0
    label = id_width + 2 + (name + 1 if blocks else 0)
    shapes = [
        CellShape(max((width - label) // cell, 1), cell, id_width, label, name) for cell in _WIDTHS
    ]
    if blocks is None:
        with_ids = id_width + 2 + _ID_SIGN
        shapes.insert(0, CellShape(max(width // with_ids, 1), with_ids, id_width, 0))
    sizes = blocks.sizes if blocks else (count,)
    return next((s for s in shapes if rows_of(sizes, s.columns) <= height), shapes[-1])


def rows_of(sizes: Sequence[int], columns: int) -> int:
    """Return how many rows blocks of these sizes take."""
    return sum(-(-size // columns) for size in sizes)


def rows_needed(count: int, width: int, blocks: Blocks | None = None) -> int:
    """Return how many lines so many cells take, small but apart."""
    label = len(str(count)) + 2 + (blocks.name + 1 if blocks else 0)
    return rows_of(blocks.sizes if blocks else (count,), max((width - label) // _BARE, 1))
