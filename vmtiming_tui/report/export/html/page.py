"""A run as one HTML page that needs nothing but itself."""

from collections.abc import Sequence

from vmtiming_tui.analysis.cautions import CautionKind
from vmtiming_tui.analysis.summary import Group, completion
from vmtiming_tui.analysis.units.boot_chart import chart_of_boots
from vmtiming_tui.analysis.units.many_boots import units_of_run
from vmtiming_tui.analysis.units.unit_sort import UnitSort
from vmtiming_tui.escape import plural, shell_line
from vmtiming_tui.model import events as ev
from vmtiming_tui.report.export.document import Document, fact_table
from vmtiming_tui.report.export.html import charts
from vmtiming_tui.report.export.html.boot_chart import boot_chart, chart_style
from vmtiming_tui.report.export.html.boots import boot_section
from vmtiming_tui.report.export.html.comparison import figure_section, moved_section
from vmtiming_tui.report.export.html.distribution import (
    distribution_chart,
    distribution_notes,
    spreads_of,
)
from vmtiming_tui.report.export.html.failures import failure_section
from vmtiming_tui.report.export.html.markup import Markup, join, tag
from vmtiming_tui.report.export.html.parts import (
    html_table,
    legend,
    pairs,
    section,
    stage_legend,
    table_notes,
)
from vmtiming_tui.report.export.html.tiles import tiles
from vmtiming_tui.report.export.html.whole import whole_page
from vmtiming_tui.report.findings import decision_lines
from vmtiming_tui.report.host_report import host_table
from vmtiming_tui.report.kernel_report import kernel_table, kernel_title
from vmtiming_tui.report.straggler import slowest_vm_lines
from vmtiming_tui.report.tables import (
    figure_table,
    stage_table,
    storm_table,
    sweep_table,
    threshold_table,
)
from vmtiming_tui.report.unit_tables import unit_table
from vmtiming_tui.report.wording import exact_seconds_of_ns, utc

_SERIES = 6
_MOST_FAINT = 20


def render_html(document: Document) -> str:
    """Return the page."""
    title = f"{document.title} · boot times"
    return whole_page(title, _main(document), style=chart_style())


def _main(document: Document) -> Markup:
    return tag(
        "main",
        _header(document),
        tiles(document),
        _slowest(document),
        failure_section(boot.attempt for boot in document.boots if boot.counts),
        _thresholds(document),
        _decision(document),
        _comparison(document),
        _sweep(document),
        _distribution(document),
        _curves(document),
        _storms(document),
        _hosts(document),
        _stages(document),
        _units(document),
        _kernels(document),
        _keep_in_mind(document),
        boot_section(document),
        _circumstances(document),
        _footer(document),
    )


def _header(document: Document) -> Markup:
    run, plan = document.fleet.run, document.plan
    boots = [boot for boot in document.boots if boot.counts]
    booted = sum(boot.attempt.boot_ns is not None for boot in boots)
    storms = sum(len(group.storms) for group in document.groups)
    words = [f"{booted} of {plural(len(boots), 'VM')} booted"]
    if document.has_several_storms:
        words = [f"{storms} storms, {booted} of {len(boots)} boots succeeded"]
    if run is not None:
        words += [f"on {document.where}", document.fleet.accel, utc(run.wall_ns)]
    return tag(
        "header",
        tag("h1", document.title),
        tag("p", " · ".join(word for word in words if word), class_="lead"),
        tag("p", plan.notes, class_="lead") if plan is not None and plan.notes else "",
        tag("p", document.word, class_="mark", id="mark") if document.word else "",
    )


def _slowest(document: Document) -> Markup:
    return join(*(tag("p", line, class_="answer") for line in slowest_vm_lines(document.slowest)))


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
    if document.summary.number == 1:
        return Markup("")
    series = _series(document.groups)
    chart = charts.completion_chart(series)
    if not chart:
        return Markup("")
    strong = [each for each in series if each.style != "faint"]
    keys = [(each.style, each.label) for each in strong]
    if len(strong) < len(series):
        keys.append(("faint", "storms before" if len(document.groups) == 1 else "further settings"))
    keyed = legend(keys) if len(series) > 1 else Markup("")
    return section("VMs booted over time", chart, keyed)


def _distribution(document: Document) -> Markup:
    spreads = spreads_of(document.groups, _SERIES)
    chart = distribution_chart(spreads)
    if not chart:
        return Markup("")
    return section("How boot times are spread", chart, *distribution_notes(spreads))


def _storms(document: Document) -> Markup:
    if not document.has_several_storms:
        return Markup("")
    storms = sorted(
        (storm for group in document.groups for storm in group.storms),
        key=lambda storm: storm.number,
    )
    styles = {group.label: f"series-{at % _SERIES}" for at, group in enumerate(document.groups)}
    is_varied = len(styles) > 1
    chart = charts.storm_chart(storms, styles if is_varied else {})
    keys = legend((style, label) for label, style in styles.items()) if is_varied else ""
    table = storm_table(document.groups, storms)
    listed = html_table(table, name="storms")
    return section("Storms", chart, keys, *table_notes(table), listed)


def _hosts(document: Document) -> Markup:
    if document.hosts is None:
        return Markup("")
    table = host_table(document.hosts)
    return section("Hosts", *table_notes(table), html_table(table, name="hosts"))


def _sweep(document: Document) -> Markup:
    if document.sweep is None:
        return Markup("")
    table = sweep_table(document.sweep).without_details()
    return section("Sweep", *table_notes(table), html_table(table, name="sweep"))


def _stages(document: Document) -> Markup:
    table = stage_table(document.summary)
    if not table.rows:
        return Markup("")
    medians = list(document.summary.stage_medians_s.items())
    return section(
        "Stages",
        charts.median_bar(medians),
        stage_legend([stage for stage, _ in medians]),
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
    return section(
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
        sections.append(section(kernel_title(figures), *table_notes(table), listed))
    return join(*sections)


def _decision(document: Document) -> Markup:
    lines = decision_lines(document.fleet, document.decisions)
    return section("Decision", tag("pre", "\n".join(lines))) if lines else Markup("")


def _thresholds(document: Document) -> Markup:
    if not document.judged:
        return Markup("")
    return section("Thresholds", html_table(threshold_table(document.judged), name="thresholds"))


def _comparison(document: Document) -> Markup:
    """Return what the run is against its baseline, and what makes that doubtful."""
    comparison = document.comparison
    if comparison is None:
        return Markup("")
    against = [tag("p", f"Held against {comparison.against}.")]
    if not comparison.groups:
        against.append(tag("p", "The two runs have no setting in common that both booted."))
    doubts = [tag("li", caution) for caution in comparison.cautions]
    title = "Against the baseline"
    return join(
        section(title, *against, tag("ul", *doubts, class_="notes") if doubts else ""),
        figure_section(comparison, f"{title}: every figure"),
        moved_section(comparison),
    )


def _keep_in_mind(document: Document) -> Markup:
    """Return what makes the figures doubtful, what is of one kind together."""
    failure = document.fleet.failure
    items = [tag("li", failure.why)] if failure is not None else []
    kinds: dict[CautionKind, list[str]] = {}
    for caution in document.cautions:
        kinds.setdefault(caution.kind, []).append(caution.text)
    items += [_caution(str(kind), texts) for kind, texts in kinds.items()]
    if told := _told(document):
        items.append(_caution("said while it ran", told))
    if not items:
        return Markup("")
    return section("Keep in mind", tag("ul", *items, class_="notes"))


def _told(document: Document) -> list[str]:
    """Return the warnings of the run itself, each once, without those that a caution repeats."""
    known = {caution.text for caution in document.cautions}
    notices = document.fleet.notices
    told = dict.fromkeys(each.text for each in notices if each.level is not ev.Level.INFO)
    return [text for text in told if text not in known]


def _caution(kind: str, texts: Sequence[str]) -> Markup:
    if len(texts) == 1:
        return tag("li", tag("strong", f"{kind}: "), texts[0])
    return tag("li", tag("strong", f"{kind}:"), tag("ul", *(tag("li", text) for text in texts)))


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
