"""Commands that come at awkward moments: each is obeyed, and none makes a figure wrong."""

import asyncio
import time

import pytest

from support.engine_lab import LIMIT_S, Lab, engine, processes_naming, until
from support.facts import plan_of
from support.wrappers import WRAPPERS, wrapped
from vmtiming_tui.engine import engine as engine_module
from vmtiming_tui.engine.engine import Engine
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.commands import VmAction
from vmtiming_tui.model.config import Accel, StartMode


@pytest.fixture
def gentle(monkeypatch) -> None:
    """An engine in the tests' own process, whose priority stays what it is."""
    monkeypatch.setattr(engine_module, "_take_precedence", lambda: None)


async def run_through(this: Engine) -> None:
    async with asyncio.timeout(LIMIT_S):
        await this.run()


def outcomes(said: list[ev.Event]) -> list[ev.Outcome]:
    return [event.outcome for event in said if isinstance(event, ev.RunEnded)]


def queued(said: list[ev.Event]) -> list[int]:
    return [event.vm for event in said if isinstance(event, ev.VmQueued)]


@pytest.mark.usefixtures("gentle")
async def test_a_stop_ends_the_run_it_was_meant_for_before_it_began_and_not_the_next(lab: Lab):
    said = []
    this = Engine(said.append)
    this.obey(commands.Start(plan=plan_of(lab.config(3, accel=Accel.TCG)), interactive=True))
    this.obey(commands.Stop())
    this.obey(commands.Start(plan=plan_of(lab.config(1, accel=Accel.TCG))))
    await run_through(this)

    assert outcomes(said) == [ev.Outcome.STOPPED, ev.Outcome.FINISHED]
    assert queued(said) == [0]
    assert lab.leftovers() == []


@pytest.mark.usefixtures("gentle")
@pytest.mark.parametrize("command", [commands.Stop(), commands.Quit(), commands.Quit(now=True)])
async def test_a_stop_at_the_very_moment_a_run_begins_is_not_lost(
    lab: Lab, command: commands.Command
):
    said = []

    def listen(event: ev.Event) -> None:
        said.append(event)
        if isinstance(event, ev.RunStarted):
            asyncio.get_running_loop().call_soon(this.obey, command)

    this = Engine(listen)
    this.obey(commands.Start(plan=plan_of(lab.config(1, accel=Accel.TCG))))
    await run_through(this)

    assert outcomes(said) == [ev.Outcome.STOPPED]
    assert queued(said) == []
    assert lab.leftovers() == []


async def test_nobody_lets_a_vm_go_or_stops_it_before_its_start(lab: Lab):
    async with engine(lab) as story:
        config = lab.config(2, "1.greet=1.5", start=StartMode.TOGETHER)
        story.client.send(commands.Start(plan=plan_of(config)))
        await story.till(lambda story: story.of(ev.VmConnected, 0))
        for action in (VmAction.RESUME, VmAction.PAUSE, VmAction.RESET, VmAction.POWERDOWN):
            story.client.send(commands.Act(action=action, vms=(0,)))
        await story.to_end()

    (started,) = story.of(ev.VmStarted, 0)
    seen = [event for event in story.of(ev.QmpSeen, 0) if event.at_ns < started.go_ns]
    assert story.states == ["booted", "booted"]
    assert seen == []


@pytest.mark.usefixtures("gentle")
async def test_a_report_in_time_counts_though_the_engine_hears_of_it_after_the_limit(lab: Lab):
    said = []

    def listen(event: ev.Event) -> None:
        said.append(event)
        if isinstance(event, ev.VmStarted):
            asyncio.get_running_loop().call_later(0.1, time.sleep, 3)  # as a host does that stalls

    this = Engine(listen)
    config = lab.config(1, "boot=0.3", timeout_s=1.0, accel=Accel.TCG)
    this.obey(commands.Start(plan=plan_of(config)))
    await run_through(this)

    (booted,) = [event for event in said if isinstance(event, ev.VmBooted)]
    (started,) = [event for event in said if isinstance(event, ev.VmStarted)]
    assert booted.report_ns - started.go_ns < 1_000_000_000


def qemus_of(lab: Lab, vm: int) -> set[int]:
    return {*processes_naming(str(lab.folder))} & {*processes_naming(f"VMREPORTID:{vm}")}


@pytest.mark.parametrize("wrapper", WRAPPERS)
async def test_a_killed_vm_is_gone_at_once_through_a_wrapper_too(lab: Lab, wrapper: str):
    async with engine(lab) as story:
        config = lab.config(2, "boot=60", qemu=wrapped(lab, wrapper))
        story.client.send(commands.Start(plan=plan_of(config)))
        await story.till(lambda story: len(story.of(ev.VmStarted)) == 2)
        story.client.send(commands.Act(action=VmAction.KILL, vms=(1,)))
        await story.till(lambda story: story.of(ev.VmExited, 1))
        await until(lambda: qemus_of(lab, 1) == set())

        assert qemus_of(lab, 0)
        story.client.send(commands.Stop(now=True))
        await story.to_end()
