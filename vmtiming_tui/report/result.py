"""What a run came to in a few words: its figures, the slowest VM, and why boots were lost."""

import shlex
from collections.abc import Sequence

from vmtiming_tui.analysis.counted import counted_attempts, counted_by_storm
from vmtiming_tui.analysis.failures import Failure
from vmtiming_tui.analysis.summary import settings_label, summarise
from vmtiming_tui.escape import one_line, plural, printable
from vmtiming_tui.model.fleet import Fleet, RunState

ALL_BOOTED = "all booted in"
_NAMED = 5


def result_figures(fleet: Fleet) -> list[tuple[str, str]]:
    """Return the figures a run is remembered by, each with its name; those alone that are known.

    Of several storms the time in which all had booted is their median. Several settings have no
    figure in common but how many booted.
    """
    attempts, numbers = counted_attempts(fleet), counted_by_storm(fleet)
    summary, storms = summarise(attempts), len(numbers)
    known = (fleet.storms[number] for number in numbers if number in fleet.storms)
    settings = len({settings_label(storm.parameters) for storm in known})
    if settings > 1:
        counts = f"{summary.booted:,} of {summary.number:,} booted"
        return [(f"{counts} in {plural(storms, 'storm')} of {settings} settings", "")]
    figures: list[tuple[str, str]] = []
    of_storms = f" (median of {storms} storms)" if storms > 1 else ""
    if summary.all_booted_in_s is not None:
        figures.append((ALL_BOOTED, f"{_seconds(summary.all_booted_in_s)}{of_storms}"))
    elif summary.last_booted_s is not None:
        some = f"{summary.booted:,} of {summary.number:,} booted, the last after"
        figures.append((some, _seconds(summary.last_booted_s)))
    else:
        figures.append((f"none of {plural(summary.number, 'VM')} booted", ""))
    if summary.median_s is not None:
        interval = summary.median_interval
        around = f" ({interval.low:.2f} to {interval.high:.2f})" if interval else ""
        figures.append(("median", f"{_seconds(summary.median_s)}{around}"))
    for name, value_s in (("p95", summary.p95_s), ("slowest", summary.max_s)):
        if value_s is not None:
            figures.append((name, _seconds(value_s)))
    return figures


def _seconds(value_s: float) -> str:
    return f"{value_s:.2f} s"


def result_lines(fleet: Fleet, *, is_kept: bool) -> list[str]:
    """Return what a run came to, and how to see it again where it is kept; nothing of no run."""
    run = fleet.run
    if run is None:
        return []
    how = "" if fleet.state is RunState.FINISHED else f"{str(fleet.state).capitalize()}: "
    if not (attempts := counted_attempts(fleet)):
        told = f"{how}no boot that counts"
    else:
        words = ", ".join(f"{name} {figure}".strip() for name, figure in result_figures(fleet))
        booted = sum(attempt.state.is_booted for attempt in attempts)
        every = f"{booted:,} of {booted:,} booted, " if words.startswith(ALL_BOOTED) else ""
        told = f"{how}{every}{words}"
    if not is_kept:
        return [told]
    name = run.plan.name if run.plan else ""
    called = f"{printable(name)} ({printable(run.run)})" if name else printable(run.run)
    again = shlex.quote(printable(name)) if name else "last"
    see = f"see it again by vm-timing-report show {again}, or replay {again}"
    return [told, f"Kept as {called}; {see}"]


def lost_words(lost: Failure) -> str:
    """Return how many boots were lost for a reason, the reason, and the VMs: ``2 failed: ...``."""
    such = f", such as VM {lost.example.vm}" if lost.varies else ""
    why = f": {one_line(lost.why)}" if lost.why else ""
    return f"{len(lost.attempts):,} {lost.state}{such}{why} ({vms_words(lost.vms)})"


def vms_words(vms: Sequence[int], most: int = _NAMED) -> str:
    """Return which VMs are meant, the first so many ranges of them: ``VMs 3-5, 9``."""
    return f"VM{'s' if len(vms) > 1 else ''} {ranges(vms, most)}"


def ranges(numbers: Sequence[int], most: int = _NAMED) -> str:
    """Return ascending numbers, those beside each other as one range; a few ranges of many."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    texts = [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
    left_out = sum(map(len, runs[most:]))
    return ", ".join(texts[:most]) + (f" and {left_out:,} more" if left_out else "")
