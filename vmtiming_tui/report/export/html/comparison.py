"""Runs held against the first of them as one HTML page: verdict, spreads, stages, what moved."""

from collections.abc import Mapping, Sequence

from vmtiming_tui.analysis.comparison.compare import Comparison, Gate, GroupComparison
from vmtiming_tui.analysis.comparison.difference import Difference, Verdict
from vmtiming_tui.analysis.comparison.samples import Sample
from vmtiming_tui.analysis.summary import settings_label
from vmtiming_tui.escape import plural
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.report.comparison_tables import (
    circumstance_table,
    comparison_table,
    setting_table,
)
from vmtiming_tui.report.export.comparison.document import ComparedSetting, ComparisonDocument
from vmtiming_tui.report.export.html import charts
from vmtiming_tui.report.export.html.distribution import (
    Spread,
    distribution_chart,
    distribution_notes,
    spread_of,
)
from vmtiming_tui.report.export.html.markup import Markup, join, tag
from vmtiming_tui.report.export.html.parts import (
    html_table,
    legend,
    section,
    stage_legend,
    table_notes,
)
from vmtiming_tui.report.export.html.whole import whole_page
from vmtiming_tui.report.movement import movement_lines, movement_table

_SERIES = 6
_STYLES: Mapping[Verdict, str] = {Verdict.FASTER: "good", Verdict.SLOWER: "bad"}
_GATE_STYLES: Mapping[Gate, str] = {Gate.PASSED: "good", Gate.TOO_SLOW: "bad"}


def render_html(document: ComparisonDocument) -> str:
    """Return the page."""
    main = tag(
        "main",
        _header(document),
        *(_verdict(document, comparison) for comparison in document.comparisons),
        _spreads(document),
        _curves(document),
        _stages(document),
        *(figure_section(each, _named(each), at) for at, each in enumerate(document.comparisons)),
        *(moved_section(each, at) for at, each in enumerate(document.comparisons)),
        _keep_in_mind(document),
        _circumstances(document),
        tag("footer", "vm-timing-report compare"),
    )
    return whole_page(f"{document.title} · boot times", main)


def _header(document: ComparisonDocument) -> Markup:
    runs = plural(len(document.sides), "run")
    settings = document.settings
    words = [runs, *([f"{len(settings)} settings"] if len(settings) > 1 else [])]
    return tag("header", tag("h1", document.title), tag("p", " · ".join(words), class_="lead"))


def _verdict(document: ComparisonDocument, comparison: Comparison) -> Markup:
    """Return what one of the others is against the first; what is alike of settings stands once."""
    pair = f"{_named(comparison)}: "
    said: dict[str, list[str]] = {}
    for group in comparison.groups:
        said.setdefault(group.words, []).append(settings_label(group.parameters))
    lines = [tag("p", pair, tag("strong", "no setting in common that both booted"))]
    if len(said) == 1:
        lines = [tag("p", pair, tag("strong", words)) for words in said]
    elif said:
        told = (
            tag("li", ", ".join(labels), ": ", tag("strong", words))
            for words, labels in said.items()
        )
        lines = [tag("p", pair), tag("ul", *told, class_="notes")]
    gate = document.gate_of(comparison)
    if gate is not None:
        limit = f"Limit: at most {document.limit_percent:g} % slower: "
        lines.append(tag("p", limit, tag("strong", str(gate), class_=_GATE_STYLES.get(gate))))
    style = _STYLES.get(comparison.verdict, "")
    return tag("div", *lines, class_=f"answer {style}".strip())


def _row_label(document: ComparisonDocument, setting: ComparedSetting, place: int) -> str:
    label = document.sides[place].label
    return f"{setting.label} · {label}" if setting.label else label


def _spread(label: str, style: str, sample: Sample) -> Spread | None:
    times = [time for storm in sample.storms for time in storm.boots]
    lost = sum(storm.lost_count for storm in sample.storms)
    return spread_of(label, style, times, lost) if times else None


def _spreads(document: ComparisonDocument) -> Markup:
    found = [
        _spread(_row_label(document, setting, place), f"series-{place % _SERIES}", sample)
        for setting in document.settings
        for place, sample in sorted(setting.samples.items())
    ]
    spreads = [spread for spread in found if spread is not None]
    chart = distribution_chart(spreads)
    if not chart:
        return Markup("")
    return section("How boot times are spread", chart, *distribution_notes(spreads))


def _curves(document: ComparisonDocument) -> Markup:
    """Return which share of each run's VMs took no longer than that; of one setting alone."""
    settings = document.settings
    if len(settings) != 1:
        return Markup("")
    series = [
        _share_curve(document.sides[place].label, f"series-{place % _SERIES}", sample)
        for place, sample in sorted(settings[0].samples.items())
    ]
    title = "VMs that took no longer than that"
    label = "seconds from a VM's start to its report"
    chart = charts.completion_chart(series, title, label, " %", from_zero=False)
    if not chart:
        return Markup("")
    return section(title, chart, legend((each.style, each.label) for each in series))


def _share_curve(label: str, style: str, sample: Sample) -> charts.Series:
    times = sorted(time for storm in sample.storms for time in storm.boots)
    number = len(times) + sum(storm.lost_count for storm in sample.storms)
    points = [(time, 100 * k // number) for k, time in enumerate(times, start=1)]
    return charts.Series(label, style, 100, points)


def _medians(differences: Sequence[Difference], *, first: bool) -> dict[Stage, float]:
    """Return the stages' medians of one of the two sides (s)."""
    found = {}
    for each in differences:
        figures = each.first if first else each.second
        if each.name in set(map(str, Stage)) and figures is not None and figures.median:
            found[Stage(each.name)] = figures.median
    return found


def _stages(document: ComparisonDocument) -> Markup:
    rows: list[tuple[str, Mapping[Stage, float]]] = []
    for setting in document.settings:
        is_first = True
        for place, comparison in enumerate(document.comparisons, start=1):
            group = _group_of(comparison, setting)
            if group is None:
                continue
            if is_first:
                medians = _medians(group.differences, first=True)
                rows.append((_row_label(document, setting, 0), medians))
                is_first = False
            medians = _medians(group.differences, first=False)
            rows.append((_row_label(document, setting, place), medians))
    known = {stage for _, medians in rows for stage in medians}
    chart = charts.stage_rows([(label, medians) for label, medians in rows if medians])
    if not chart:
        return Markup("")
    keys = stage_legend([stage for stage in Stage if stage in known])
    return section("Stages, the medians of the storms", chart, keys)


def _group_of(comparison: Comparison, setting: ComparedSetting) -> GroupComparison | None:
    """Return what came of a setting in one comparison."""
    alike = (group for group in comparison.groups if group.parameters == setting.parameters)
    return next(alike, None)


def _named(comparison: Comparison) -> str:
    return f"{comparison.second} against {comparison.first}"


def figure_section(comparison: Comparison, title: str, at: int = 0) -> Markup:
    """Return every figure of both sides; of several settings a row each first."""
    groups = comparison.groups
    if not groups:
        return Markup("")
    tables = []
    for place, group in enumerate(groups):
        table = comparison_table(comparison, group)
        listed = join(*table_notes(table), html_table(table, name=f"figures-{at}-{place}"))
        if len(groups) > 1:
            name = tag("summary", settings_label(group.parameters))
            listed = tag("details", name, listed)
        tables.append(listed)
    if len(groups) > 1:
        tables.insert(0, html_table(setting_table(comparison), name=f"settings-{at}"))
    return section(title, *tables)


def moved_section(comparison: Comparison, at: int = 0) -> Markup:
    """Return which units and initcalls moved, where any storm tells of them."""
    parts: list[Markup] = []
    for place, group in enumerate(comparison.groups):
        label = f"{settings_label(group.parameters)}: " if group.parameters else ""
        for kind, movement in group.parts.items():
            words = [line for line in movement_lines(kind, movement, None) if line]
            parts.append(tag("p", label, words[0]))
            if movement.moved:
                table = movement_table(movement, group.boot.shift_s)
                parts.append(html_table(table, name=f"moved-{at}-{place}-{kind}"))
            parts += [
                tag("p", f"{what}: {', '.join(names)}")
                for what, names in (("came", movement.came), ("went", movement.went))
                if names
            ]
    return section(f"What moved: {_named(comparison)}", *parts) if parts else Markup("")


def _keep_in_mind(document: ComparisonDocument) -> Markup:
    items = [tag("li", caution) for caution in document.cautions]
    return section("Keep in mind", tag("ul", *items, class_="notes")) if items else Markup("")


def _circumstances(document: ComparisonDocument) -> Markup:
    table = circumstance_table(document.sides)
    return section("The runs and their circumstances", html_table(table, name="circumstances"))
