"""A run as one HTML page that needs nothing but itself: no network, no fonts, no files beside it.

Its content security policy allows its own style and script, by their hashes, and nothing else, so
that even a fault in the escaping could not make a guest's words run or call out.
"""

import base64
import functools
import hashlib
from collections.abc import Iterable, Sequence
from importlib import resources

from vmtiming_tui.analysis.stages import Stage
from vmtiming_tui.analysis.summary import Group, Summary, completion
from vmtiming_tui.escape import plural, shell_line
from vmtiming_tui.model.fleet import VmState
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
    utc,
)
from vmtiming_tui.report.export.html import charts
from vmtiming_tui.report.export.html.markup import Markup, Part, join, tag
from vmtiming_tui.report.export.html.parts import (
    DRAWN,
    SAID,
    legend,
    pairs,
    row,
    table,
    time_cell,
    time_ns,
)
from vmtiming_tui.report.terminal import comparison_lines

_SERIES = 6
_MOST_FAINT = 20
_MOST_TEXT = 2000
_MARKS = {
    VmState.QUEUED: ("·", "dim"),
    VmState.LAUNCHING: ("◌", "dim"),
    VmState.CONNECTED: ("◔", "dim"),
    VmState.BOOTED: ("✓", "booted"),
    VmState.FAILED: ("✗", "failed"),
    VmState.TIMED_OUT: ("!", "late"),
    VmState.KILLED: ("-", "dim"),
}


@functools.cache
def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def render_html(document: Document) -> str:
    """Return the page."""
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"{document.title} · boot times"),
        tag("style", Markup(style)),
    )
    body = tag("body", _main(document), tag("script", Markup(script)))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _main(document: Document) -> Markup:
    return tag(
        "main",
        _header(document),
        _tiles(document),
        _curves(document),
        _sweep(document),
        _storms(document),
        _stages(document),
        _comparison(document),
        _notes(document),
        _vms(document),
        _circumstances(document),
        _footer(document),
    )


def _section(title: str, *parts: Part) -> Markup:
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
        words += [f"on {run.host.get('hostname', '')}", run.accel, utc(run.wall_ns)]
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


def _between(low: float, high: float) -> str:
    return f"{low:.3f} to {high:.3f} s"


def _boot_tiles(summary: Summary) -> list[tuple[str, str, str]]:
    interval = summary.median_interval
    hidden = "hidden by those not booted" if summary.booted and summary.lost else ""
    p99 = hidden if summary.p99_s is None else f"p99 {seconds(summary.p99_s)}"
    return [
        (
            "all booted in" if summary.booted == summary.number else "those booted took",
            seconds(summary.last_booted_s),
            f"{summary.booted} of {plural(summary.number, 'VM')}",
        ),
        (
            "median boot",
            seconds(summary.median_s),
            _between(interval.low, interval.high) if interval else "",
        ),
        (
            "mean",
            seconds(summary.mean_s),
            "" if summary.stddev_s is None else f"± {seconds(summary.stddev_s)}",
        ),
        ("p95", seconds(summary.p95_s), p99),
        ("fastest", seconds(summary.min_s), ""),
        ("slowest", seconds(summary.max_s), ""),
    ]


def _storm_tiles(group: Group) -> list[tuple[str, str, str]]:
    medians, whole, rates = group.medians, group.all_booted_in, group.rates
    known = f"of {len(group.storms)} storms"
    interval = medians.interval if medians else None
    return [
        (
            "median boot",
            seconds(medians.median if medians else None),
            _between(interval.low, interval.high) if interval else known,
        ),
        (
            "all booted in",
            seconds(whole.median if whole else None),
            _between(whole.min, whole.max) if whole else "",
        ),
        ("VMs per second", rate_of(rates.median if rates else None), ""),
        ("spread within a storm", seconds(group.spread.within if group.spread else None), ""),
        ("spread between storms", seconds(group.spread.between if group.spread else None), ""),
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
                label = group.label or charts.storm_label(storm)
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
    labels = {storm.number: group.label for group in document.groups for storm in group.storms}
    rows = [
        row(
            str(storm.number),
            labels[storm.number] or NOTHING,
            f"{storm.summary.booted} of {storm.summary.number}",
            time_cell(storm.summary.median_s),
            time_cell(storm.summary.p95_s),
            time_cell(storm.summary.max_s),
            time_cell(storm.summary.all_booted_in_s),
            left=2,
        )
        for storm in storms
    ]
    names = ("storm", "settings", "booted", "median", "p95", "slowest", "all booted in")
    spreads = [
        tag(
            "p",
            f"{f'{group.label}: ' if group.label else ''}spread of boot times: "
            f"{seconds(group.spread.within)} within a storm, "
            f"{seconds(group.spread.between)} between storms.",
            class_="dim",
        )
        for group in document.groups
        if group.spread is not None
    ]
    return _section(
        "Storms", charts.storm_chart(storms), *spreads, table(names, rows, left=2, name="storms")
    )


def _sweep(document: Document) -> Markup:
    sweep = document.sweep
    if sweep is None:
        return Markup("")
    varied = len(sweep.names)
    rows = [
        row(
            *(each.parameters.get(name, "") for name in sweep.names),
            str(each.storms),
            f"{each.booted} of {each.attempts}",
            time_cell(each.boot.median if each.boot else None),
            time_cell(each.all_booted_in.median if each.all_booted_in else None),
            rate_of(each.vms_per_s),
            NOTHING if each.relative is None else f"{each.relative:.2f}",
            left=varied,
        )
        for each in sweep.rows
    ]
    names = (
        *sweep.names,
        "storms",
        "booted",
        "boot",
        "all booted in",
        "VMs per second",
        "relative",
    )
    return _section("Sweep", table(names, rows, left=varied, name="sweep"))


def _stages(document: Document) -> Markup:
    known = stage_rows(document.summary)
    if not known:
        return Markup("")
    rows = [
        row(
            name,
            str(each.size),
            time_cell(each.median),
            time_cell(each.mean),
            time_cell(each.p95),
            time_cell(each.min),
            time_cell(each.max),
        )
        for name, each in known
    ]
    medians = list(document.summary.stage_medians_s.items())
    names = ("stage", "boots", "median", "mean", "p95", "fastest", "slowest")
    return _section(
        "Stages",
        charts.median_bar(medians),
        _stage_legend([stage for stage, _ in medians]),
        tag("h3", "Over the boots that can be believed"),
        tag("p", words, class_="dim") if (words := left_out(document.summary)) else "",
        table(names, rows, name="stages"),
    )


def _stage_legend(stages: Iterable[Stage]) -> Markup:
    return legend((f"stage-{stage}", str(stage)) for stage in stages)


def _comparison(document: Document) -> Markup:
    comparison = document.comparison
    if comparison is None:
        return Markup("")
    lines = comparison_lines(comparison)
    return _section("Against the baseline", tag("pre", "\n".join(lines)))


def _notes(document: Document) -> Markup:
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
    stages = known_stages(boots)
    longest_ns = max((boot.attempt.boot_ns or 0 for boot in boots), default=0)
    has_words = any(_words(boot) for boot in boots)
    names = ["VM", "state", "attempt", "boot", DRAWN, *map(str, stages)]
    listed = table(
        [*names, *([SAID] if has_words else [])],
        [_vm_row(boot, stages, longest_ns, has_words=has_words) for boot in boots],
        left=2,
        name="vms",
    )
    field = tag(
        "input", type="search", placeholder="filter", aria_label="filter the VMs", hidden=True,
        data_filters="vms",
    )  # fmt: skip
    title = "VMs, the newest boot of each that counts" if document.has_several_storms else "VMs"
    above = tag("div", tag("h2", title), field, class_="above")
    return tag("section", above, _stage_legend(stages), listed)


def _words(boot: Boot) -> str:
    """Return what is to be said of a boot: why it failed, or the guest's words if that is all."""
    if boot.attempt.why:
        return boot.attempt.why
    text = boot.attempt.text[:_MOST_TEXT] if boot.stages.from_text else ""
    return "; ".join(words for words in (boot.doubts, text) if words)


def _vm_row(boot: Boot, stages: Sequence[Stage], longest_ns: int, *, has_words: bool) -> Markup:
    attempt = boot.attempt
    glyph, mark = _MARKS[boot.word]
    return row(
        str(attempt.vm),
        tag("td", f"{glyph} {boot.word}", class_=f"left {mark}"),
        boot.attempt_word,
        time_ns(attempt.boot_ns),
        tag("td", charts.stage_bar(boot, longest_ns), class_="left"),
        *(time_ns(boot.stages.of(stage)) for stage in stages),
        *([tag("td", _words(boot), class_="said")] if has_words else []),
    )


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
            tag("div", tag("h2", "Circumstances"), pairs(fact_rows(document))),
            class_="columns",
        ),
        command,
    )


def _figures(document: Document) -> Markup:
    return tag("div", pairs(figure_rows(document.summary)), id="figures")


def _footer(document: Document) -> Markup:
    run = document.fleet.run
    ended_ns, began_ns = document.fleet.ended_ns, run.at_ns if run else 0
    lasted = f" · lasted {seconds_of_ns(ended_ns - began_ns)}" if run and ended_ns else ""
    version = f" {run.tool_version}" if run else ""
    return tag("footer", join("vm-timing-report", version, lasted))
