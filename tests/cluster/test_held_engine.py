"""An engine that is held for a front end elsewhere: asked piece by piece, and not for ever."""

import asyncio

import pytest

from support.engine_lab import Lab, processes_naming, until
from vmtiming_tui.cluster.dask_hosts.held_engine import GATHER_S, HeldEngine
from vmtiming_tui.cluster.host_link import Lines
from vmtiming_tui.errors import EngineError, EventError
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.plan import RunPlan, Variant
from vmtiming_tui.sources.event_lines import Told

LIMIT_S = 30


@pytest.fixture
async def held():
    engine = HeldEngine(poll_s=0.2)
    await engine.open()
    yield engine
    await engine.close()


def start(lab: Lab, script: str = "boot=0.1") -> bytes:
    plan = RunPlan(variants=(Variant(config=lab.config(1, script)),))
    return commands.encode(commands.Start(plan=plan)).encode()


async def told(held: HeldEngine, after: int = 0) -> tuple[Lines, ...]:
    """Ask for everything there is till the engine has ended."""
    found: list[Lines] = []
    async with asyncio.timeout(LIMIT_S):
        while not (found and found[-1].ended):
            found.append(await held.next(after))
            after = found[-1].first + len(found[-1].lines)
    return tuple(found)


async def test_every_line_comes_once_and_in_order(lab, held):
    held.send(0, [start(lab)])

    pieces = await told(held)

    events = [ev.decode(line) for piece in pieces for line in piece.lines]
    assert isinstance(events[0], ev.RunStarted)
    assert isinstance(events[-1], ev.RunEnded)
    assert sum(isinstance(event, ev.VmBooted) for event in events) == 1


async def test_asking_again_brings_the_same(lab, held):
    held.send(0, [start(lab)])
    once = await held.next(0)
    while not once.lines:
        once = await held.next(0)

    again = await held.next(0)

    assert again.first == 0
    assert again.lines[: len(once.lines)] == once.lines


async def test_what_was_fetched_is_forgotten_and_asking_for_it_is_a_mistake(lab, held):
    held.send(0, [start(lab)])
    pieces = await told(held)

    with pytest.raises(EngineError, match="out of order"):
        await held.next(pieces[-1].first - 1)


async def test_commands_that_come_again_are_obeyed_once(lab, held):
    line = start(lab)
    held.send(0, [line])
    held.send(0, [line, commands.encode(commands.Stop()).encode()])

    pieces = await told(held)

    events = [ev.decode(line) for piece in pieces for line in piece.lines]
    assert sum(isinstance(event, ev.RunEnded) for event in events) == 1


async def test_commands_that_are_missing_are_noticed(held):
    with pytest.raises(EngineError, match="lost on their way"):
        held.send(1, [b"{}"])


async def test_a_line_that_is_no_command_is_refused(held):
    with pytest.raises(EventError):
        held.send(0, [b"{}"])


async def test_nothing_new_is_said_after_a_while(held):
    assert await held.next(0) == Lines(first=0)


def vms_of(lab: Lab) -> list[int]:
    """Return the VMs that run; a QEMU that is only asked for its version is none."""
    return processes_naming(f"{lab.qemu}\0-name")


async def test_an_engine_that_is_asked_nothing_ends_with_all_it_runs(lab):
    held = HeldEngine(lease_s=4.0, poll_s=0.2)
    await held.open()
    held.send(0, [start(lab, "boot=600")])

    def runs() -> bool:
        held.still_there()
        return bool(vms_of(lab))

    await until(runs)

    await until(lambda: not processes_naming(str(lab.folder)))

    await held.close()
    assert (await held.next(0)).lines


async def test_an_engine_goes_on_while_its_front_end_only_says_that_it_is_there(lab):
    held = HeldEngine(lease_s=2.0, poll_s=0.2)
    await held.open()
    for _ in range(5):
        await asyncio.sleep(0.5)
        held.still_there()

    held.send(0, [start(lab)])

    events = [ev.decode(line) for piece in await told(held) for line in piece.lines]
    assert isinstance(events[-1], ev.RunEnded)


async def test_an_engine_that_is_let_go_ends_at_once(lab, held):
    held.send(0, [start(lab, "boot=600")])
    await until(lambda: bool(vms_of(lab)))

    held.let_go()

    await until(lambda: not processes_naming(str(lab.folder)))
    assert (await told(held))[-1].ended


def told_of(*events: ev.Event) -> list[Told]:
    return [Told(ev.encode(event).encode(), event) for event in events]


async def test_what_is_only_looked_at_waits_for_more_of_it_and_nothing_else_does():
    sample = ev.HostSample(at_ns=1, cpu_percent=1.0, load1=1.0)
    decided = ev.StormDecided(at_ns=2, storm=1)
    held, loop = HeldEngine(poll_s=30), asyncio.get_running_loop()
    began_s = loop.time()
    held.take(told_of(sample))
    loop.call_later(GATHER_S / 10, held.take, told_of(sample))
    gathered = await held.next(0)
    assert len(gathered.lines) == 2
    assert loop.time() - began_s >= GATHER_S / 2

    held.take(told_of(sample))
    held.take(told_of(decided))
    at_once = asyncio.create_task(held.next(2))
    await asyncio.sleep(0)
    assert at_once.done()
    assert len((await at_once).lines) == 2
