"""Which pictures there are of a storm, and how the screen's height is divided among them; pure."""

from enum import StrEnum

from vmtiming_tui.tui.drawing.cell_shape import Blocks, cell_shape, rows_needed, rows_of
from vmtiming_tui.tui.drawing.grid_shape import TALLEST, WORD_FROM, most_columns

LEAST_CHART = 5
"""Charts lower than this tell nothing."""

_MOST_CHART = 14
_MOST_CHART_OVER_CELLS = 30
_FEW = 8
_LOW, _HIGH = 22, 30


class Picture(StrEnum):
    """What the VMs are drawn as.

    ``lanes``: a bar each on a common axis. ``cells``: a sign each, as small as it must be.
    ``charts``: all of them at once, the VMs as small cells below.
    """

    LANES = "lanes"
    CELLS = "cells"
    CHARTS = "charts"


def pictures_of(count: int) -> tuple[Picture, ...]:
    """Return the pictures that so many VMs can be shown in."""
    return (Picture.LANES,) if count <= 1 else tuple(Picture)


def best_picture(
    count: int, width: int, height: int, highest_id: int, *, is_by_host: bool = False
) -> Picture:
    """Return the one that shows all of them at once, and each with as much as there is room for.

    Where they stand by their hosts, lanes must have room for words to name these.
    """
    columns = max(width // WORD_FROM, 1) if is_by_host else most_columns(width, highest_id)
    return Picture.LANES if -(-count // columns) <= height else Picture.CELLS


def charts_height(
    picture: Picture, count: int, width: int, height: int, highest_id: int, *,
    blocks: Blocks | None = None,
) -> int:  # fmt: skip
    """Return how many of ``height`` lines the charts take; 0 where the VMs need them more.

    Cells stand in ``blocks`` where they stand by their hosts.
    """
    match picture:
        case Picture.LANES if count <= 1:
            return 0
        case Picture.LANES if count <= height:
            return _over_lanes(count, height)
        case Picture.LANES:
            return _over_columns(count, width, height, highest_id)
        case Picture.CELLS:
            shape = cell_shape(width, height - height * 2 // 5, count, highest_id, blocks)
            sizes = blocks.sizes if blocks else (count,)
            wanted = min(height - rows_of(sizes, shape.columns), _MOST_CHART_OVER_CELLS)
        case Picture.CHARTS:
            wanted = height
    left = height - max(min(rows_needed(count, width, blocks), height // 3), 1)
    return _if_enough(min(wanted, left))


def _over_lanes(count: int, height: int) -> int:
    """Few VMs' lanes grow first; where there are more, the charts have their least before."""
    least = 0 if count <= _FEW else LEAST_CHART + 1
    tall = min(max((height - least) // count, 1), TALLEST if count <= _FEW else TALLEST // 2)
    return _if_enough(min(height - count * tall, _MOST_CHART))


def _over_columns(count: int, width: int, height: int, highest_id: int) -> int:
    wanted = 8 if height >= _HIGH else LEAST_CHART if height >= _LOW else 0
    most = most_columns(width, highest_id)
    if -(-count // most) > height - wanted:
        return wanted if -(-count // most) > height else 0
    columns = -(-count // (height - wanted))
    return _if_enough(min(height - -(-count // columns), _MOST_CHART))


def _if_enough(height: int) -> int:
    return height if height >= LEAST_CHART else 0
