"""Whom a storm's rounds go by: nobody, or whoever leads several hosts through it.

Each step that hosts take together is asked for, and each turn that is counted over all of them. A
host alone is answered at once; one that is led says so, and waits for the command that answers.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from vmtiming_tui.engine.boot.moment import moment
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.commands import Admit, Proceed
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.leading_events import Awaiting, Step, Turn, TurnWanted

_Place: TypeAlias = tuple[int, int, Step]
"""A step of a storm's round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundSpec:
    """Which round of a storm it is, with which settings, and the number of each VM's attempt."""

    storm: int
    number: int
    rounds: int
    config: RunConfig
    attempts: Mapping[int, int]

    @property
    def vms(self) -> tuple[int, ...]:
        """Its VMs, in the order they are to boot in."""
        return tuple(self.attempts)


class Leader(Protocol):
    """Who lets rounds take their steps, and VMs their turns."""

    @property
    def is_led(self) -> bool:
        """Whether there is anybody to wait for."""

    def reach(self, its: RoundSpec, step: Step, then: Callable[[], None]) -> None:
        """Call ``then`` once a round may take a step, which is at once where nobody leads."""

    async def admit(self, its: RoundSpec, turn: Turn, vm: int) -> bool:
        """Return when a VM may take its turn; False, at once, where the host counts it alone."""


class Alone:
    """A host that nobody leads."""

    is_led = False

    def reach(self, _its: RoundSpec, _step: Step, then: Callable[[], None]) -> None:
        """Go on."""
        then()

    async def admit(self, _its: RoundSpec, _turn: Turn, _vm: int) -> bool:
        """Leave it to the host's own turns."""
        return False


class Led:
    """A host that is led; an answer to what was not asked, or was answered, is let go.

    Once it is stopped nothing is asked and nobody waits, till ``begin``.
    """

    is_led = True

    def __init__(self, emit: Callable[[ev.Event], None]) -> None:
        self._emit = emit
        self._steps: dict[_Place, Callable[[], None]] = {}
        self._turns: dict[tuple[int, int, Turn], asyncio.Future[int | None]] = {}
        self._timed: dict[_Place, asyncio.Task[None]] = {}
        self._stopped = False

    def begin(self) -> None:
        """Ask again: another storm begins."""
        self._stopped = False

    def stop(self) -> None:
        """Let everything go on that waits for a step; who waits for a turn is ended by others."""
        self._stopped = True
        for task in self._timed.values():
            task.cancel()
        self._timed.clear()
        waiting, self._steps = self._steps, {}
        for then in waiting.values():
            then()

    # What is asked.

    def reach(self, its: RoundSpec, step: Step, then: Callable[[], None]) -> None:
        """Say that the round is at a step; ``proceed`` lets it go on."""
        if self._stopped:
            then()
            return
        self._steps[its.storm, its.number, step] = then
        self._emit(
            Awaiting(
                at_ns=time.monotonic_ns(),
                storm=its.storm,
                round=its.number,
                rounds=its.rounds,
                step=step,
                vms=its.vms,
            )
        )

    async def admit(self, its: RoundSpec, turn: Turn, vm: int) -> bool:
        """Say that the VM wants a turn that is counted over all hosts, and wait for it."""
        if self._stopped or not _is_over_all(its.config, turn):
            return False
        attempt = its.attempts[vm]
        answer = self._turns[vm, attempt, turn] = asyncio.get_running_loop().create_future()
        self._emit(TurnWanted(at_ns=time.monotonic_ns(), vm=vm, attempt=attempt, turn=turn))
        try:
            at_ns = await answer
        finally:
            self._turns.pop((vm, attempt, turn), None)
        if at_ns is not None:
            # A millisecond late at most. To be exact takes a CPU as long, for each VM, while others
            # boot; of a step there is one for all.
            await asyncio.sleep(max(at_ns - time.monotonic_ns(), 0) / 1e9)
        return True

    # What is answered.

    def answer(self, answer: Proceed | Admit) -> None:
        """Take an answer."""
        match answer:
            case Proceed():
                self._proceed(answer)
            case Admit(vm=vm, attempt=attempt, turn=turn):
                asked = self._turns.pop((vm, attempt, turn), None)
                if asked is not None and not asked.done():
                    asked.set_result(answer.at_ns)

    def _proceed(self, answer: Proceed) -> None:
        place = (answer.storm, answer.round, answer.step)
        if place not in self._steps or place in self._timed:
            return
        if answer.at_ns is None:
            self._steps.pop(place)()
        else:
            self._timed[place] = asyncio.create_task(self._proceed_at(answer.at_ns, place))

    async def _proceed_at(self, at_ns: int, place: _Place) -> None:
        await moment(at_ns)
        del self._timed[place]
        self._steps.pop(place)()


def _is_over_all(config: RunConfig, turn: Turn) -> bool:
    """Return whether the VMs of all hosts take turns in this, or those of each for themselves."""
    match turn:
        case Turn.BOOT:
            return config.parallel is not None and not config.parallel_per_host
        case Turn.GO:
            return config.stagger_s > 0 and not config.stagger_per_host
