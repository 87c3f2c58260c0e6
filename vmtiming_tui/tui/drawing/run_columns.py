"""The columns of the list of past runs, as many as there is room for; pure."""

import time
from enum import StrEnum

from vmtiming_tui.analysis.comparison.samples import moment
from vmtiming_tui.history.rows import StoredRun
from vmtiming_tui.request.labels import label_words
from vmtiming_tui.tui.drawing.braille import sparkline
from vmtiming_tui.tui.drawing.glyphs import Glyphs
from vmtiming_tui.tui.drawing.styled import clip, shown

_SPARK_WIDTH = 12
_YEAR_FROM = 78


class RunColumn(StrEnum):
    """A column, by its head."""

    MARK = ""
    RUN = "run"
    WHEN = "when"
    STATE = "state"
    BOOTED = "booted"
    MEDIAN = "median"
    P95 = "p95"
    ALL_BOOTED_IN = "all booted in"
    STORMS = "storms"
    ACCEL = "accel"
    AGAINST = "against"
    COMPLETION = "completion"
    LABELS = "labels"


_FROM = {
    RunColumn.P95: _YEAR_FROM,
    RunColumn.ALL_BOOTED_IN: 96,
    RunColumn.COMPLETION: 122,
    RunColumn.STORMS: 134,
    RunColumn.ACCEL: 142,
    RunColumn.LABELS: 150,
    RunColumn.AGAINST: 170,
}
_FIGURES = frozenset(
    {RunColumn.BOOTED, RunColumn.MEDIAN, RunColumn.P95, RunColumn.ALL_BOOTED_IN, RunColumn.STORMS}
)
_FIGURE = 7


def aligned(column: RunColumn, text: str) -> str:
    """Return a column's head or cell as it stands in it: figures at the right."""
    return text.rjust(max(len(column), _FIGURE)) if column in _FIGURES else text


def run_columns(width: int) -> tuple[RunColumn, ...]:
    """Return the columns that a list so wide has room for."""
    return tuple(column for column in RunColumn if width >= _FROM.get(column, 0))


def run_cell(run: StoredRun, column: RunColumn, width: int, glyphs: Glyphs) -> str:
    """Return what stands in a column of a list so wide; nothing in the one for marks."""
    match column:
        case RunColumn.MARK:
            return ""
        case RunColumn.RUN:
            return clip(shown(run.label), max(width // 4, 16), glyphs.ellipsis)
        case RunColumn.WHEN:
            when = moment(run.wall_ns)
            this_year = when.startswith(time.strftime("%Y-"))
            return when if width >= _YEAR_FROM or not this_year else when.partition("-")[2]
        case RunColumn.STATE:
            return str(run.state)
        case RunColumn.BOOTED:
            return f"{run.booted}/{run.boots}"
        case RunColumn.MEDIAN:
            return _seconds(run.median_s)
        case RunColumn.P95:
            return _seconds(run.p95_s)
        case RunColumn.ALL_BOOTED_IN:
            return _seconds(run.all_booted_in_s)
        case RunColumn.STORMS:
            return str(run.storms)
        case RunColumn.ACCEL:
            return shown(run.accel)
        case RunColumn.AGAINST:
            return shown(run.baseline.label) if run.baseline else ""
        case RunColumn.COMPLETION:
            return sparkline(spark_values(run), glyphs.blocks, _SPARK_WIDTH)
        case RunColumn.LABELS:
            return shown(label_words(run.labels.items()))


def _seconds(value_s: float | None) -> str:
    """Return a figure in as many digits as the others of its column."""
    return "-" if value_s is None else f"{value_s:.2f} s"


def spark_values(run: StoredRun, width: int = _SPARK_WIDTH) -> list[float]:
    """Return how many VMs had booted, in percent, at ``width`` moments of the last storm."""
    if not run.curve:
        return []
    last_s, top = run.curve[-1]
    moments = [last_s * (at + 1) / width for at in range(width)]
    return [
        100 * max((k for at_s, k in run.curve if at_s <= at), default=0) / max(top, 1)
        for at in moments
    ]
