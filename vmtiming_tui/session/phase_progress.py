"""How far a storm's VMs are with what follows their boots, told on standard error as it goes."""

from vmtiming_tui.escape import plural
from vmtiming_tui.model.attempt import Attempt, Phase
from vmtiming_tui.model.config import End
from vmtiming_tui.model.fleet import Fleet, Storm, StormPhase
from vmtiming_tui.session.streams import Streams


def _is_collected(attempt: Attempt) -> bool:
    return attempt.details is not None or attempt.phase in (Phase.ENDING, Phase.OFF)


def _is_off(attempt: Attempt) -> bool:
    return attempt.phase is Phase.OFF


class PhaseProgress:
    """Shows it in place on a terminal, and says it once a phase where there is none."""

    def __init__(self, fleet: Fleet, streams: Streams) -> None:
        self._fleet = fleet
        self._streams = streams
        self._said: object = None

    def show(self) -> None:
        """Tell how far they are by now."""
        storm = self._fleet.storm
        counted = None if storm is None or self._fleet.ran_to_end else self._counted(storm)
        if storm is None or counted is None:
            self._streams.show_progress("")
            return
        what, done, number = counted
        if self._streams.err.is_terminal:
            self._streams.show_progress(f"{what} {done}/{number}")
        elif self._said != (phase := (storm.number, storm.round, storm.phase)):
            self._said = phase
            self._streams.say(f"{what.capitalize()} {plural(number, 'VM')}.")

    def _counted(self, storm: Storm) -> tuple[str, int, int] | None:
        """Return what is done with the VMs of a round, with how many it is done, and of how many.

        None while they boot, and where nothing is left to do.
        """
        plan = self._fleet.plan
        booted = [
            attempt
            for attempt in storm.attempts.values()
            if attempt.round == storm.round and attempt.report_ns is not None
        ]
        match storm.phase:
            case StormPhase.COLLECT:
                what, done = "collecting", sum(map(_is_collected, booted))
            case StormPhase.END:
                is_quit = plan is not None and plan.config.end is End.QUIT
                what, done = "ending" if is_quit else "shutting down", sum(map(_is_off, booted))
            case StormPhase.BOOT:
                return None
        return (what, done, len(booted)) if done < len(booted) else None
