"""The figures to see first, as tiles at the top of the page."""

from vmtiming_tui.analysis.summary import Group, Summary
from vmtiming_tui.escape import plural
from vmtiming_tui.report.export.document import Document
from vmtiming_tui.report.export.html.markup import Markup, tag
from vmtiming_tui.report.wording import exact_rate, exact_seconds


def tiles(document: Document) -> Markup:
    """Return the figures to see first; a sweep has none, its table is what counts."""
    if document.sweep is not None:
        return Markup("")
    several = document.has_several_storms
    shown = _storm_tiles(document.groups[0]) if several else _boot_tiles(document.summary)
    if document.summary.number == 1:
        shown = _one_boot_tiles(document.summary)
    return tag(
        "dl",
        *(
            tag("div", tag("dt", name), tag("dd", value, tag("small", more)), class_="tile")
            for name, value, more in shown
        ),
        class_="tiles",
    )


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


def _one_boot_tiles(summary: Summary) -> list[tuple[str, str, str]]:
    """Return a single boot and its stages: it has no other figure."""
    stages = [(str(stage), value) for stage, value in summary.stage_medians_s.items()]
    return [
        (name, exact_seconds(value), "") for name, value in (("boot", summary.median_s), *stages)
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
