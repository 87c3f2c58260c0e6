"""A run as Markdown (GitHub's kind, tables included), for a ticket or a review."""

import re
from collections.abc import Iterable, Sequence

from vmtiming_tui.analysis.summary import Group
from vmtiming_tui.analysis.sweep import Sweep
from vmtiming_tui.escape import one_line
from vmtiming_tui.report.export.document import (
    NOTHING,
    Boot,
    Document,
    fact_rows,
    figure_rows,
    known_stages,
    left_out,
    rate_of,
    seconds,
    seconds_of_ns,
    stage_rows,
)
from vmtiming_tui.report.terminal import comparison_lines

_STEERING = re.compile(
    r"[\\`*_\[\]#|<>&~$@]|:(?=//)|(?<=www)\.|^[-+=:]|(?<=^\d)[.)]|(?<=^\d\d)[.)]", re.IGNORECASE
)
_REFERENCED = "`|<>&$@:."
_MAX_TEXT = 500


def escaped(text: str) -> str:
    """Return foreign text so that Markdown shows it and nothing in it is obeyed.

    Neither HTML nor a link, a mention, a table's bar or a list comes of it.
    """
    return _STEERING.sub(_escape, one_line(text, _MAX_TEXT).strip())


def _escape(match: re.Match[str]) -> str:
    found = match[0]
    return f"&#{ord(found)};" if found in _REFERENCED else f"\\{found}"


def table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], numeric: int = 1, words: int = 0
) -> list[str]:
    """Return a table's lines, cells as they are.

    Columns from ``numeric`` on stand to the right, but for the last ``words``.
    """
    figures = range(numeric, len(heads) - words)
    rule = ["---:" if index in figures else "---" for index in range(len(heads))]
    return [f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows)] + [""]


def render_markdown(document: Document) -> str:
    """Return the run as a page: figures first, then what they rest on."""
    lines = [f"# {escaped(document.title)}", ""]
    if document.word:
        lines += [f"**{document.word}**", ""]
    if document.sweep is not None:
        lines += _sweep(document.sweep)
    if document.has_several_storms:
        lines += _storms(document.groups)
    lines += [f"## {document.figures_title}", ""]
    lines += table(("figure", "value"), figure_rows(document.summary))
    lines += _stage_table(document)
    lines += _comparison(document)
    lines += _vm_table(document)
    if document.cautions:
        lines += ["## Keep in mind", ""]
        lines += [f"- {escaped(str(caution))}" for caution in document.cautions]
        lines.append("")
    lines += ["## Circumstances", ""]
    facts = [(name, escaped(value)) for name, value in fact_rows(document)]
    lines += table(("what", "value"), facts, numeric=2)
    return "\n".join(lines)


def _comparison(document: Document) -> list[str]:
    comparison = document.comparison
    if comparison is None:
        return []
    shown = [f"    {line}".rstrip() for line in comparison_lines(comparison)]
    return ["## Against the baseline", "", *shown, ""]


def _stage_table(document: Document) -> list[str]:
    rows = [
        (
            name,
            str(each.size),
            seconds(each.median),
            seconds(each.mean),
            seconds(each.p95),
            seconds(each.min),
            seconds(each.max),
        )
        for name, each in stage_rows(document.summary)
    ]
    heads = ("stage", "boots", "median", "mean", "p95", "fastest", "slowest")
    words = left_out(document.summary)
    said = [words, ""] if words else []
    return ["## Stages", "", *said, *table(heads, rows)] if rows or words else []


def _vm_table(document: Document) -> list[str]:
    boots = document.listed
    if not boots:
        return []
    stages = known_stages(boots)
    heads = ("VM", "state", "attempt", "boot", *map(str, stages), "what it said")
    rows = [
        (
            str(boot.attempt.vm),
            str(boot.word),
            boot.attempt_word,
            seconds_of_ns(boot.attempt.boot_ns),
            *(seconds_of_ns(boot.stages.of(stage)) for stage in stages),
            escaped(_said(boot)) or NOTHING,
        )
        for boot in boots
    ]
    return ["## VMs", "", *table(heads, rows, numeric=2, words=1)]


def _said(boot: Boot) -> str:
    words = boot.attempt.why or boot.attempt.text
    return "; ".join(each for each in (boot.doubts, words) if each)


def _storms(groups: Sequence[Group]) -> list[str]:
    rows = []
    for group in groups:
        for storm in group.storms:
            figures = storm.summary
            rows.append(
                (
                    str(storm.number),
                    escaped(group.label) or NOTHING,
                    f"{figures.booted} of {figures.number}",
                    seconds(figures.median_s),
                    seconds(figures.p95_s),
                    seconds(figures.all_booted_in_s),
                )
            )
    heads = ("storm", "settings", "booted", "median", "p95", "all booted in")
    lines = ["## Storms", "", *table(heads, rows, numeric=2)]
    for group in groups:
        if group.spread is not None:
            name = f"{escaped(group.label)}: " if group.label else ""
            lines += [
                f"{name}spread of boot times: {seconds(group.spread.within)} within a storm, "
                f"{seconds(group.spread.between)} between storms.",
                "",
            ]
    return lines


def _sweep(sweep: Sweep) -> list[str]:
    rows = [
        (
            *(escaped(row.parameters.get(name, "")) for name in sweep.names),
            str(row.storms),
            f"{row.booted} of {row.attempts}",
            seconds(row.boot.median if row.boot else None),
            seconds(row.all_booted_in.median if row.all_booted_in else None),
            rate_of(row.vms_per_s),
            NOTHING if row.relative is None else f"{row.relative:.2f}",
        )
        for row in sweep.rows
    ]
    heads = (*map(escaped, sweep.names), "storms", "booted", "boot", "all booted in")
    return [
        "## Sweep",
        "",
        *table((*heads, "VMs per second", "relative"), rows, numeric=len(sweep.names)),
    ]
