"""A run's exit code, and the sentences that explain it."""

from collections import Counter
from enum import IntEnum

from vmtiming_tui.analysis.counted import deciding_by_storm
from vmtiming_tui.analysis.summary import boots_s, summarise_fleet
from vmtiming_tui.analysis.thresholds import Finding, judged
from vmtiming_tui.escape import plural
from vmtiming_tui.model.attempt import Attempt, VmState
from vmtiming_tui.model.decision import Standing
from vmtiming_tui.model.fleet import Fleet, RunState
from vmtiming_tui.model.plan import StormKind


class ExitCode(IntEnum):
    """What the exit code tells a script."""

    ALL_BOOTED = 0
    SOME_FAILED = 1
    BAD_USAGE = 2
    TOO_SLOW = 3
    CANNOT_TELL = 4
    INTERRUPTED = 130


def _deciding(fleet: Fleet) -> list[Attempt]:
    """Return the boots the exit code rests on."""
    return [attempt for storm in deciding_by_storm(fleet).values() for attempt in storm]


def too_slow(fleet: Fleet, limit_s: float) -> list[str]:
    """Return a sentence for each boot slower than the limit, and for the p95."""
    several = sum(storm.kind is StormKind.RUN for storm in fleet.storms.values()) > 1
    sentences = [
        f"VM {attempt.vm} took {taken:.4g} s{f' in storm {attempt.storm}' if several else ''}, "
        f"over the limit of {limit_s:g} s"
        for attempt in _deciding(fleet)
        for taken in boots_s([attempt])
        if taken > limit_s
    ]
    p95_s = summarise_fleet(fleet).p95_s
    if p95_s is not None and p95_s > limit_s:
        sentences.append(f"the p95 is {p95_s:.4g} s, over the limit of {limit_s:g} s")
    return sentences


def _not_kept(fleet: Fleet) -> list[str]:
    """Return which thresholds the run did not keep, or cannot say that it did.

    A bare number was to hold for every boot, so the boots that it does not hold for are named.
    """
    found: dict[str, None] = {}
    for each in judged(fleet):
        threshold = each.threshold
        is_bare = "=" not in threshold.text
        why = too_slow(fleet, threshold.limit_s) if is_bare else [each.reason]
        found |= dict.fromkeys(why if each.finding is not Finding.PASSED else [])
    return list(found)


def _was_cut_short(fleet: Fleet) -> bool:
    """Whether someone ended the run before all it was to boot had been decided."""
    if fleet.failure:
        return False  # nobody did: the engine could not go on
    if fleet.state is RunState.INTERRUPTED:
        return True
    if fleet.state is not RunState.STOPPED:
        return False
    storm = fleet.storm
    return (
        storm is None
        or (storm.planned > 1 and storm.number < storm.planned)
        or any(
            attempt.state is VmState.KILLED or not attempt.state.is_decided
            for attempt in _deciding(fleet)
        )
    )


def is_undecided(fleet: Fleet) -> bool:
    """Return whether the run was to go on until it was decided, and was not."""
    if fleet.plan is None or fleet.plan.until_decided is None:
        return False
    decisions = fleet.concluded.decisions if fleet.concluded else ()
    return not decisions or any(each.standing is Standing.OPEN for each in decisions)


def exit_code(fleet: Fleet, *, allow_undecided: bool = False) -> ExitCode:
    """Return what the run deserves; ``allow_undecided``: also where something cannot be told.

    Not all booted outranks too slow, which outranks what cannot be told.
    """
    if _was_cut_short(fleet):
        return ExitCode.INTERRUPTED
    attempts = _deciding(fleet)
    if (
        fleet.failure
        or not attempts
        or not fleet.ran_to_end
        or not all(attempt.state.is_booted for attempt in attempts)
    ):
        return ExitCode.SOME_FAILED
    findings = {each.finding for each in judged(fleet)}
    if Finding.FAILED in findings:
        return ExitCode.TOO_SLOW
    if (Finding.CANNOT_TELL in findings or is_undecided(fleet)) and not allow_undecided:
        return ExitCode.CANNOT_TELL
    return ExitCode.ALL_BOOTED


def reasons(fleet: Fleet) -> list[str]:
    """Return why the run deserves its exit code, a sentence each; nothing for 0.

    What cannot be told is named even where that is allowed.
    """
    found = []
    if _was_cut_short(fleet):
        found.append("the run was ended before all of it was done")
    elif not fleet.ran_to_end and not fleet.failure:
        found.append("the run's events stop before its end")
    if fleet.failure:
        found.append(fleet.failure.why)
    attempts = _deciding(fleet)
    states = Counter(attempt.state for attempt in attempts)
    for state in (VmState.FAILED, VmState.TIMED_OUT, VmState.KILLED):
        if states[state]:
            found.append(f"{states[state]} of {plural(len(attempts), 'boot')} {state}")
    if not attempts and not fleet.failure:
        found.append("no VM was booted")
    if is_undecided(fleet) and fleet.concluded:
        most = plural(fleet.concluded.storms, "storm")
        found.append(f"what was to be decided cannot be told within {most} of each setting")
    return found + _not_kept(fleet)
