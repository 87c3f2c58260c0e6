"""A round ends, whatever becomes of its VMs, and in whichever order: nobody waits for ever."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from hypothesis import given, settings, strategies as st

from vmtiming_tui.engine.boot.leader import Alone, Leader, Led, RoundSpec
from vmtiming_tui.engine.boot.rounds import OrderWish, Round, split
from vmtiming_tui.model.commands import Admit, Proceed
from vmtiming_tui.model.config import RunConfig, StartMode
from vmtiming_tui.model.events import Awaiting, Event, Step, Turn, TurnWanted

CORES = len(os.sched_getaffinity(0))
LIFE = ("enter", "launch", "go", "collect", "end")
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

    def __init__(self, lives: list[Life], config: RunConfig, leader: Leader) -> None:
        self.said: list[Step] = []
        self.collecting: set[int] = set()
        self.most_collecting = 0
        attempts = dict.fromkeys(range(len(lives)), 1)
        spec = RoundSpec(storm=1, number=1, rounds=1, config=config, attempts=attempts)
        self.round = Round(spec, leader, OrderWish(), self.said.append)
        self._lives = lives

    async def live(self, vm: int) -> None:
        """Take the steps as an attempt does: what is begun is given up before a place is left."""
        life, its = self._lives[vm], self.round
        steps: dict[str, Callable[[int], Awaitable[None]]] = {
            "enter": its.enter,
            "launch": its.turns.begin_launch,
            "go": its.go,
            "collect": its.collect,
            "end": its.end,
        }
        for name in LIFE:
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
                assert self.said[-1] is Step.DECIDED
                self.collecting.add(vm)
                self.most_collecting = max(self.most_collecting, len(self.collecting))
            elif name == "end":
                assert self.said[-1] is Step.COLLECTED
            for _ in range(life.turns):
                await asyncio.sleep(0)
        self.collecting.discard(vm)
        its.decided(vm)
        its.collected(vm)
        await asyncio.sleep(0)
        its.gone(vm)

    async def run(self, begins_after: int, each_turn: Callable[[int], None]) -> None:
        vms = [asyncio.ensure_future(self.live(vm)) for vm in range(len(self._lives))]
        for _ in range(begins_after):
            await asyncio.sleep(0)
        self.round.begin()
        over = asyncio.ensure_future(self.round.over())
        for turn in range(ENOUGH_TURNS):
            each_turn(turn)
            if over.done() and all(vm.done() for vm in vms):
                break
            await asyncio.sleep(0)
        for each in (*vms, over):
            assert each.done(), f"it waits for ever after {self.said}"
            await each


LIVES = st.lists(
    st.builds(
        Life, st.integers(0, 4), st.sampled_from([None, None, *LIFE]), patience=st.integers(0, 6)
    ),
    min_size=1,
    max_size=7,
)
CONFIGS = st.one_of(
    st.builds(RunConfig, parallel=st.integers(1, 3)),
    st.just(RunConfig(start=StartMode.TOGETHER)),
)


def steps(config: RunConfig) -> list[Step]:
    """What a round takes, in order."""
    return [step for step in Step if step is not Step.GO or config.start is StartMode.TOGETHER]


@settings(max_examples=300)
@given(LIVES, CONFIGS, st.integers(0, 8))
def test_a_round_ends_with_its_phases_in_order_whatever_becomes_of_its_vms(
    lives: list[Life], config: RunConfig, begins_after: int
):
    watched = Watched(lives, config, Alone())
    asyncio.run(watched.run(begins_after, lambda _: None))

    assert watched.said == steps(config)
    assert watched.most_collecting <= CORES


class Slow:
    """Whoever leads a round, and answers each question some turns of the loop later."""

    def __init__(self, after_turns: int) -> None:
        self.led = Led(self._hear)
        self.asked: list[Step | Turn] = []
        self._after_turns = after_turns
        self._now = 0
        self._answers: list[tuple[int, Proceed | Admit]] = []

    def _hear(self, event: Event) -> None:
        match event:
            case Awaiting(storm=storm, round=number, step=step):
                self.asked.append(step)
                answer: Proceed | Admit = Proceed(storm=storm, round=number, step=step)
            case TurnWanted(vm=vm, attempt=attempt, turn=turn):
                self.asked.append(turn)
                answer = Admit(vm=vm, attempt=attempt, turn=turn)
        self._answers.append((self._now + self._after_turns, answer))

    def each_turn(self, turn: int) -> None:
        self._now = turn
        due = [answer for at, answer in self._answers if at <= turn]
        self._answers = [(at, answer) for at, answer in self._answers if at > turn]
        for answer in (*due, *due):
            self.led.answer(answer)


@settings(max_examples=100)
@given(LIVES, CONFIGS, st.integers(0, 8), st.integers(0, 9))
def test_so_it_does_where_each_step_and_turn_is_waited_for(
    lives: list[Life], config: RunConfig, begins_after: int, after_turns: int
):
    slow = Slow(after_turns)
    watched = Watched(lives, config, slow.led)
    asyncio.run(watched.run(begins_after, slow.each_turn))

    assert watched.said == steps(config)
    assert [each for each in slow.asked if isinstance(each, Step)] == steps(config)
    turns = [each for each in slow.asked if isinstance(each, Turn)]
    assert len(turns) <= (len(lives) if config.parallel else 0)


@settings(max_examples=100)
@given(LIVES, CONFIGS, st.integers(0, 30))
def test_so_it_does_where_nobody_answers_and_it_is_stopped(
    lives: list[Life], config: RunConfig, stopped_at: int
):
    config = replace(config, parallel=None)  # who waits for a turn is ended by others
    slow = Slow(ENOUGH_TURNS)
    watched = Watched(lives, config, slow.led)
    asyncio.run(watched.run(0, lambda turn: slow.led.stop() if turn == stopped_at else None))

    assert watched.said == steps(config)
    assert len(slow.asked) <= 1


@given(st.integers(0, 40), st.integers(1, 12))
def test_every_vm_is_in_one_round_which_holds_no_more_than_there_is_room(number: int, room: int):
    rounds = [tuple(each) for each in split(range(number), room)]

    assert [vm for each in rounds for vm in each] == list(range(number))
    assert all(0 < len(each) <= room for each in rounds)
