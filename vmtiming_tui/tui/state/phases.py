"""Where VMs are after their reports, and in which words the dashboard says so; pure."""

from vmtiming_tui.model.attempt import Attempt, Phase
from vmtiming_tui.model.config import End
from vmtiming_tui.model.events import ReleaseCause
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.storm import Storm, StormPhase

_BY_THEMSELVES = (ReleaseCause.OFF, ReleaseCause.OWN_WAY)


def is_asked(attempt: Attempt) -> bool:
    """Return whether a guest was asked for its details, and so will end after them.

    Of one that went on before its turn it is its answer that tells.
    """
    match attempt.release:
        case None | ReleaseCause.OWN_WAY:
            return False
        case ReleaseCause.BY_HAND | ReleaseCause.NOT_STOPPED:
            return bool(attempt.text)
        case ReleaseCause.COLLECT | ReleaseCause.OFF:
            return True


def phase_of(attempt: Attempt) -> Phase | None:
    """Return where a VM is after its report; None before it.

    One that goes on is up before it is asked, and once it has answered, unless it ends by itself.
    """
    if attempt.phase is not Phase.COLLECTING or attempt.release in _BY_THEMSELVES:
        return attempt.phase
    is_telling = is_asked(attempt) and attempt.details is None
    return Phase.COLLECTING if is_telling else Phase.UP


def told_phase(fleet: Fleet, attempt: Attempt) -> Phase | None:
    """Return where a VM is after its report, where its run's stream tells of phases."""
    storm = fleet.storms.get(attempt.storm)
    return phase_of(attempt) if storm is not None and storm.knows_phases else None


def awaits_details(fleet: Fleet, attempt: Attempt) -> bool:
    """Return whether what a guest says of its boot is still to come."""
    is_there = told_phase(fleet, attempt) in (Phase.UP, Phase.FROZEN, Phase.COLLECTING)
    storm = fleet.storms.get(attempt.storm)
    is_early = storm is not None and storm.phase is not StormPhase.END
    return is_there and is_early and attempt.details is None


def phase_words(fleet: Fleet, attempt: Attempt) -> str:
    """Return what a VM is at after its report, and when more comes; empty where nothing tells."""
    phase = told_phase(fleet, attempt)
    more = ", its details are told" if attempt.details is not None else ""
    if awaits_details(fleet, attempt):
        more = "; its details are collected once all have booted"
    match phase:
        case None:
            return ""
        case Phase.UP | Phase.FROZEN:
            return f"{phase}{more}"
        case Phase.COLLECTING if attempt.release is ReleaseCause.OWN_WAY:
            return "going its own way"
        case Phase.COLLECTING:
            return "telling its details"
        case Phase.ENDING:
            return "ending" if attempt.end is End.QUIT else "shutting down"
        case Phase.OFF:
            return "off"


def silence_words(fleet: Fleet, attempt: Attempt) -> str:
    """Return why a guest has said nothing of its boot."""
    if awaits_details(fleet, attempt):
        return f"The guest has reported. It is {phase_words(fleet, attempt)}."
    if attempt.report_ns is not None and attempt.exited_ns is not None:
        return "The guest said nothing of its boot."
    return "The guest has said nothing yet."


def is_booting(storm: Storm | None) -> bool:
    """Return whether VMs of a storm are being timed, or are about to be."""
    return storm is not None and any(
        not attempt.state.is_decided for attempt in storm.attempts.values()
    )
