"""A run as Markdown (GitHub's kind, tables included), for a ticket or a review."""

import re
from collections.abc import Iterable, Iterator, Sequence

from vmtiming_tui.export.document import (
    NOTHING,
    Boot,
    Document,
    fact_rows,
    figure_rows,
    known_stages,
    seconds,
    seconds_of_ns,
    stage_rows,
)
from vmtiming_tui.summary import Group
from vmtiming_tui.sweep import Sweep
from vmtiming_tui.text import one_line

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
    lines += _vm_table(document)
    if document.cautions:
        lines += ["## Keep in mind", ""]
        lines += [f"- {escaped(str(caution))}" for caution in document.cautions]
        lines.append("")
    lines += ["## Circumstances", ""]
    facts = [(name, escaped(value)) for name, value in fact_rows(document)]
    lines += table(("what", "value"), facts, numeric=2)
    return "\n".join(lines)


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
    heads = ("stage", "VMs", "median", "mean", "p95", "fastest", "slowest")
    return ["## Stages", "", *table(heads, rows)] if rows else []


def _vm_table(document: Document) -> list[str]:
    boots = document.newest
    if not boots:
        return []
    stages = known_stages(boots)
    heads = ("VM", "state", "attempt", "boot", *map(str, stages), "what it said")
    rows = [
        (
            str(boot.attempt.vm),
            boot.word,
            str(boot.attempt.number),
            seconds_of_ns(boot.attempt.boot_ns),
            *(seconds_of_ns(boot.stages.of(stage)) for stage in stages),
            escaped(boot.attempt.why or boot.attempt.text) or NOTHING,
        )
        for boot in boots
    ]
    doubts = list(_doubts(boots))
    return [
        "## VMs",
        "",
        *table(heads, rows, numeric=2, words=1),
        *doubts,
        *([""] if doubts else []),
    ]


def _doubts(boots: Iterable[Boot]) -> Iterator[str]:
    for boot in boots:
        for doubt in boot.stages.doubts:
            yield f"- VM {boot.attempt.vm} is doubtful: {escaped(doubt)}"


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
                    seconds(figures.cluster_s),
                )
            )
    heads = ("storm", "settings", "booted", "median", "p95", "cluster")
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
            seconds(row.cluster.median if row.cluster else None),
            NOTHING if row.vms_per_s is None else f"{row.vms_per_s:.3f}",
            NOTHING if row.relative is None else f"{row.relative:.2f}",
        )
        for row in sweep.rows
    ]
    heads = (*map(escaped, sweep.names), "storms", "booted", "boot", "cluster")
    return [
        "## Sweep",
        "",
        *table((*heads, "VMs per second", "relative"), rows, numeric=len(sweep.names)),
    ]
