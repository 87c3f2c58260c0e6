"""A run as JUnit XML, as CI servers read it: a suite a storm, a case a VM and a threshold.

Written by ``junitparser``, in the form that Jenkins checks (junit-10.xsd of its xUnit plugin). The
names of suites and cases hold no id of the run, so that a server can follow a case over many runs.
"""

import io
from collections.abc import Iterator

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from vmtiming_tui.analysis.counted import made_good
from vmtiming_tui.analysis.hosts import by_host
from vmtiming_tui.analysis.summary import StormSummary, Summary, settings_label, summarise
from vmtiming_tui.analysis.thresholds import Finding, Judged
from vmtiming_tui.escape import printable
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.fleet import RunState
from vmtiming_tui.report.export.document import Document
from vmtiming_tui.report.result import ranges
from vmtiming_tui.report.wording import utc

TOOL = "vm-timing-report"


def render_junit(document: Document) -> str:
    """Return the run as XML: what a VM took is its case's time, and why it was lost its failure."""
    xml = JUnitXml(_text(document.plan.name if document.plan else "") or TOOL)
    for suite in _suites(document):
        xml.append(suite)
    file = io.BytesIO()
    xml.write(file)
    return file.getvalue().decode() + "\n"


def _text(foreign: str) -> str:
    """Return text without what XML 1.0 cannot hold: control characters become escapes."""
    return printable(foreign, keep="\t\n")


def _suites(document: Document) -> Iterator[TestSuite]:
    again = {each.lost.key: each.rerun for each in made_good(document.fleet)}
    storms = [storm for group in document.groups for storm in group.storms]
    for storm in sorted(storms, key=lambda storm: storm.number):
        suite = _suite(document, storm.label)
        for name, value in _properties(document, storm).items():
            suite.add_property(_text(name), _text(value))
        suite.add_testcases(
            [_case(attempt, again.get(attempt.key), suite) for attempt in storm.attempts]
        )
        yield suite
    if document.judged:
        suite = _suite(document, "thresholds")
        suite.add_testcases([_threshold_case(each) for each in document.judged])
        yield suite
    if document.word or document.fleet.failure:
        suite = _suite(document, "run")
        suite.add_testcase(_run_case(document))
        yield suite


def _suite(document: Document, name: str) -> TestSuite:
    suite, run = TestSuite(_text(name)), document.fleet.run
    suite.hostname = _text(document.fleet.host_facts.hostname if run else "")
    suite.timestamp = utc(run.wall_ns).partition("+")[0] if run else ""
    return suite


def _properties(document: Document, storm: StormSummary) -> dict[str, str]:
    """Return what a storm's figures are and what they rest on; seconds where a name ends in _s."""
    run, plan = document.fleet.run, document.plan
    facts: dict[str, str] = {}
    if run is not None:
        facts |= {"run": run.run, "tool_version": run.tool_version, "host_kernel": run.host.kernel}
    if (booted := document.fleet.storms.get(storm.number)) is not None:
        facts |= {"accel": booted.accel, "qemu_version": booted.qemu_version}
    if plan is not None:
        facts |= {f"label.{key}": value for key, value in plan.labels.items()}
    facts |= {f"parameter.{name}": value for name, value in storm.parameters.items()}
    return facts | _figures(storm.summary) | _hosts(storm)


def _figures(summary: Summary) -> dict[str, str]:
    figures = {
        "boot_mean_s": summary.mean_s,
        "boot_median_s": summary.median_s,
        "boot_p95_s": summary.p95_s,
        "boot_p99_s": summary.p99_s,
        "boot_min_s": summary.min_s,
        "boot_max_s": summary.max_s,
        "all_booted_in_s": summary.all_booted_in_s,
        **{f"{stage}_median_s": value for stage, value in summary.stage_medians_s.items()},
        "shutdown_median_s": summary.shutdown.median if summary.shutdown else None,
    }
    known = {name: f"{value:.6g}" for name, value in figures.items() if value is not None}
    return {"booted": str(summary.booted), "vms": str(summary.number), **known}


def _hosts(storm: StormSummary) -> dict[str, str]:
    """Return of each of several hosts which VMs it booted, and their figures."""
    found: dict[str, str] = {}
    for name, here in by_host(storm.attempts).items():
        if name:
            summary = summarise(here)
            found[f"host.{name}.vms"] = ranges([each.vm for each in here], len(here))
            found[f"host.{name}.booted"] = str(summary.booted)
            if summary.median_s is not None:
                found[f"host.{name}.boot_median_s"] = f"{summary.median_s:.6g}"
    return found


def _case(attempt: Attempt, rerun: Attempt | None, suite: TestSuite) -> TestCase:
    """Return the case of a boot; one that a rerun made good has passed, and says so."""
    took_s = _took_s(rerun or attempt)
    case = TestCase(f"VM {attempt.vm}", f"{TOOL}.{suite.name}", took_s)
    if rerun is not None:
        case.system_out = _text(f"{attempt.state}: {attempt.why}; it booted when it was run again")
    elif attempt.state.is_lost:
        failure = Failure(_text(attempt.why), str(attempt.state))
        failure.text = _text("\n".join(each for each in (attempt.hint, attempt.stderr) if each))
        case.result = failure
    elif not attempt.state.is_booted:
        case.result = Skipped(f"it has not booted yet: {attempt.state}")
    return case


def _took_s(attempt: Attempt) -> float:
    """Return how long a boot took, or how long it was waited for."""
    if attempt.boot_ns is not None:
        return attempt.boot_ns / 1e9
    if attempt.go_ns is None or attempt.decided_ns is None:
        return 0.0
    return max(attempt.decided_ns - attempt.go_ns, 0) / 1e9


def _threshold_case(judged: Judged) -> TestCase:
    """Return the case of a threshold; its time is the figure that it limits."""
    varied = settings_label(judged.parameters)
    name = f"{judged.threshold.text}{f' ({varied})' if varied else ''}"
    case = TestCase(_text(name), f"{TOOL}.thresholds", judged.figure_s or 0.0)
    match judged.finding:
        case Finding.FAILED:
            case.result = Failure(_text(judged.reason), str(judged.finding))
        case Finding.CANNOT_TELL:
            case.result = Error(_text(judged.reason), str(judged.finding))
    return case


def _run_case(document: Document) -> TestCase:
    """Return what is to be said of a run that did not come to its end."""
    case, failure = TestCase("the whole run", f"{TOOL}.run", 0.0), document.fleet.failure
    if failure is not None:
        case.result = Error(_text(failure.why), "engine")
    elif document.fleet.state is RunState.INTERRUPTED:
        case.result = Error(document.word, "interrupted")
    else:
        case.result = Skipped(document.word)
    return case
