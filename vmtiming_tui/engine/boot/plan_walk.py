"""A run that nobody leads from outside: its storms, one after another, and the looks between."""

import asyncio
import time
from collections.abc import Callable, Mapping

from vmtiming_tui.engine.boot.run import BootRun
from vmtiming_tui.errors import EngineError, ImageError
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.commands import Boot, Command, Conclude, GoOn, Rerun
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.plan import RunPlan, StormKind
from vmtiming_tui.model.walk import StormOrder, Walk, shares_of


class PlanWalk:
    """Has the storms of a plan booted one after another, then those asked for while they were.

    ``rooms`` says how many VMs of each config the host can hold at once.
    """

    def __init__(
        self,
        plan: RunPlan,
        run: BootRun,
        rooms: Mapping[RunConfig, int],
        emit: Callable[[ev.Event], None],
    ) -> None:
        self._walk = Walk(plan)
        self._run = run
        self._rooms = rooms
        self._emit = emit
        self._stopped = False
        self._answer: asyncio.Future[GoOn | Conclude | None] | None = None

    @property
    def has_more(self) -> bool:
        """Whether something waits to be booted."""
        return self._walk.has_more

    def obey(self, command: Command) -> None:
        """Take what is asked of a run that nobody leads; anything else is let go."""
        match command:
            case Rerun(vms=vms):
                self._walk.rerun(vms)
            case GoOn() | Conclude():
                self._take(command)

    async def run(self) -> None:
        """Boot every storm there is to boot; raise ``EngineError`` where one cannot be begun."""
        while (order := self._walk.next()) is not None:
            self._stopped = False
            await self._try(order)
            if order.look is not None and not self._stopped:
                await self._look(order.look)

    async def _try(self, order: StormOrder) -> None:
        """Boot a storm; where one that counts in nothing cannot begin, that is no fault."""
        try:
            await self._boot(order)
        except (EngineError, ImageError) as error:
            if order.kind is not StormKind.DETAIL:
                self._walk.give_up()
                raise
            self._emit(no_details(error))

    async def _boot(self, order: StormOrder) -> None:
        asked = Boot(
            storm=self._walk.storm,
            kind=order.kind,
            parameters=order.parameters,
            planned=order.planned,
            shares=shares_of(order, self._walk.next_attempts(order), order.configs),
        )
        if not await self._run.make_ready(asked):
            return
        self._walk.begun(order, order.configs)
        count = len(order.configs)
        room = min(self._rooms.get(each, count) for each in order.configs.values())
        await self._run.boot(asked, room)

    async def _look(self, storms: int) -> None:
        """Ask whether so many storms a setting will do, and wait for the answer, or for a stop."""
        self._answer = asyncio.get_running_loop().create_future()
        self._emit(ev.LookDue(at_ns=time.monotonic_ns(), storms=storms))
        answer = await self._answer
        self._answer = None
        if isinstance(answer, Conclude):
            self._emit(
                ev.Concluded(at_ns=time.monotonic_ns(), storms=storms, decisions=answer.decisions)
            )
            self._walk.conclude()

    def _take(self, answer: GoOn | Conclude | None) -> None:
        """Take the answer to the look that is due, if one is; None where the run is stopped."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    def stop(self) -> None:
        """Boot nothing more of what was asked for so far."""
        self._stopped = True
        self._walk.stop()
        self._take(None)


def no_details(error: EngineError | ImageError) -> ev.Notice:
    """Return what is said where a storm for details cannot be begun."""
    return ev.Notice(
        at_ns=time.monotonic_ns(),
        level=ev.Level.WARNING,
        text=f"no storm for the kernel's details: {error.message}",
    )
