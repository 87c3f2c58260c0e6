"""The verdict on a run: its exit code, and the sentences that explain it."""

from enum import IntEnum

from vmtiming_tui.events import StormKind
from vmtiming_tui.fleet import Attempt, Fleet, RunState, VmState
from vmtiming_tui.stats import percentile


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
    seconds = [(attempt.boot_ns or 0) / 1e9 for attempt in booted]
    sentences = [
        f"VM {attempt.vm} took {taken:.4g} s, over the limit of {limit_s:g} s"
        for attempt, taken in zip(booted, seconds, strict=True)
        if taken > limit_s
    ]
    if seconds and (p95 := percentile(seconds, 95)) > limit_s:
        sentences.append(f"the p95 is {p95:.4g} s, over the limit of {limit_s:g} s")
    return sentences


def exit_code(fleet: Fleet, *, fail_over_s: float | None = None) -> ExitCode:
    """Return what the run deserves; ``fail_over_s`` is the limit of ``--fail-over``."""
    attempts = counted(fleet)
    if fleet.state is RunState.INTERRUPTED or (
        fleet.state is RunState.STOPPED
        and any(attempt.state in (VmState.KILLED, VmState.QUEUED) for attempt in attempts)
    ):
        return ExitCode.INTERRUPTED
    if (
        fleet.failure
        or not attempts
        or fleet.run is None
        or not all(attempt.state.is_booted for attempt in attempts)
    ):
        return ExitCode.SOME_FAILED
    if fail_over_s is not None and too_slow(fleet, fail_over_s):
        return ExitCode.TOO_SLOW
    return ExitCode.ALL_BOOTED
