"""A round ends, whatever becomes of its VMs, and in whichever order: nobody waits for ever."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hypothesis import given, settings, strategies as st

from vmtiming_tui.engine.boot.rounds import OrderWish, Round, split
from vmtiming_tui.model.config import RunConfig, StartMode

CORES = len(os.sched_getaffinity(0))
STEPS = ("enter", "launch", "go", "collect", "end")
ENOUGH_TURNS = 2000


@dataclass(frozen=True)
class Life:
    """How a VM fares: turns of the loop that each step takes, and at which it is lost, and when.

    Without ``lost_at`` it lives to its end. ``patience`` is how many turns it waits there first.
    """

    turns: int
    lost_at: str | None
    patience: int


class Watched:
    """A round whose phases, and whose VMs in each step, are kept."""

    def __init__(self, lives: list[Life], config: RunConfig) -> None:
        self.said: list[str] = []
        self.collecting: set[int] = set()
        self.most_collecting = 0
        self.round = Round(
            range(len(lives)),
            config,
            OrderWish(),
            lambda: self.said.append("decided"),
            lambda: self.said.append("collected"),
        )
        self._lives = lives

    async def live(self, vm: int) -> None:
        """Take the steps as an attempt does: what is begun is given up before a place is left."""
        life, its = self._lives[vm], self.round
        steps: dict[str, Callable[[int], Awaitable[None]]] = {
            "enter": its.enter,
            "launch": its.turns.begin_launch,
            "go": its.turns.go,
            "collect": its.collect,
            "end": its.end,
        }
        for name in STEPS:
            begun = asyncio.ensure_future(steps[name](vm))
            if name == "collect":
                its.decided(vm)
            elif name == "end":
                self.collecting.discard(vm)
                its.collected(vm)
            if life.lost_at == name:
                for _ in range(life.patience):
                    await asyncio.sleep(0)
                begun.cancel()
                break
            await begun
            if name == "go":
                its.turns.end_launch(vm)
            elif name == "collect":
                assert self.said == ["decided"]
                self.collecting.add(vm)
                self.most_collecting = max(self.most_collecting, len(self.collecting))
            elif name == "end":
                assert self.said == ["decided", "collected"]
            for _ in range(life.turns):
                await asyncio.sleep(0)
        self.collecting.discard(vm)
        its.decided(vm)
        its.collected(vm)
        await asyncio.sleep(0)
        its.gone(vm)

    async def run(self, begins_after: int) -> None:
        vms = [asyncio.ensure_future(self.live(vm)) for vm in range(len(self._lives))]
        for _ in range(begins_after):
            await asyncio.sleep(0)
        self.round.begin()
        over = asyncio.ensure_future(self.round.over())
        for _ in range(ENOUGH_TURNS):
            if over.done() and all(vm.done() for vm in vms):
                break
            await asyncio.sleep(0)
        for each in (*vms, over):
            assert each.done(), f"it waits for ever after {self.said}"
            await each


LIVES = st.lists(
    st.builds(
        Life, st.integers(0, 4), st.sampled_from([None, None, *STEPS]), patience=st.integers(0, 6)
    ),
    min_size=1,
    max_size=7,
)
CONFIGS = st.one_of(
    st.builds(RunConfig, parallel=st.integers(1, 3)),
    st.just(RunConfig(start=StartMode.TOGETHER)),
)


@settings(max_examples=300)
@given(LIVES, CONFIGS, st.integers(0, 8))
def test_a_round_ends_with_its_phases_in_order_whatever_becomes_of_its_vms(
    lives: list[Life], config: RunConfig, begins_after: int
):
    watched = Watched(lives, config)
    asyncio.run(watched.run(begins_after))

    assert watched.said == ["decided", "collected"]
    assert watched.most_collecting <= CORES


@given(st.integers(0, 40), st.integers(1, 12))
def test_every_vm_is_in_one_round_which_holds_no_more_than_there_is_room(number: int, room: int):
    rounds = [tuple(each) for each in split(range(number), room)]

    assert [vm for each in rounds for vm in each] == list(range(number))
    assert all(0 < len(each) <= room for each in rounds)
