"""Answering an engine that asks whether a run is decided, for every front end alike."""

from collections.abc import AsyncIterator, Sequence

from vmtiming_tui.analysis.comparison.samples import Side
from vmtiming_tui.analysis.comparison.sequential import decisions, is_over
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.commands import Command, Conclude, GoOn
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.sources.source import EventSource

_OF_NO_BOOT = (
    ev.VmUsage, ev.HostSample, ev.QmpSeen, ev.VmConsole, ev.ConsoleLine, ev.StageSeen,
    ev.VmDetails, ev.VmUnits,
)  # fmt: skip


class DecidingSource:
    """A source whose looks are answered on the way, whatever becomes of those who read it.

    It folds the events itself: a picture that is held still, or a dashboard that has failed, must
    not keep an engine waiting. ``baseline`` is what the run is held against; without one its
    settings are held against the first.
    """

    def __init__(self, source: EventSource, baseline: Side | None = None) -> None:
        self._source = source
        self._baseline = baseline
        self._fleet: Fleet | None = None

    def send(self, command: Command) -> None:
        """Hand a command on."""
        self._source.send(command)

    async def batches(self) -> AsyncIterator[list[ev.Event]]:
        """Yield the source's events, once what they ask for is answered."""
        async for batch in self._source.batches():
            self._take(batch)
            yield batch

    def _take(self, batch: Sequence[ev.Event]) -> None:
        for event in batch:
            if isinstance(event, ev.RunStarted):
                asks = event.plan is not None and event.plan.until_decided is not None
                self._fleet = Fleet() if asks else None
            if self._fleet is None or isinstance(event, _OF_NO_BOOT):
                continue
            self._fleet.fold(event)
            if isinstance(event, ev.LookDue):
                self._source.send(self._answer(self._fleet, event.storms))

    def _answer(self, fleet: Fleet, storms: int) -> Command:
        found = decisions(fleet, self._baseline)
        until = fleet.plan.until_decided if fleet.plan else None
        if until is None or is_over(found, until, storms):
            return Conclude(decisions=found)
        return GoOn()
