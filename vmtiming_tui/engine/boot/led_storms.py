"""The storms of a run that is led: each is booted as whoever leads several hosts says."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from vmtiming_tui.engine.boot.leader import Led
from vmtiming_tui.engine.boot.plan_walk import no_details
from vmtiming_tui.engine.boot.run import BootRun
from vmtiming_tui.engine.host.capacity import rooms_for
from vmtiming_tui.errors import EngineError, ImageError
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.commands import Admit, Boot, Command, Proceed
from vmtiming_tui.model.config import Accel, RunConfig
from vmtiming_tui.model.plan import StormKind


class LedStorms:
    """Has this host's shares of storms booted, one after another, as they are asked for.

    A storm that was stopped before it began is ended by its ``StormEnded`` all the same, as who
    leads waits for it. ``accels`` has the plan's configs, with the accelerator of each; ``boots``
    is what is asked for and not yet begun.
    """

    def __init__(
        self,
        run: BootRun,
        leader: Led,
        accels: Mapping[RunConfig, Accel],
        boots: deque[Boot],
        emit: Callable[[ev.Event], None],
    ) -> None:
        self._run = run
        self._leader = leader
        self._accels = accels
        self._boots = boots
        self._emit = emit

    @property
    def has_more(self) -> bool:
        """Whether something waits to be booted."""
        return bool(self._boots)

    def obey(self, command: Command) -> None:
        """Take an answer of whoever leads; anything else is let go."""
        if isinstance(command, (Proceed, Admit)):
            self._leader.answer(command)

    async def run_next(self) -> None:
        """Boot what was asked for first; raise ``EngineError`` where it cannot be begun."""
        self._leader.begin()
        await self._boot(self._boots.popleft())

    async def _boot(self, asked: Boot) -> None:
        self._check(asked)
        try:
            room = self._room(asked)
            if await self._run.make_ready(asked):
                await self._run.boot(asked, room)
                return
        except (EngineError, ImageError) as error:
            if asked.kind is not StormKind.DETAIL:
                raise
            self._emit(no_details(error))
        self._tell_end(asked)

    def _check(self, asked: Boot) -> None:
        """Raise ``EngineError`` where a share is none that this run can have."""
        vms = [vm for share in asked.shares for vm in share.vms]
        if any(share.config not in self._accels for share in asked.shares):
            wrong = "it has settings that are none of the plan's"
        elif any(len(share.vms) != len(share.attempts) for share in asked.shares):
            wrong = "it has not as many attempts as VMs"
        elif not vms or len(set(vms)) < len(vms):
            wrong = "it has no VMs, or one of them twice"
        else:
            return
        raise EngineError(
            f"this host's share of storm {asked.storm} cannot be booted: {wrong}",
            hint="are all hosts and the front end of the same version?",
        )

    def _room(self, asked: Boot) -> int:
        """Return how many VMs of its share the host can hold at once, as it is now."""
        count = sum(len(share.vms) for share in asked.shares)
        shares = {
            replace(share.config, number=count): self._accels[share.config]
            for share in asked.shares
        }
        return min(rooms_for(shares).values())

    def _tell_end(self, asked: Boot) -> None:
        self._emit(ev.StormEnded(at_ns=time.monotonic_ns(), storm=asked.storm))

    def stop(self) -> None:
        """Boot nothing more of what was asked for so far, and wait for no step."""
        for asked in self._boots:
            self._tell_end(asked)
        self._boots.clear()
        self._leader.stop()
