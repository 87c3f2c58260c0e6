"""A run as one HTML page that needs nothing but itself."""

from collections.abc import Iterable, Sequence

from vmtiming_tui.analysis.summary import Group, Summary, completion
from vmtiming_tui.analysis.units.boot_chart import chart_of_boots
from vmtiming_tui.analysis.units.many_boots import units_of_run
from vmtiming_tui.analysis.units.unit_sort import UnitSort
from vmtiming_tui.escape import plural, shell_line
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.report.export.document import (
    Document,
    ExportedBoot,
    boot_table,
    fact_table,
    known_stages,
)
from vmtiming_tui.report.export.html import charts
from vmtiming_tui.report.export.html.boot_chart import boot_chart, chart_style
from vmtiming_tui.report.export.html.markup import Content, Markup, join, tag
from vmtiming_tui.report.export.html.parts import Drawings, html_table, legend, pairs, table_notes
from vmtiming_tui.report.export.html.whole import whole_page
from vmtiming_tui.report.findings import comparison_lines, decision_lines, slowest_lines
from vmtiming_tui.report.kernel_report import kernel_table, kernel_title
from vmtiming_tui.report.tables import (
    Align,
    Head,
    figure_table,
    foreign,
    stage_table,
    storm_table,
    sweep_table,
    threshold_table,
)
from vmtiming_tui.report.unit_tables import unit_table
from vmtiming_tui.report.wording import exact_rate, exact_seconds, exact_seconds_of_ns, utc

_SERIES = 6
_MOST_FAINT = 20
_MOST_TEXT = 2000
_BAR_PLACE = 4  # right of the time of the boot it draws


def render_html(document: Document) -> str:
    """Return the page."""
    title = f"{document.title} · boot times"
    return whole_page(title, _main(document), style=chart_style())


def _main(document: Document) -> Markup:
    return tag(
        "main",
        _header(document),
        _tiles(document),
        _slowest(document),
        _curves(document),
        _sweep(document),
        _storms(document),
        _stages(document),
        _units(document),
        _kernels(document),
        _decision(document),
        _thresholds(document),
        _comparison(document),
        _keep_in_mind(document),
        _vms(document),
        _circumstances(document),
        _footer(document),
    )


def _section(title: str, *parts: Content) -> Markup:
    return tag("section", tag("h2", title), *parts)


def _header(document: Document) -> Markup:
    run, plan = document.fleet.run, document.plan
    boots = [boot for boot in document.boots if boot.counts]
    booted = sum(boot.attempt.boot_ns is not None for boot in boots)
    storms = sum(len(group.storms) for group in document.groups)
    words = [f"{booted} of {plural(len(boots), 'VM')} booted"]
    if document.has_several_storms:
        words = [f"{storms} storms, {booted} of {len(boots)} boots succeeded"]
    if run is not None:
        words += [f"on {run.host.hostname}", document.fleet.accel, utc(run.wall_ns)]
    return tag(
        "header",
        tag("h1", document.title),
        tag("p", " · ".join(word for word in words if word), class_="lead"),
        tag("p", plan.notes, class_="lead") if plan is not None and plan.notes else "",
        tag("p", document.word, class_="mark", id="mark") if document.word else "",
    )


def _tiles(document: Document) -> Markup:
    """Return the figures to see first; a sweep has none, its table is what counts."""
    if document.sweep is not None:
        return Markup("")
    several = document.has_several_storms
    tiles = _storm_tiles(document.groups[0]) if several else _boot_tiles(document.summary)
    return tag(
        "dl",
        *(
            tag("div", tag("dt", name), tag("dd", value, tag("small", more)), class_="tile")
            for name, value, more in tiles
        ),
        class_="tiles",
    )


def _slowest(document: Document) -> Markup:
    return join(*(tag("p", line, class_="answer") for line in slowest_lines(document.slowest)))


def _between(low: float, high: float) -> str:
    return f"{low:.3f} to {high:.3f} s"


def _boot_tiles(summary: Summary) -> list[tuple[str, str, str]]:
    interval = summary.median_interval
    hidden = "hidden by those not booted" if summary.booted and summary.lost else ""
    p99 = hidden if summary.p99_s is None else f"p99 {exact_seconds(summary.p99_s)}"
    return [
        (
            "all booted in" if summary.booted == summary.number else "those booted took",
            exact_seconds(summary.last_booted_s),
            f"{summary.booted} of {plural(summary.number, 'VM')}",
        ),
        (
            "median boot",
            exact_seconds(summary.median_s),
            _between(interval.low, interval.high) if interval else "",
        ),
        (
            "mean",
            exact_seconds(summary.mean_s),
            "" if summary.stddev_s is None else f"± {exact_seconds(summary.stddev_s)}",
        ),
        ("p95", exact_seconds(summary.p95_s), p99),
        ("fastest", exact_seconds(summary.min_s), ""),
        ("slowest", exact_seconds(summary.max_s), ""),
    ]


def _storm_tiles(group: Group) -> list[tuple[str, str, str]]:
    medians, whole, rates = group.medians, group.all_booted_in, group.rates
    known = f"of {len(group.storms)} storms"
    interval = medians.interval if medians else None
    return [
        (
            "median boot",
            exact_seconds(medians.median if medians else None),
            _between(interval.low, interval.high) if interval else known,
        ),
        (
            "all booted in",
            exact_seconds(whole.median if whole else None),
            _between(whole.min, whole.max) if whole else "",
        ),
        ("VMs per second", exact_rate(rates.median if rates else None), ""),
        ("spread within a storm", exact_seconds(group.spread.within if group.spread else None), ""),
        (
            "spread between storms",
            exact_seconds(group.spread.between if group.spread else None),
            "",
        ),
    ]


def _series(groups: Sequence[Group]) -> list[charts.Series]:
    """Return a curve for each setting's last storm, and faint ones for the storms before."""
    faint: list[charts.Series] = []
    strong: list[charts.Series] = []
    for index, group in enumerate(groups):
        for storm in group.storms[-_MOST_FAINT:]:
            is_last = storm is group.storms[-1]
            points = [(ns / 1e9, k) for ns, k in completion(storm.attempts)]
            style = f"series-{index}" if is_last and index < _SERIES else "faint"
            if is_last or len(groups) == 1:
                label = group.label or storm.label
                series = charts.Series(label, style, len(storm.attempts), points)
                (faint if style == "faint" else strong).append(series)
    return faint + strong


def _curves(document: Document) -> Markup:
    series = _series(document.groups)
    chart = charts.completion_chart(series)
    if not chart:
        return Markup("")
    strong = [each for each in series if each.style != "faint"]
    keys = [(each.style, each.label) for each in strong]
    if len(strong) < len(series):
        keys.append(("faint", "storms before" if len(document.groups) == 1 else "further settings"))
    keyed = legend(keys) if len(series) > 1 else Markup("")
    return _section("VMs booted over time", chart, keyed)


def _storms(document: Document) -> Markup:
    if not document.has_several_storms:
        return Markup("")
    storms = sorted(
        (storm for group in document.groups for storm in group.storms),
        key=lambda storm: storm.number,
    )
    table = storm_table(document.groups, storms)
    return _section(
        "Storms", charts.storm_chart(storms), *table_notes(table), html_table(table, name="storms")
    )


def _sweep(document: Document) -> Markup:
    if document.sweep is None:
        return Markup("")
    table = sweep_table(document.sweep).without_details()
    return _section("Sweep", *table_notes(table), html_table(table, name="sweep"))


def _stages(document: Document) -> Markup:
    table = stage_table(document.summary)
    if not table.rows:
        return Markup("")
    medians = list(document.summary.stage_medians_s.items())
    return _section(
        "Stages",
        charts.median_bar(medians),
        _stage_legend([stage for stage, _ in medians]),
        tag("h3", "Over the boots that can be believed"),
        *table_notes(table),
        html_table(table, name="stages"),
    )


def _units(document: Document) -> Markup:
    """Return the boot chart; boots with different settings have no median in common."""
    if document.sweep is not None:
        return Markup("")
    found = units_of_run(document.fleet, document.scope)
    chart = chart_of_boots(found, document.summary.stage_medians_s)
    if chart is None:
        return Markup("")
    title = f"Units, the median of {plural(found.boots, 'boot')}"
    table = unit_table(found, UnitSort.OWN)
    return _section(
        title,
        tag("div", boot_chart(chart, title), class_="chart"),
        tag(
            "details",
            tag("summary", f"All {plural(len(table.rows), 'unit')} as a table"),
            *table_notes(table),
            html_table(table, name="units"),
        ),
    )


def _kernels(document: Document) -> Markup:
    sections = []
    for number, figures in enumerate(document.kernels):
        table = kernel_table(figures)
        listed = html_table(table, name=f"kernel-{number}")
        sections.append(_section(kernel_title(figures), *table_notes(table), listed))
    return join(*sections)


def _stage_legend(stages: Iterable[Stage]) -> Markup:
    return legend((f"stage-{stage}", str(stage)) for stage in stages)


def _decision(document: Document) -> Markup:
    lines = decision_lines(document.fleet, document.decisions)
    return _section("Decision", tag("pre", "\n".join(lines))) if lines else Markup("")


def _thresholds(document: Document) -> Markup:
    if not document.judged:
        return Markup("")
    return _section("Thresholds", html_table(threshold_table(document.judged), name="thresholds"))


def _comparison(document: Document) -> Markup:
    comparison = document.comparison
    if comparison is None:
        return Markup("")
    lines = comparison_lines(comparison)
    return _section("Against the baseline", tag("pre", "\n".join(lines)))


def _keep_in_mind(document: Document) -> Markup:
    failure = document.fleet.failure
    texts = [failure.why] if failure is not None else []
    texts += [str(caution) for caution in document.cautions]
    if not texts:
        return Markup("")
    return _section("Keep in mind", tag("ul", *(tag("li", each) for each in texts), class_="notes"))


def _vms(document: Document) -> Markup:
    boots = document.listed
    if not boots:
        return Markup("")
    longest_ns = max((boot.attempt.boot_ns or 0 for boot in boots), default=0)
    bars = [charts.stage_bar(boot, longest_ns) for boot in boots]
    table, words = boot_table(boots), [foreign(_words(boot)) for boot in boots]
    if any(cell.text for cell in words):
        table = table.with_column(Head("words", Align.WRAPPED), words)
    listed = html_table(table, name="vms", drawings=Drawings("stages", _BAR_PLACE, bars))
    field = tag(
        "input", type="search", placeholder="filter", aria_label="filter the VMs", hidden=True,
        data_filters="vms",
    )  # fmt: skip
    title = "VMs, the newest boot of each that counts" if document.has_several_storms else "VMs"
    above = tag("div", tag("h2", title), field, class_="above")
    return tag("section", above, _stage_legend(known_stages(boots)), listed)


def _words(boot: ExportedBoot) -> str:
    """Return what is to be said of a boot: why it failed, or the guest's words if that is all."""
    if boot.attempt.why:
        return boot.attempt.why
    text = boot.attempt.text[:_MOST_TEXT] if boot.stages.from_text else ""
    return "; ".join(words for words in (boot.doubts, text) if words)


def _circumstances(document: Document) -> Markup:
    commands = [boot.attempt.argv for boot in document.boots if boot.attempt.argv]
    command = (
        tag(
            "details",
            tag("summary", "QEMU command of the first VM"),
            tag("pre", shell_line(commands[0])),
        )
        if commands
        else ""
    )
    return tag(
        "section",
        tag(
            "div",
            tag("div", tag("h2", document.figures_title), _figures(document)),
            tag("div", tag("h2", "Circumstances"), pairs(fact_table(document))),
            class_="columns",
        ),
        command,
    )


def _figures(document: Document) -> Markup:
    return tag("div", pairs(figure_table(document.summary)), id="figures")


def _footer(document: Document) -> Markup:
    run = document.fleet.run
    ended_ns, began_ns = document.fleet.ended_ns, run.at_ns if run else 0
    lasted = f" · lasted {exact_seconds_of_ns(ended_ns - began_ns)}" if run and ended_ns else ""
    version = f" {run.tool_version}" if run else ""
    return tag("footer", join("vm-timing-report", version, lasted))
