"""Which of many parts of a boot moved, as lines of text and as a table."""

from vmtiming_tui.analysis.comparison.moved import FEWEST_STORMS, Movement
from vmtiming_tui.escape import printable
from vmtiming_tui.report.aligned import aligned_lines
from vmtiming_tui.report.tables import Align, Cell, Head, Table, figure, foreign, own, share, took
from vmtiming_tui.report.wording import SHORT_NOTHING

_MOST = 2.0  # units start side by side: many of them may move by as much as the boot does


def movement_lines(kind: str, parts: Movement, whole_s: float | None) -> list[str]:
    """Return which parts of a kind moved, came and went; ``whole_s``: how far the boot moved."""
    if parts.tested is None:
        return [f"{kind}: which of them moved takes {FEWEST_STORMS} storms a side to say.", ""]
    lines = [
        f"{kind} that moved: {len(parts.moved) or 'none'} of {parts.tested:,} long enough to tell"
    ]
    lines += aligned_lines(movement_table(parts, whole_s)) if parts.moved else []
    for what, names in (("came", parts.came), ("went", parts.went)):
        if names:
            lines.append(f"{kind} that {what}: {', '.join(map(printable, names))}")
    return [*lines, ""]


def movement_table(parts: Movement, whole_s: float | None) -> Table:
    """Return the parts that moved, the farthest first, with their share of the boot's change."""
    return Table(
        heads=(
            Head("name", Align.LEFT),
            Head("first"),
            Head("second"),
            Head("change"),
            Head("of the boot's", short="of boot's"),
            Head("storms"),
            Head("q"),
        ),
        rows=tuple(
            (
                foreign(each.name),
                took(each.first_s),
                took(each.second_s),
                own(f"{each.shift_s:+.4g}s"),
                _share(each.shift_s, whole_s),
                share(each.beyond, each.storms),
                figure(each.q_value, ".3f", ".3f"),
            )
            for each in parts.moved
        ),
    )


def _share(shift_s: float, whole_s: float | None) -> Cell:
    """Return a shift's part of the whole; none where the boot hardly moved, or the other way."""
    part = shift_s / whole_s if whole_s else 0.0
    return own(f"{100 * part:.0f} %" if 0 < part <= _MOST else SHORT_NOTHING)
