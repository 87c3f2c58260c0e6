"""A comparison as Markdown, short enough for a comment on a pull request: the verdict first.

GitHub takes 65,536 characters a comment. What folds away in ``<details>`` is left out where the
whole would be too long.
"""

from collections.abc import Iterable, Mapping

from vmtiming_tui.analysis.comparison.compare import Comparison, Gate, GroupComparison
from vmtiming_tui.analysis.comparison.difference import Verdict
from vmtiming_tui.analysis.comparison.moved import FEWEST_STORMS, Movement
from vmtiming_tui.analysis.summary import settings_label
from vmtiming_tui.escape import plural
from vmtiming_tui.report.comparison_tables import (
    circumstance_table,
    comparison_table,
    setting_table,
)
from vmtiming_tui.report.export.comparison.document import ComparisonDocument
from vmtiming_tui.report.export.markdown_parts import escaped, markdown_table
from vmtiming_tui.report.movement import movement_table

MOST_CHARACTERS = 60_000
_LEFT_OUT = "Details are left out: they were too long."
_MOST_MOVED = 5
_MOST_CAUTIONS = 4
_SIGNS: Mapping[Verdict, str] = {
    Verdict.SLOWER: "🔴",
    Verdict.FASTER: "🟢",
    Verdict.THE_SAME: "⚪",
    Verdict.CANNOT_TELL: "❔",
    Verdict.NOT_COMPARED: "❔",
}
_GATES: Mapping[Gate, str] = {
    Gate.PASSED: "passed",
    Gate.TOO_SLOW: "**too slow**",
    Gate.CANNOT_TELL: "cannot be told",
}


def render_markdown(document: ComparisonDocument) -> str:
    """Return the comparison as a comment: verdicts, a table each, what moved, cautions."""
    whole = _rendered(document, is_whole=True)
    if len(whole) <= MOST_CHARACTERS:
        return whole
    kept, left = [], MOST_CHARACTERS - len(_LEFT_OUT) - 2
    for line in _rendered(document, is_whole=False).splitlines():
        left -= len(line) + 1
        if left < 0:
            break
        kept.append(line)
    return "\n".join([*kept, "", _LEFT_OUT, ""])


def _rendered(document: ComparisonDocument, *, is_whole: bool) -> str:
    lines = [f"## Boot times: {escaped(document.title)}", ""]
    for comparison in document.comparisons:
        if len(document.comparisons) > 1:
            pair = f"{escaped(comparison.second)} against {escaped(comparison.first)}"
            lines += [f"### {pair}", ""]
        lines += pair_lines(comparison, document.limit_percent, is_whole=is_whole)
    lines += caution_lines(document.cautions, is_whole=is_whole)
    if is_whole:
        table = markdown_table(circumstance_table(document.sides))
        lines += _folded("The runs and their circumstances", table)
    return "\n".join(lines)


def _folded(title: str, lines: list[str]) -> list[str]:
    return [f"<details><summary>{title}</summary>", "", *lines, "</details>", ""]


def pair_lines(
    comparison: Comparison, limit_percent: float | None = None, *, is_whole: bool = True
) -> list[str]:
    """Return what one run is against another: the verdict, a table, what moved.

    Of several settings there is a row each, and theirs are folded away, as the rest of what moved
    is; only of a whole one.
    """
    groups = comparison.groups
    if not groups:
        pair = f"{escaped(comparison.second)} and {escaped(comparison.first)}"
        return [f"**{pair} have no setting in common that both booted.**", ""]
    lines = [*_verdict(comparison), *_gate(comparison, limit_percent)]
    if len(groups) == 1:
        lines += markdown_table(comparison_table(comparison, groups[0]).without_details())
        return lines + _moved(groups[0], is_whole=is_whole)
    lines += markdown_table(setting_table(comparison).without_details())
    if is_whole:
        for group in groups:
            table = markdown_table(comparison_table(comparison, group).without_details())
            shown = [*table, *_moved(group, is_whole=False)]
            lines += _folded(escaped(settings_label(group.parameters)), shown)
    return lines


def _verdict(comparison: Comparison) -> list[str]:
    """Return the verdict in a sentence; of several settings the worst, and how many are what."""
    if len(comparison.groups) == 1:
        boot = comparison.groups[0].boot
        beside = [f"{escaped(sentence)}  " for sentence in comparison.groups[0].sentences[1:]]
        return [f"{_SIGNS[boot.verdict]} **{boot.words}**  ", *beside, ""]
    counted: dict[Verdict, int] = {}
    for group in comparison.groups:
        counted[group.boot.verdict] = counted.get(group.boot.verdict, 0) + 1
    told = ", ".join(f"{verdict} in {count}" for verdict, count in counted.items())
    settings = plural(len(comparison.groups), "setting")
    return [f"{_SIGNS[comparison.verdict]} **{settings}: {told}**", ""]


def _gate(comparison: Comparison, limit_percent: float | None) -> list[str]:
    if limit_percent is None:
        return []
    gate = _GATES[comparison.gate(limit_percent)]
    return [f"Limit: at most {limit_percent:g} % slower: {gate}", ""]


def _moved(group: GroupComparison, *, is_whole: bool) -> list[str]:
    lines: list[str] = []
    for kind, parts in group.parts.items():
        lines += _moved_of(kind, parts, group.boot.shift_s, is_whole=is_whole)
    return lines


def _moved_of(kind: str, parts: Movement, whole_s: float | None, *, is_whole: bool) -> list[str]:
    if parts.tested is None:
        return [f"{kind.capitalize()}: which moved takes {FEWEST_STORMS} storms a side to say.", ""]
    many = f"{len(parts.moved) or 'none'} of {parts.tested:,} long enough to tell"
    lines = [f"{kind.capitalize()} that moved: {many}", ""]
    if parts.moved:
        table = markdown_table(movement_table(parts, whole_s))
        lines += [*table[: 2 + _MOST_MOVED], ""]
        if is_whole and len(parts.moved) > _MOST_MOVED:
            lines += _folded(f"All {len(parts.moved)} {kind} that moved", table)
    for what, names in (("came", parts.came), ("went", parts.went)):
        if names:
            shown = ", ".join(map(escaped, names[:_MOST_MOVED]))
            more = f" and {len(names) - _MOST_MOVED} more" if len(names) > _MOST_MOVED else ""
            lines += [f"{kind.capitalize()} that {what}: {shown}{more}", ""]
    return lines


def caution_lines(cautions: Iterable[str], *, is_whole: bool = True) -> list[str]:
    """Return what makes a comparison doubtful; of many the rest is folded away."""
    listed = [f"- {escaped(caution)}" for caution in cautions]
    if not listed:
        return []
    lines = ["Keep in mind:", "", *listed[:_MOST_CAUTIONS], ""]
    if rest := listed[_MOST_CAUTIONS:]:
        more = f"{len(rest)} more to keep in mind"
        lines += _folded(more, [*rest, ""]) if is_whole else [f"And {more}.", ""]
    return lines
