"""Whoever leads an engine, as simple as can be: every question is answered, but those held back."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from support.engine_lab import Story
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.plan import RunPlan, StormKind


def share(config: RunConfig, vms: Collection[int], attempt: int = 1) -> commands.Share:
    """Some VMs, each at the same attempt."""
    return commands.Share(config=config, vms=tuple(vms), attempts=(attempt,) * len(vms))


def boot(*shares: commands.Share, storm: int = 1, kind: StormKind = StormKind.RUN) -> commands.Boot:
    """A host's share of a storm."""
    return commands.Boot(storm=storm, kind=kind, parameters={}, planned=1, shares=shares)


@dataclass
class Leading:
    """Leads a story's engine; ``held`` are the steps and turns that nobody answers."""

    story: Story
    held: Collection[ev.Step | ev.Turn] = ()
    seen: int = 0

    def start(self, plan: RunPlan) -> None:
        self.story.client.send(commands.Start(plan=plan, led=True))

    def send(self, command: commands.Command) -> None:
        self.story.client.send(command)

    async def till(self, true: Callable[[Story], object]) -> None:
        """Read, and answer, till something can be seen."""
        await self.story.till(lambda story: self._answer() or true(story))

    async def till_ended(self, storm: int = 1) -> None:
        """Read, and answer, till a storm is over."""
        await self.till(lambda story: storm in [end.storm for end in story.of(ev.StormEnded)])

    async def till_at(self, step: ev.Step, storm: int = 1) -> ev.Awaiting:
        """Read, and answer, till the engine is at a step of a storm."""

        def here(story: Story) -> list[ev.Awaiting]:
            asked = story.of(ev.Awaiting)
            return [each for each in asked if (each.storm, each.step) == (storm, step)]

        await self.till(here)
        return here(self.story)[-1]

    async def till_heard(self, vm: int) -> None:
        """Read till the engine has taken in all that it was sent; ``vm`` is one that it has."""
        answers = len(self.story.of(ev.VmConsole))
        self.send(commands.ReadConsole(vm=vm, seen_bytes=-1))
        await self.till(lambda story: len(story.of(ev.VmConsole)) > answers)

    def _answer(self) -> None:
        events, self.seen = self.story.events[self.seen :], len(self.story.events)
        for event in events:
            match event:
                case ev.Awaiting(step=step) if not self._holds(step):
                    self.send(proceed(event))
                case ev.TurnWanted(turn=turn) if not self._holds(turn):
                    self.send(admit(event))

    def _holds(self, asked: ev.Step | ev.Turn) -> bool:
        return any(asked is each for each in self.held)  # a step and a turn may have one name


def proceed(asked: ev.Awaiting, at_ns: int | None = None) -> commands.Proceed:
    """The answer to a step."""
    return commands.Proceed(storm=asked.storm, round=asked.round, step=asked.step, at_ns=at_ns)


def admit(asked: ev.TurnWanted, at_ns: int | None = None) -> commands.Admit:
    """The answer to a wish for a turn."""
    return commands.Admit(vm=asked.vm, attempt=asked.attempt, turn=asked.turn, at_ns=at_ns)
