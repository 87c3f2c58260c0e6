"""What is said before a key does something to VMs: what would be lost, by where they are; pure."""

from collections.abc import Sequence

from vmtiming_tui.escape import plural
from vmtiming_tui.model.attempt import Attempt, Phase
from vmtiming_tui.model.commands import VmAction
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.storm import StormPhase
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.state.phases import awaits_details, is_asked, is_booting, told_phase

_BOOTING = {
    VmAction.RESET: "Its boot begins again and this attempt's time counts on.",
    VmAction.POWERDOWN: "Its boot is lost if it has not reported.",
    VmAction.KILL: "A boot that is under way is lost.",
}
_BOOTED = {
    VmAction.RESET: "Its boot counts; it boots again, unmeasured",
    VmAction.POWERDOWN: "Its boot counts",
    VmAction.KILL: "Its boot counts",
}
_DO = {
    VmAction.RESET: "Reset",
    VmAction.POWERDOWN: "Press the power button of",
    VmAction.KILL: "Kill",
}


def about_one(fleet: Fleet, attempt: Attempt, action: VmAction) -> str | None:
    """Return the question before something is done to a VM; None where nothing can be lost."""
    if action not in _DO:
        return None
    begin = f"{_DO[action]} VM {attempt.vm}?"
    if attempt.report_ns is None:
        return f"{begin} {_BOOTING[action]}"
    rest = ", and what it has still to tell is lost" if awaits_details(fleet, attempt) else ""
    stands = told_phase(fleet, attempt) is Phase.FROZEN and action is not VmAction.KILL
    when = " It is frozen: nothing comes of it before it goes on." if stands else ""
    return f"{begin} {_BOOTED[action]}{rest}.{when}"


def about_killing(fleet: Fleet, attempts: Sequence[Attempt]) -> str:
    """Return the question before VMs are killed."""
    if len(attempts) == 1:
        return about_one(fleet, attempts[0], VmAction.KILL) or ""
    booted = sum(attempt.report_ns is not None for attempt in attempts)
    begin = f"Kill {plural(len(attempts), 'VM')}?"
    if booted == len(attempts):
        return f"{begin} Their boots count; what they have still to tell is lost."
    kept = f" {booted:,} of them booted, which counts." if booted else ""
    return f"{begin} {_BOOTING[VmAction.KILL]}{kept}"


def about_leaving(model: Model) -> str:
    """Return the question before everything is ended."""
    fleet, running = model.fleet, model.running
    everything = "it" if len(running) == 1 else "everything"
    what = f"{plural(len(running), 'VM')} still running" if running else "The run is not over"
    storm = fleet.storm
    if storm is None or not storm.knows_phases or not running:
        return f"{what}. End {everything} and leave?"
    attempts = [fleet.vms[vm].newest for vm in running]
    booted = sum(attempt.report_ns is not None for attempt in attempts)
    untold = sum(awaits_details(fleet, attempt) for attempt in attempts)
    match storm.phase:
        case StormPhase.BOOT:
            kept = f", {booted:,} of them booted, which counts" if booted else ""
            return f"{what}{kept}. End {everything} and leave?"
        case StormPhase.COLLECT:
            have = "has" if untold == 1 else "have"
            rest = f" What {plural(untold, 'VM')} {have} still to tell is skipped."
            skipped = rest if untold else ""
            return f"Every boot so far is kept.{skipped} End {everything} at once and leave?"
        case StormPhase.END:
            return f"Every boot so far is kept. {what}, to shut down. End {everything} and leave?"


def refusal(fleet: Fleet, attempt: Attempt, action: VmAction) -> str:
    """Return why something cannot be done to a VM now; empty where it can."""
    phase, storm = told_phase(fleet, attempt), fleet.storms.get(attempt.storm)
    if action is VmAction.KILL:
        return ""
    if phase is Phase.ENDING:
        return f"VM {attempt.vm} is shutting down already; it can only be killed."
    is_late = storm is not None and storm.phase is not StormPhase.BOOT
    goes_on = attempt.phase is Phase.COLLECTING and (is_asked(attempt) or is_late)
    if phase is not None and goes_on and action is VmAction.PAUSE:
        return f"VM {attempt.vm} is telling its details and then ends; it cannot be paused."
    return ""


def going_on(fleet: Fleet, attempt: Attempt) -> str:
    """Return what it means that a frozen VM is let go on."""
    if is_booting(fleet.storms.get(attempt.storm)):
        return f"VM {attempt.vm} runs while others boot: their boots are disturbed."
    return f"VM {attempt.vm} goes on."
