"""The rounds of a storm, each from its first boot to its last QEMU's end, and their phases.

A round boots, is decided, collects its guests' details, and ends. Each phase begins when every VM
is done with the one before, so that nothing of a VM that is timed is spent on one that is not.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from vmtiming_tui.engine.boot.leader import Leader, RoundSpec
from vmtiming_tui.engine.boot.turns import Turns
from vmtiming_tui.model.config import StartMode
from vmtiming_tui.model.leading_events import Step, Turn


class _Line:
    """Lets VMs through in the order of their numbers, so many at once, from when it is opened."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._is_open = False
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._inside: set[int] = set()

    def open(self) -> None:
        self._is_open = True
        self._admit_soon()

    async def enter(self, vm: int) -> None:
        self._waiting[vm] = asyncio.get_running_loop().create_future()
        self._admit_soon()
        try:
            await self._waiting[vm]
        finally:
            self._waiting.pop(vm, None)

    def leave(self, vm: int) -> None:
        if vm in self._inside:
            self._inside.discard(vm)
            self._free += 1
            self._admit()

    def _admit_soon(self) -> None:
        # Whoever comes in the same turn of the loop is to stand in line before anybody is let in.
        asyncio.get_running_loop().call_soon(self._admit)

    def _admit(self) -> None:
        ready = (vm for vm in sorted(self._waiting) if not self._waiting[vm].done())
        while self._is_open and self._free and (vm := next(ready, None)) is not None:
            self._free -= 1
            self._inside.add(vm)
            self._waiting[vm].set_result(None)


class OrderWish:
    """The order of units is wanted of one guest of a run; where one tells none, of the next."""

    def __init__(self) -> None:
        self._asked: int | None = None
        self._is_told = False

    def claim(self, vm: int) -> bool:
        """Return whether this VM's guest is the one to be asked."""
        if self._is_told or self._asked is not None:
            return False
        self._asked = vm
        return True

    def take(self, vm: int) -> bool:
        """Return whether what this VM's guest tells is to be kept: the first, of who may tell it.

        A guest that waits for no word tells it unasked.
        """
        is_wanted = not self._is_told and self._asked in (None, vm)
        self._is_told |= is_wanted
        return is_wanted

    def give_up(self, vm: int) -> None:
        """Say that this VM's guest will say no more; harmless where it was not asked."""
        if self._asked == vm:
            self._asked = None


class Round:
    """Leads VMs that the host can hold together through the phases; ``turns`` order the boots.

    ``leader`` lets it take each step, and ``tell`` is called when it does.
    """

    def __init__(
        self, spec: RoundSpec, leader: Leader, order: OrderWish, tell: Callable[[Step], None]
    ) -> None:
        self.spec = spec
        self.turns = Turns(spec.config, spec.vms)
        self.order = order
        self._leader, self._tell = leader, tell
        self._unready, self._undecided = set(spec.vms), set(spec.vms)
        self._uncollected, self._present = set(spec.vms), set(spec.vms)
        self._begun, self._let_go, self._over = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._collecting = _Line(len(os.sched_getaffinity(0)))
        self._ending = _Line(spec.config.at_once(len(spec.vms)))
        self._is_at_step = False
        self._phases = deque(
            [
                (self._unready, Step.GO, self._let_go.set),
                (self._undecided, Step.DECIDED, self._collecting.open),
                (self._uncollected, Step.COLLECTED, self._ending.open),
            ]
        )
        if spec.config.start is StartMode.EACH:
            self._phases.popleft()
            self._let_go.set()

    def begin(self) -> None:
        """Let its VMs boot, as soon as it may."""
        self._leader.reach(self.spec, Step.ROUND, self._begin)

    def _begin(self) -> None:
        self._tell(Step.ROUND)
        self._begun.set()
        self._advance()

    async def over(self) -> None:
        """Return when no VM of it is left, and every phase was begun."""
        await self._over.wait()

    # What its VMs wait for.

    async def enter(self, vm: int) -> None:
        """Return when this VM may be one of those that boot."""
        await self._begun.wait()
        if not await self._leader.admit(self.spec, Turn.BOOT, vm):
            await self.turns.enter(vm)

    async def go(self, vm: int) -> None:
        """Return when this VM, which is ready, may go; VMs that are lost hold nobody up."""
        self._unready.discard(vm)
        self._advance()
        await self._let_go.wait()
        if not await self._leader.admit(self.spec, Turn.GO, vm):
            await self.turns.go()

    async def collect(self, vm: int) -> None:
        """Return when it is this VM's turn to tell details: all are decided, a core is free."""
        await self._collecting.enter(vm)

    async def end(self, vm: int) -> None:
        """Return when it is this VM's turn to end: all have told, as many at once as may boot."""
        await self._ending.enter(vm)

    # What its VMs say.

    def decided(self, vm: int) -> None:
        """It is known whether this VM boots: another may boot in its place."""
        self.turns.leave(vm)
        self._unready.discard(vm)
        self._undecided.discard(vm)
        self._advance()

    def collected(self, vm: int) -> None:
        """This VM's guest has told what it tells, or never will."""
        self.decided(vm)
        self._collecting.leave(vm)
        self.order.give_up(vm)
        self._uncollected.discard(vm)
        self._advance()

    def gone(self, vm: int) -> None:
        """Nothing is left of this VM."""
        self.collected(vm)
        self._ending.leave(vm)
        self._present.discard(vm)
        self._advance()

    def _advance(self) -> None:
        """Ask for the phase that nobody holds up any more; VMs may be lost before the first."""
        if self._is_at_step or not self._begun.is_set():
            return
        if not self._phases and not self._present:
            self._over.set()
        elif self._phases and not self._phases[0][0]:
            self._is_at_step = True
            self._leader.reach(self.spec, self._phases[0][1], self._go_on)

    def _go_on(self) -> None:
        _, step, begin = self._phases.popleft()
        self._is_at_step = False
        self._tell(step)
        begin()
        self._advance()


def split(vms: Sequence[int], at_once: int) -> Iterator[Sequence[int]]:
    """Yield the VMs of each round, of at most ``at_once``."""
    for start in range(0, len(vms), at_once):
        yield vms[start : start + at_once]
