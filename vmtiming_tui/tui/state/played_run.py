"""A stored run in the dashboard: played, held, stepped, and put at any of its moments."""

import asyncio
from collections.abc import Sequence

from vmtiming_tui.analysis.comparison.samples import Side
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.sources.replay import Player
from vmtiming_tui.tui.state.dashboard import Change, Model
from vmtiming_tui.tui.state.keymap import Need

SEEK_NS = 5_000_000_000
SEEK_SHARE = 0.05


def folded(events: Sequence[ev.Event]) -> Fleet:
    """Return the last run of a stream as its events left it."""
    begins = [at for at, event in enumerate(events) if isinstance(event, ev.RunStarted)]
    return Fleet(events[begins[-1] if begins else 0 :])


class PlayedRun(Model):
    """A model whose clock is its player's, so that no figure is ahead of the events.

    To be put at another moment the events before it are folded anew, beside the loop; till that is
    done the picture stands. ``called`` is what the run is called among others.
    """

    def __init__(
        self,
        player: Player,
        plan: RunPlan,
        *,
        called: str,
        baseline: Side | None = None,
        there: frozenset[Need] = frozenset({Need.TERMINAL, Need.PLAYER}),
    ) -> None:
        super().__init__(plan, lambda: player.now_ns, baseline, there)
        self.player = player
        self.called = called
        self._heading_ns: int | None = None
        self._found: Fleet | None = None
        self._is_folding = self._is_other = False

    @property
    def place_ns(self) -> int:
        """Where in the run this is, or is about to be, since its begin."""
        at_ns = self.player.now_ns if self._heading_ns is None else self._heading_ns
        return at_ns - self.player.begin_ns

    @property
    def length_ns(self) -> int:
        """How long the run is."""
        return self.player.end_ns - self.player.begin_ns

    def turn(self, *, everything: bool = False, between: bool = False) -> Change:
        """Fold the events whose time has come; say what changed."""
        self._adopt_found()
        if not (self._holds or self.is_seeking):
            self.take(self.player.due())
        change = super().turn(everything=True, between=between)
        if self._is_other and not self._holds:
            self._is_other = False
            return Change(frozenset(self.fleet.vms), True, True, change.figures, between)
        return change

    # What the player's keys do.

    def play(self, how: str) -> None:
        """Do what a key of the player is for."""
        player = self.player
        match how:
            case "pause" if player.is_at_end:
                self.head_for(0)
                player.is_paused = False
            case "pause":
                player.is_paused = not player.is_paused
            case "step" | "step back":
                player.is_paused = True
                beside = player.stop_beside(
                    self.place_ns + player.begin_ns, 1 if how == "step" else -1
                )
                self.head_for(beside - player.begin_ns)
            case "faster" | "slower":
                player.change_speed(2.0 if how == "faster" else 0.5)
            case "usual":
                player.speed = 1.0
            case "forth" | "back":
                self.head_for(self.place_ns + (SEEK_NS if how == "forth" else -SEEK_NS))
            case "far forth" | "far back":
                leap_ns = round(self.length_ns * SEEK_SHARE)
                self.head_for(self.place_ns + (leap_ns if how == "far forth" else -leap_ns))
            case "start":
                self.head_for(0)
            case "end":
                self.head_for(self.length_ns)

    def head_for(self, place_ns: int) -> None:
        """Wish for another moment, in ns since the begin; ``arrive`` gets there."""
        self._heading_ns = self.player.begin_ns + max(0, min(place_ns, self.length_ns))
        self._found = None

    @property
    def is_seeking(self) -> bool:
        """Whether the picture is of another moment than the one that is wished for."""
        return self._heading_ns is not None

    @property
    def is_elsewhere(self) -> bool:
        """Whether another moment is wished for, and nobody is on the way there yet."""
        return self.is_seeking and not self._is_folding and self._found is None

    async def arrive(self) -> None:
        """Get to the moment that is wished for, and to later wishes of the time this takes."""
        self._is_folding = True
        try:
            while (at_ns := self._heading_ns) is not None and self._found is None:
                fleet = await asyncio.to_thread(folded, self.player.before(at_ns))
                if at_ns == self._heading_ns:
                    self._found = fleet
                    self._adopt_found()
        finally:
            self._is_folding = False

    def _adopt_found(self) -> None:
        """Be at the moment that was got to, once no thread reads what was shown before it."""
        if self._holds or self._found is None or self._heading_ns is None:
            return
        at_ns, self._heading_ns = self._heading_ns, None
        self.fleet, self._found = self._found, None
        self.plan = self.asked = self.fleet.plan or self.plan
        self.player.put(at_ns)
        self._waiting.clear()
        self._stale_figures, self._figures_due_ns, self.outcome = True, 0, None
        self.reorder(now=True)  # it may be painted before the next turn
        self._is_other = True

    def begin_at_end(self) -> None:
        """Be there as it ended, for who wants to look at it rather than to see it go; blocks."""
        self.player.is_paused = True
        self.head_for(self.length_ns)
        self._found = folded(self.player.events)
        self._adopt_found()
        self.settle()
        self._is_other = True
