"""What a led host asks, and what the answers do; nothing is booted here."""

import asyncio
import time

import pytest

from support.facts import MS
from vmtiming_tui.engine.boot.leader import Alone, Led, RoundSpec
from vmtiming_tui.engine.boot.moment import moment
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.commands import Admit, Proceed
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.events import Step, Turn

FAR_NS = 3_600_000 * MS
OVER_ALL = RunConfig(number=9, parallel=2, stagger_s=1.0)
ON_EACH = RunConfig(
    number=9, parallel=2, stagger_s=1.0, parallel_per_host=True, stagger_per_host=True
)


class Host:
    """A led host, what it asks, and which steps it has taken."""

    def __init__(self) -> None:
        self.asked: list[ev.Event] = []
        self.taken: list[Step] = []
        self.led = Led(self.asked.append)
        self.has_gone_on = asyncio.Event()

    def reach(self, step: Step) -> None:
        def take() -> None:
            self.taken.append(step)
            self.has_gone_on.set()

        self.led.reach(its(), step, take)


def its(config: RunConfig = OVER_ALL) -> RoundSpec:
    return RoundSpec(storm=3, number=2, rounds=2, config=config, attempts={4: 1, 5: 7})


def proceed(step: Step, at_ns: int | None = None) -> Proceed:
    return Proceed(storm=3, round=2, step=step, at_ns=at_ns)


@pytest.fixture
def host() -> Host:
    return Host()


def test_it_tells_where_it_is_and_goes_on_once_when_it_may(host: Host):
    host.reach(Step.DECIDED)
    (asked,) = host.asked
    for answer in (proceed(Step.GO), proceed(Step.DECIDED), proceed(Step.DECIDED)):
        host.led.answer(answer)

    assert (asked.storm, asked.round, asked.rounds, asked.vms) == (3, 2, 2, (4, 5))
    assert host.taken == [Step.DECIDED]


async def test_a_step_with_a_moment_is_taken_then_and_no_other_answer_hastens_it(host: Host):
    host.reach(Step.GO)
    at_ns = time.monotonic_ns() + 5 * MS
    host.led.answer(proceed(Step.GO, at_ns))
    host.led.answer(proceed(Step.GO))
    assert host.taken == []
    async with asyncio.timeout(60):
        await host.has_gone_on.wait()

    assert time.monotonic_ns() >= at_ns


async def test_a_stop_waits_for_no_answer_and_no_moment(host: Host):
    host.reach(Step.GO)
    host.led.answer(proceed(Step.GO, time.monotonic_ns() + FAR_NS))
    host.led.stop()
    host.reach(Step.DECIDED)
    assert host.taken == [Step.GO, Step.DECIDED]
    assert not await host.led.admit(its(), Turn.BOOT, 4)
    assert len(host.asked) == 1

    host.led.begin()
    host.reach(Step.ROUND)
    assert len(host.asked) == 2


async def test_a_turn_over_all_hosts_is_wanted_by_its_attempt_and_given_once(host: Host):
    turns = {
        (vm, turn): asyncio.ensure_future(host.led.admit(its(), turn, vm))
        for vm in (4, 5)
        for turn in Turn
    }
    await asyncio.sleep(0)
    wanted = [(each.vm, each.attempt, each.turn) for each in host.asked]
    assert wanted == [(4, 1, Turn.BOOT), (4, 1, Turn.GO), (5, 7, Turn.BOOT), (5, 7, Turn.GO)]
    for attempt in (6, 7, 7):
        host.led.answer(Admit(vm=5, attempt=attempt, turn=Turn.GO))
    await asyncio.sleep(0)
    assert [key for key, turn in turns.items() if turn.done()] == [(5, Turn.GO)]
    assert await turns[5, Turn.GO]

    for turn in turns.values():  # as where their VMs are lost
        turn.cancel()
    await asyncio.sleep(0)
    host.led.answer(Admit(vm=4, attempt=1, turn=Turn.BOOT))


async def test_a_turn_with_a_moment_comes_then(host: Host):
    turn = asyncio.ensure_future(host.led.admit(its(), Turn.GO, 4))
    await asyncio.sleep(0)
    at_ns = time.monotonic_ns() + 5 * MS
    host.led.answer(Admit(vm=4, attempt=1, turn=Turn.GO, at_ns=at_ns))
    await turn

    assert time.monotonic_ns() >= at_ns


@pytest.mark.parametrize("turn", Turn)
async def test_turns_that_each_host_counts_for_itself_are_not_asked_for(host: Host, turn: Turn):
    assert not await host.led.admit(its(ON_EACH), turn, 4)
    assert not await host.led.admit(its(RunConfig(number=9)), turn, 4)
    assert not await Alone().admit(its(), turn, 4)
    assert host.asked == []


async def test_a_moment_is_never_early_keeps_nobody_waiting_and_is_past_at_once():
    others = 0

    async def other() -> None:
        nonlocal others
        while True:
            others += 1
            await asyncio.sleep(0)

    async with asyncio.timeout(60):
        task = asyncio.create_task(other())
        for ahead_ns in (0, 100_000, MS, 3 * MS):
            at_ns, before = time.monotonic_ns() + ahead_ns, others
            await moment(at_ns)
            assert time.monotonic_ns() >= at_ns
            assert ahead_ns == 0 or others > before
        task.cancel()
        await moment(time.monotonic_ns() - FAR_NS)
