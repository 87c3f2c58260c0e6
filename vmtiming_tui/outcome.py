"""The verdict on a run: its exit code, and the sentences that explain it."""

from collections import Counter
from enum import IntEnum

from vmtiming_tui.events import StormKind
from vmtiming_tui.fleet import Attempt, Fleet, RunState, VmState
from vmtiming_tui.stats import percentile
from vmtiming_tui.summary import boots_s


class ExitCode(IntEnum):
    """What the exit code tells a script."""

    ALL_BOOTED = 0
    SOME_FAILED = 1
    BAD_USAGE = 2
    TOO_SLOW = 3
    INTERRUPTED = 130


def counted(fleet: Fleet) -> list[Attempt]:
    """Return the attempts a verdict rests on: of every counted storm, and of every rerun.

    A rerun takes the place of the VM's earlier attempts; warm-up storms do not count.
    """
    reruns = {
        vm for storm in fleet.storms.values() if storm.kind is StormKind.RERUN for vm in storm.vms
    }
    attempts = []
    for vm in fleet.vms.values():
        if vm.id in reruns:
            attempts.append(vm.newest)
            continue
        attempts += [attempt for attempt in vm.attempts if counts(fleet, attempt)]
    return attempts


def counts(fleet: Fleet, attempt: Attempt) -> bool:
    """Return whether an attempt is no warm-up."""
    storm = fleet.storms.get(attempt.storm)
    return storm is None or storm.kind is not StormKind.WARMUP


def too_slow(fleet: Fleet, limit_s: float) -> list[str]:
    """Return a sentence for each VM slower than the limit, and for the p95."""
    booted = [attempt for attempt in counted(fleet) if attempt.boot_ns is not None]
    seconds = boots_s(booted)
    sentences = [
        f"VM {attempt.vm} took {taken:.4g} s, over the limit of {limit_s:g} s"
        for attempt, taken in zip(booted, seconds, strict=True)
        if taken > limit_s
    ]
    if seconds and (p95 := percentile(seconds, 95)) > limit_s:
        sentences.append(f"the p95 is {p95:.4g} s, over the limit of {limit_s:g} s")
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
            for attempt in counted(fleet)
        )
    )


def exit_code(fleet: Fleet, *, fail_over_s: float | None = None) -> ExitCode:
    """Return what the run deserves; ``fail_over_s`` is the limit of ``--fail-over`` (s)."""
    if _was_cut_short(fleet):
        return ExitCode.INTERRUPTED
    attempts = counted(fleet)
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
    attempts = counted(fleet)
    states = Counter(attempt.state for attempt in attempts)
    for state in (VmState.FAILED, VmState.TIMED_OUT, VmState.KILLED):
        if states[state]:
            found.append(f"{states[state]} of {len(attempts)} boots {state}")
    if not attempts and not fleet.failure:
        found.append("no VM was booted")
    if fail_over_s is not None:
        found += too_slow(fleet, fail_over_s)
    return found
