"""Which of many parts of a boot moved, as lines of text and as a table."""

from vmtiming_tui.analysis.comparison.moved import FEWEST_STORMS, Movement
from vmtiming_tui.escape import printable
from vmtiming_tui.report.aligned import aligned_lines
from vmtiming_tui.report.tables import Align, Head, Table, figure, foreign, own, took


def movement_lines(kind: str, parts: Movement) -> list[str]:
    """Return which parts of a kind moved, came and went."""
    if parts.tested is None:
        return [f"{kind}: which of them moved takes {FEWEST_STORMS} storms a side to say.", ""]
    lines = [
        f"{kind} that moved: {len(parts.moved) or 'none'} of {parts.tested:,} long enough to tell"
    ]
    lines += aligned_lines(movement_table(parts)) if parts.moved else []
    for what, names in (("came", parts.came), ("went", parts.went)):
        if names:
            lines.append(f"{kind} that {what}: {', '.join(map(printable, names))}")
    return [*lines, ""]


def movement_table(parts: Movement) -> Table:
    """Return the parts that moved, the farthest first."""
    return Table(
        heads=(
            Head("name", Align.LEFT),
            Head("first"),
            Head("second"),
            Head("change"),
            Head("q"),
        ),
        rows=tuple(
            (
                foreign(each.name),
                took(each.first_s),
                took(each.second_s),
                own(f"{each.shift_s:+.4g}s"),
                figure(each.q_value, ".3f", ".3f"),
            )
            for each in parts.moved
        ),
    )
