"""What several real engines tell as one is what one of them tells alone, but for the hosts."""

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from support.engine_lab import Lab, Story, tell
from support.facts import plan_of
from vmtiming_tui.cluster.host_link import Lines
from vmtiming_tui.cluster.source import ClusterSource
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.config import StartMode
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.sources.event_lines import Told
from vmtiming_tui.sources.live_engine import EngineClient

OF_HOSTS = (ev.HostJoined, ev.ClockMeasured, ev.HostLost)
NOW_AND_THEN = (ev.HostSample, ev.VmUsage, ev.ConsoleLine, ev.StageSeen, ev.QmpSeen)


class EngineLink:
    """An engine of this host, by a name."""

    def __init__(self, name: str) -> None:
        self.name, self.address = name, "here"
        self.lines: list[bytes] = []
        self.engine = EngineClient(self._take)
        self.batches = self.engine.batches()

    def _take(self, told: Sequence[Told]) -> None:
        self.lines += [line for line, _ in told]

    async def send(self, lines: tuple[bytes, ...]) -> None:
        for line in lines:
            self.engine.send(commands.decode(line))

    async def next(self, after: int) -> Lines:
        ended = False
        if len(self.lines) == after:
            ended = await anext(self.batches, None) is None
        return Lines(first=after, lines=tuple(self.lines[after:]), ended=ended)

    async def clock_ns(self) -> int:
        return time.monotonic_ns()


@asynccontextmanager
async def engines(*names: str) -> AsyncIterator[list[EngineLink]]:
    links = [EngineLink(name) for name in names]
    async with AsyncExitStack() as held:
        for link in links:
            await held.enter_async_context(link.engine)
        yield links
        assert [link.engine.stderr for link in links] == [""] * len(links)


async def tell_led(lab: Lab, plan: RunPlan, *names: str) -> Story:
    """Run a plan to its end on hosts that are all this one."""
    async with engines(*names) as links, ClusterSource(links) as source:
        source.send(commands.Start(plan=plan))
        story = Story(source)
        await story.to_end()
    assert story.fleet.misfits == 0
    assert lab.leftovers() == []
    return story


def wholes(story: Story) -> list[object]:
    """What was told of storms and the run, without what each host tells for itself."""
    told = (event for event in story.events if not hasattr(event, "vm"))
    apart = (*OF_HOSTS, *NOW_AND_THEN, ev.Notice, ev.FilesSeen)
    return [
        replace(event, at_ns=0) if hasattr(event, "storm") else type(event)
        for event in told
        if not isinstance(event, apart)
    ]


def of_vms(story: Story) -> dict[tuple[int, int], list[str]]:
    found = defaultdict(list)
    for event in story.events:
        apart = (*NOW_AND_THEN, ev.UnitOrder)
        if hasattr(event, "vm") and not isinstance(event, apart):
            found[event.vm, event.attempt].append(type(event).__name__)
    return found


@pytest.mark.parametrize("names", [("a",), ("a", "b")])
async def test_a_run_that_is_led_tells_what_an_engine_tells_alone(lab: Lab, names):
    plan = replace(plan_of(lab.config(4, "boot=0.02", start=StartMode.TOGETHER)), runs=2)
    alone = await tell(lab, plan)
    led = await tell_led(lab, plan, *names)

    assert wholes(led) == wholes(alone)
    assert of_vms(led) == of_vms(alone)
    assert led.states == alone.states == ["booted"] * 4
    assert [*led.fleet.hosts] == [*names]
    assert {attempt.host for attempt in led.fleet.attempts} == {*names}
    assert {each.role for each in led.fleet.files} == {each.role for each in alone.fleet.files}
    assert len(led.of(ev.UnitOrder)) == len(alone.of(ev.UnitOrder))
    same = ("accel", "qemu_version", "tool_version", "number", "plan")
    assert [getattr(led.fleet.run, name) for name in same] == [
        getattr(alone.fleet.run, name) for name in same
    ]
