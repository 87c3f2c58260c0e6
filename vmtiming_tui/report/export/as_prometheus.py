"""A run as a file for node_exporter's textfile collector, its seconds named as such.

The text is OpenMetrics 1.0 and Prometheus' own format 0.0.4 at once, for that collector reads the
latter: it has gauges and summaries only, for ``info`` is a type that 0.0.4 does not know. A figure
that VMs which never booted hide is +Inf, so that an alert on ``> 8`` fires. Series are told apart
by the run's name and labels; an id would make a new series of every run.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.hosts import RunHosts
from vmtiming_tui.analysis.summary import Group, boots_s, lost_of, summarise
from vmtiming_tui.analysis.thresholds import Finding, Judged
from vmtiming_tui.escape import printable
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.report.export.document import Document

QUANTILES = (0.5, 0.9, 0.95, 0.99)

_ENDED = (VmState.BOOTED, VmState.FAILED, VmState.TIMED_OUT, VmState.KILLED)


def render_prometheus(document: Document) -> str:
    """Return the run's figures, a set for each of its settings."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(document))
    text: bytes = generate_latest(registry)
    return text.decode()


class _Figures(Collector):
    """What the library asks for the metrics of a run."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def collect(self) -> Iterator[Metric]:
        """Yield them, each with the series of every setting."""
        named = _names(self._document)
        yield from _run_metrics(self._document, named)
        settings = [
            (named | _prefixed("parameter", group.parameters), group)
            for group in self._document.groups
        ]
        yield from _boot_metrics(settings)
        if self._document.hosts is not None:
            yield from _host_metrics(self._document.hosts, named)
        if self._document.judged:
            yield from _threshold_metrics(self._document.judged, named)


def _names(document: Document) -> dict[str, str]:
    """Return the labels that tell this run's series from another's."""
    plan = document.plan
    if plan is None:
        return {}
    name = {"name": printable(plan.name, keep="")} if plan.name else {}
    return name | _prefixed("label", plan.labels)


def _prefixed(prefix: str, words: Mapping[str, str]) -> dict[str, str]:
    """Return words under names that Prometheus takes, no two of them alike."""
    found: dict[str, str] = {}
    for key, value in words.items():
        name = f"{prefix}_{re.sub(r'[^a-zA-Z0-9_]', '_', key)}"
        while name in found:
            name += "_"
        found[name] = printable(value, keep="")
    return found


def _run_metrics(document: Document, named: Mapping[str, str]) -> Iterator[Metric]:
    run = document.fleet.run
    if run is not None:
        info = Metric("vmtiming_run_info", "Which run the figures are of, and by what.", "gauge")
        facts = {
            "run": run.run,
            "host": document.fleet.host_facts.hostname,
            "host_kernel": run.host.kernel,
            "accel": document.fleet.accel,
            "qemu_version": document.fleet.qemu_version,
            "tool_version": run.tool_version,
        }
        shown = {key: printable(value, keep="") for key, value in facts.items()}
        info.add_sample(info.name, {**named, **shown}, 1)
        yield info
        started = Metric(
            "vmtiming_run_started_timestamp_seconds", "When the run began.", "gauge", "seconds"
        )
        started.add_sample(started.name, dict(named), run.wall_ns / 1e9)
        yield started
    whole = Metric("vmtiming_run_whole", "Whether the run had come to its end.", "gauge")
    whole.add_sample(whole.name, dict(named), float(not document.is_partial))
    yield whole


Settings = Sequence[tuple[dict[str, str], Group]]


def _boot_metrics(settings: Settings) -> Iterator[Metric]:
    boots = Metric("vmtiming_boots", "Boots that count, by how they ended.", "gauge")
    storms = Metric("vmtiming_storms", "Storms that count.", "gauge")
    times = _seconds("boot", "Boot times; a VM that was lost ranks last.", "summary")
    for labels, group in settings:
        counts = Counter(attempt.state for attempt in group.attempts)
        for state in _ENDED:
            boots.add_sample(boots.name, {**labels, "state": str(state)}, counts[state])
        storms.add_sample(storms.name, labels, len(group.storms))
        _add_times(times, labels, group)
    yield from (boots, storms, times)
    yield from _medians(settings)


def _seconds(what: str, help_text: str, kind: str = "gauge") -> Metric:
    return Metric(f"vmtiming_{what}_seconds", help_text, kind, "seconds")


def _add_times(metric: Metric, labels: Mapping[str, str], group: Group) -> None:
    known, lost = boots_s(group.attempts), lost_of(group.attempts)
    for quantile in QUANTILES if known or lost else ():
        figure = stats.worst_rank_percentile(known, lost, 100 * quantile)
        metric.add_sample(metric.name, {**labels, "quantile": f"{quantile:g}"}, _shown(figure))
    metric.add_sample(f"{metric.name}_sum", dict(labels), math.fsum(known))
    metric.add_sample(f"{metric.name}_count", dict(labels), len(known))


def _medians(settings: Settings) -> Iterator[Metric]:
    """Yield what there is one figure of a setting of: medians over storms, or of all boots."""
    median = _seconds("storm_median_boot", "Median over storms of their median boot times.")
    whole = _seconds("all_booted_in", "Median over storms, from first start to last boot.")
    stages = _seconds("stage", "Median of each stage of the boots.")
    shutdown = _seconds("shutdown", "Median of the guests' shutdowns.")
    for labels, group in settings:
        summary = summarise(group.attempts)
        for metric, figures in (
            (median, group.medians), (whole, group.all_booted_in), (shutdown, summary.shutdown)
        ):  # fmt: skip
            if figures is not None:
                metric.add_sample(metric.name, labels, _shown(figures.median))
        for stage, value in summary.stage_medians_s.items():
            stages.add_sample(stages.name, {**labels, "stage": str(stage)}, value)
    yield from (metric for metric in (median, whole, stages, shutdown) if metric.samples)


def _host_metrics(found: RunHosts, named: Mapping[str, str]) -> Iterator[Metric]:
    """Yield what each of several hosts came to in all settings, and how far apart they let go."""
    booted = Metric("vmtiming_host_boots", "Boots that count, by host and end.", "gauge")
    median = _seconds("host_median_boot", "Median boot time of a host; lost ones rank last.")
    lost = Metric("vmtiming_host_lost", "Whether a host was lost.", "gauge")
    for each in found.figures:
        labels = {**named, "host": printable(each.name, keep="")}
        for state, count in (("booted", each.booted), ("lost", each.lost)):
            booted.add_sample(booted.name, {**labels, "state": state}, count)
        if each.number:
            figure = each.boot.median if each.boot else None
            median.add_sample(median.name, labels, _shown(figure))
        lost.add_sample(lost.name, labels, float(each.host.lost is not None))
    skew = _seconds("go_skew", "How far apart hosts let their VMs go that were to go together.")
    if found.skews:
        most_ns = max(each.skew_ns for each in found.skews)
        skew.add_sample(skew.name, dict(named), most_ns / 1e9)
    yield from (metric for metric in (booted, median, lost, skew) if metric.samples)


def _threshold_metrics(judged: Sequence[Judged], named: Mapping[str, str]) -> Iterator[Metric]:
    """Yield what was limited, to what, and whether it held; nothing of what cannot be told."""
    limit = _seconds("threshold_limit", "What a figure was to be at most.")
    found = _seconds("threshold_figure", "The figure that is limited.")
    passed = Metric("vmtiming_threshold_passed", "Whether the figure kept to its limit.", "gauge")
    # A limit may be given twice, but a series may not be there twice.
    distinct = {(each.threshold.text, *each.parameters.items()): each for each in judged}
    for each in distinct.values():
        labels = {
            **named,
            **_prefixed("parameter", each.parameters),
            "threshold": printable(each.threshold.text, keep=""),
        }
        limit.add_sample(limit.name, labels, each.threshold.limit_s)
        if each.finding is not Finding.CANNOT_TELL:
            found.add_sample(found.name, labels, _shown(each.figure_s))
            passed.add_sample(passed.name, labels, float(each.finding is Finding.PASSED))
    yield from (metric for metric in (limit, found, passed) if metric.samples)


def _shown(figure: float | None) -> float:
    return math.inf if figure is None else figure
