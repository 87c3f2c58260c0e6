"""What the boots of a run came to: all that is said of them at once, for a thread to reckon."""

from dataclasses import dataclass

from vmtiming_tui.analysis.cautions import cautions
from vmtiming_tui.analysis.comparison.compare import Comparison, GroupComparison, compare_sides
from vmtiming_tui.analysis.comparison.samples import THIS_RUN, Side, side_of
from vmtiming_tui.analysis.comparison.sequential import told
from vmtiming_tui.analysis.counted import counted_attempts
from vmtiming_tui.analysis.failures import Failure, failures_of
from vmtiming_tui.analysis.hosts import run_hosts
from vmtiming_tui.analysis.straggler import Straggler, straggler_of
from vmtiming_tui.analysis.summary import settings_label
from vmtiming_tui.analysis.sweep import sweep_of
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.findings import decision_lines
from vmtiming_tui.report.host_report import between_words
from vmtiming_tui.report.result import result_figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The figures of every boot that counts, each with its name, and what explains them.

    ``verdicts`` are sentences: what the run is against its baseline, or each of its settings
    against the first. ``between`` are what lies between several hosts, ``doubts`` what makes all of
    this less sure than it looks.
    """

    figures: tuple[tuple[str, str], ...]
    slowest: Straggler | None
    lost: tuple[Failure, ...]
    verdicts: tuple[str, ...]
    between: tuple[str, ...]
    doubts: tuple[str, ...]


def outcome_of(fleet: Fleet, baseline: Side | None) -> Outcome | None:
    """Return what the boots so far came to; None where none of them counts."""
    attempts = counted_attempts(fleet)
    if not attempts:
        return None
    held = held_against(baseline, fleet)
    return Outcome(
        figures=tuple(result_figures(fleet)),
        slowest=straggler_of(fleet),
        lost=tuple(failures_of(attempts)),
        verdicts=tuple(verdicts_of(fleet, baseline, held)),
        between=between_hosts(fleet),
        doubts=doubts_of(fleet, held),
    )


def between_hosts(fleet: Fleet) -> tuple[str, ...]:
    """Return what of the boots begins on one host and ends on another; nothing of one host."""
    found = run_hosts(fleet)
    return tuple(between_words(found)) if found is not None else ()


def held_against(baseline: Side | None, fleet: Fleet) -> Comparison | None:
    """Return a run beside its baseline; None where it has none."""
    return compare_sides(baseline, side_of(fleet, THIS_RUN)) if baseline else None


def doubts_of(fleet: Fleet, held: Comparison | None) -> tuple[str, ...]:
    """Return what the plain report warns of, worst first: of the run, then of the comparison."""
    return (*map(str, cautions(fleet)), *(held.cautions if held else ()))


def verdicts_of(fleet: Fleet, baseline: Side | None, held: Comparison | None) -> list[str]:
    """Return what is decided of a run, or told of it against its baseline or its first setting."""
    if decided := decision_lines(fleet, told(fleet, baseline)):
        return [" ".join(map(str.strip, decided))]
    if held is not None:
        return [_verdict(group, held.against.label) for group in held.groups]
    if (sweep := sweep_of(fleet)) is not None:
        return [_verdict(group, settings_label(sweep.reference)) for group in sweep.against]
    return []


def _verdict(group: GroupComparison, against: str) -> str:
    return f"{settings_label(group.parameters)} against {against}: {group.words}".strip()
