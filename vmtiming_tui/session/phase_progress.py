"""How far a storm's VMs are with what follows their boots, told on standard error as it goes."""

from vmtiming_tui.analysis.phase_count import phase_count
from vmtiming_tui.escape import plural
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.session.streams import Streams


class PhaseProgress:
    """Shows it in place on a terminal, and says it once a phase where there is none."""

    def __init__(self, fleet: Fleet, streams: Streams) -> None:
        self._fleet = fleet
        self._streams = streams
        self._said: object = None

    def show(self) -> None:
        """Tell how far they are by now; nothing where nothing is left to do."""
        storm, count = self._fleet.storm, phase_count(self._fleet)
        if storm is None or count is None or count.done == count.number:
            self._streams.show_progress("")
            return
        if self._streams.err.is_terminal:
            self._streams.show_progress(str(count))
        elif self._said != (phase := (storm.number, storm.round, storm.phase)):
            self._said = phase
            self._streams.say(f"{count.what.capitalize()} {plural(count.number, 'VM')}.")
