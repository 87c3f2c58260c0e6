"""How far a storm's VMs are with what follows their boots."""

from dataclasses import dataclass

from vmtiming_tui.model.attempt import Attempt, Phase
from vmtiming_tui.model.config import AfterReport, End
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.storm import StormPhase


@dataclass(frozen=True, slots=True)
class PhaseCount:
    """With how many of a round's VMs that booted it is done, of how many, and what that is."""

    what: str
    done: int
    number: int

    def __str__(self) -> str:
        return f"{self.what} {self.done:,}/{self.number:,}"


def _is_collected(attempt: Attempt) -> bool:
    return attempt.details is not None or attempt.phase in (Phase.ENDING, Phase.OFF)


def _is_off(attempt: Attempt) -> bool:
    return attempt.phase is Phase.OFF


def phase_count(fleet: Fleet) -> PhaseCount | None:
    """Return how far the newest storm's round is; None while it boots, and once it is over.

    Of streams that know no phases nothing is told, nor of an end that came with the run's.
    """
    storm, plan = fleet.storm, fleet.plan
    if storm is None or not storm.knows_phases or storm.phase is StormPhase.BOOT:
        return None
    if storm.ended_ns is not None or fleet.ran_to_end:
        return None
    if plan is not None and plan.config.after_report is AfterReport.OFF:
        return None  # they go by themselves
    booted = [
        attempt
        for attempt in storm.attempts.values()
        if attempt.round == storm.round and attempt.report_ns is not None
    ]
    if storm.phase is StormPhase.COLLECT:
        return PhaseCount("collecting", sum(map(_is_collected, booted)), len(booted))
    if not any(attempt.ending_ns for attempt in booted):
        return None
    what = "ending" if plan is not None and plan.config.end is End.QUIT else "shutting down"
    return PhaseCount(what, sum(map(_is_off, booted)), len(booted))
