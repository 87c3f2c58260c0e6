"""A run's exit code, and the sentences that explain it."""

from collections import Counter
from enum import IntEnum

from vmtiming_tui.analysis.counted import counted_attempts, made_good
from vmtiming_tui.analysis.summary import boots_s, summarise_fleet
from vmtiming_tui.escape import plural
from vmtiming_tui.model.attempt import Attempt, VmState
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
    """Return the boots the exit code rests on: those that count, or what made one good."""
    instead = {id(each.lost): each.rerun for each in made_good(fleet)}
    return [instead.get(id(attempt), attempt) for attempt in counted_attempts(fleet)]


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


def exit_code(fleet: Fleet, *, fail_over_s: float | None = None) -> ExitCode:
    """Return what the run deserves; ``fail_over_s`` is the limit of ``--fail-over`` (s)."""
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
    if fail_over_s is not None and too_slow(fleet, fail_over_s):
        return ExitCode.TOO_SLOW
    return ExitCode.ALL_BOOTED


def reasons(fleet: Fleet, *, fail_over_s: float | None = None) -> list[str]:
    """Return why the run deserves its exit code, a sentence each; nothing for 0."""
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
    if fail_over_s is not None:
        found += too_slow(fleet, fail_over_s)
    return found
