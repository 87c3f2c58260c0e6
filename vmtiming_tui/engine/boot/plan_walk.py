"""A run that nobody leads from outside: which storm comes next, and which number everything has."""

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping, Sequence

from vmtiming_tui.engine.boot.run import BootRun
from vmtiming_tui.errors import EngineError, ImageError
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.commands import Boot, Command, Conclude, GoOn, Rerun, Share
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.plan import RunPlan, StormKind, StormPlan


class PlanWalk:
    """Has the storms of a plan booted one after another, then those asked for while they were.

    ``rooms`` says how many VMs of each config the host can hold at once. Attempts are counted per
    VM over the whole run.
    """

    def __init__(
        self,
        plan: RunPlan,
        run: BootRun,
        rooms: Mapping[RunConfig, int],
        emit: Callable[[ev.Event], None],
    ) -> None:
        self._plan = plan
        self._run = run
        self._rooms = rooms
        self._emit = emit
        self._attempts: dict[int, int] = {}
        self._configs: dict[int, RunConfig] = {}
        self._reruns: list[tuple[int, ...]] = []
        self._storms = 0
        self._stopped = False
        self._answer: asyncio.Future[GoOn | Conclude | None] | None = None

    @property
    def has_more(self) -> bool:
        """Whether something waits to be booted again."""
        return bool(self._reruns)

    def obey(self, command: Command) -> None:
        """Take what is asked of a run that nobody leads; anything else is let go."""
        match command:
            case Rerun(vms=vms):
                self._rerun(vms)
            case GoOn() | Conclude():
                self._take(command)

    async def run_plan(self) -> None:
        """Boot every storm of the plan, then what was asked for again meanwhile.

        Raises ``EngineError`` where a storm cannot be begun.
        """
        for storm in self._plan.storms():
            await self._boot(storm, len(self._plan))
            if storm.look is not None and await self._is_concluded(storm.look):
                break
        await self._run_details()
        await self.run_reruns()

    async def _run_details(self) -> None:
        """Boot the storms that count in nothing; where one cannot begin, that is no fault."""
        for storm in self._plan.detail_storms():
            try:
                await self._boot(storm, 1)
            except (EngineError, ImageError) as error:
                self._emit(no_details(error))

    async def _boot(self, storm: StormPlan, planned: int) -> None:
        config = storm.variant.config
        configs = dict.fromkeys(range(config.number), config)
        await self._storm(configs, storm.kind, storm.variant.parameters, planned)

    async def _is_concluded(self, storms: int) -> bool:
        """Ask whether so many storms a setting will do, and wait for the answer, or for a stop."""
        if self._stopped:
            return True
        self._answer = asyncio.get_running_loop().create_future()
        self._emit(ev.LookDue(at_ns=time.monotonic_ns(), storms=storms))
        answer = await self._answer
        self._answer = None
        if not isinstance(answer, Conclude):
            return answer is None
        self._emit(
            ev.Concluded(at_ns=time.monotonic_ns(), storms=storms, decisions=answer.decisions)
        )
        return True

    def _take(self, answer: GoOn | Conclude | None) -> None:
        """Take the answer to the look that is due, if one is; None where the run is stopped."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    async def run_reruns(self) -> None:
        """Boot the VMs asked for again; raise ``EngineError`` where a storm cannot be begun."""
        while self._reruns:
            self._stopped = False
            configs = {vm: self._configs[vm] for vm in self._reruns.pop(0)}
            await self._storm(configs, StormKind.RERUN, {}, 1)

    async def _storm(
        self,
        configs: Mapping[int, RunConfig],
        kind: StormKind,
        parameters: Mapping[str, str],
        planned: int,
    ) -> None:
        if self._stopped:
            return
        asked = Boot(
            storm=self._storms + 1,
            kind=kind,
            parameters=parameters,
            planned=planned,
            shares=tuple(self._shares(configs)),
        )
        if not await self._run.make_ready(asked):
            return
        self._storms = asked.storm
        self._attempts |= {vm: self._attempts.get(vm, 0) + 1 for vm in configs}
        if kind is not StormKind.DETAIL:
            self._configs.update(configs)
        room = min(self._rooms.get(each, len(configs)) for each in configs.values())
        await self._run.boot(asked, room)

    def _shares(self, configs: Mapping[int, RunConfig]) -> Sequence[Share]:
        """Return VMs by their configs, in the order they were asked for."""
        return [
            Share(
                config=config,
                vms=(vms := tuple(vm for vm, _ in group)),
                attempts=tuple(self._attempts.get(vm, 0) + 1 for vm in vms),
            )
            for config, group in itertools.groupby(configs.items(), lambda each: each[1])
        ]

    def _rerun(self, vms: Sequence[int]) -> None:
        """Queue VMs to be booted again, as a storm of their own after those before it."""
        known = tuple(dict.fromkeys(vm for vm in vms if vm in self._configs))
        if known:
            self._reruns.append(known)

    def stop(self) -> None:
        """Boot nothing more of what was asked for so far."""
        self._stopped = True
        self._reruns.clear()
        self._take(None)


def no_details(error: EngineError | ImageError) -> ev.Notice:
    """Return what is said where a storm for details cannot be begun."""
    return ev.Notice(
        at_ns=time.monotonic_ns(),
        level=ev.Level.WARNING,
        text=f"no storm for the kernel's details: {error.message}",
    )
