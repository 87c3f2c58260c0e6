"""Every course ends, whatever a guest, its QEMU or a person does: nobody waits for ever.

What a course begins is answered here by all that it can be answered with; its limits run out; and
news come at any moment of it.
"""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings, strategies as st

from vmtiming_tui.engine.boot import instructions as do
from vmtiming_tui.engine.boot.course import Course
from vmtiming_tui.engine.boot.facts import (
    Answered,
    EndAsked,
    Explained,
    Fact,
    NotSpawned,
    PauseAsked,
    PortClosed,
    PortOpened,
    QmpFlooded,
    QmpLost,
    QmpReady,
    Reached,
    ResumeAsked,
    Said,
    Spawned,
    TimeUp,
    Unheard,
)
from vmtiming_tui.engine.boot.narrator import Narrator
from vmtiming_tui.engine.boot.standing import State
from vmtiming_tui.engine.children.children import Exit
from vmtiming_tui.engine.guest.limits import Limits
from vmtiming_tui.engine.guest.report_protocol import (
    Details,
    DetailsBegun,
    LineEnded,
    Rejected,
    Reported,
)
from vmtiming_tui.engine.qemu.why_it_failed import Why
from vmtiming_tui.engine.qmp.controller import QmpEvent
from vmtiming_tui.model.config import AfterReport, End, RunConfig

S = 1_000_000_000
MS = 1_000_000
ENOUGH = 60


def qmp(name: str, **data: object) -> Callable[[int], Fact]:
    return lambda at_ns: QmpEvent(at_ns, name, data, at_ns)


NEWS: dict[str, Callable[[int], Fact]] = {
    "reports": lambda at_ns: Said(Reported(), at_ns),
    "ends its line": lambda at_ns: Said(LineEnded("so"), at_ns),
    "begins details": lambda at_ns: Said(DetailsBegun(), at_ns),
    "ends details": lambda at_ns: Said(Details(complete=True), at_ns),
    "lies": lambda at_ns: Said(Rejected("a lie"), at_ns),
    "opens its port": qmp("VSERPORT_CHANGE", id="report", open=True),
    "closes its port": qmp("VSERPORT_CHANGE", id="report", open=False),
    "stands still": qmp("STOP"),
    "runs": qmp("RESUME"),
    "is reset": qmp("RESET"),
    "shuts down": qmp("SHUTDOWN", reason="guest-shutdown"),
    "finds its disk full": qmp("BLOCK_IO_ERROR", action="stop", nospace=True, device="vda"),
    "connects": lambda _: PortOpened(9, 43),
    "hangs up": lambda _: PortClosed(),
    "loses QMP": lambda _: QmpLost("so"),
    "is to pause": lambda _: PauseAsked(),
    "is to go on": ResumeAsked,
}
ENDINGS: dict[str, Callable[[int], Fact]] = {
    "says too much": lambda at_ns: Said(Rejected("too much", final=True), at_ns),
    "floods QMP": lambda _: QmpFlooded(),
    "exits": lambda at_ns: Exit(at_ns, code=0),
    "is to stop": lambda _: EndAsked("stopped"),
    "is to be killed": lambda _: EndAsked("killed", at_once=True),
}
COMES = NEWS | ENDINGS

BOOTING = [*["in time"] * 4, "connects", *["in time"] * 4, "runs"]
STANDING_BY = [*BOOTING, "reports", "opens its port", "in time"]
DETAILING = [*STANDING_BY, "in time", "runs"]
SHUTTING_DOWN = [*DETAILING, "ends its line", "ends details", "in time", "in time"]


def answers(to: do.Instruction, at_ns: int) -> list[Fact]:
    """Return all that what is begun can come back as."""
    match to:
        case do.Await(goal):
            return [Reached(goal)]
        case do.Spawn():
            return [Spawned(pid=42, spawn_ns=at_ns), NotSpawned(Why("so"))]
        case do.Connect():
            return [QmpReady(), QmpReady("so")]
        case do.Ask(command):
            unsent = Answered(command, trouble="so", is_sent=False)
            return [Answered(command, {}), Answered(command, trouble="so"), unsent]
        case do.Explain():
            return [Explained(Why("so"))]
    return []


class Led:
    """A course that is led on; ``begun`` is what it has begun, each with all it can come to."""

    def __init__(self, config: RunConfig) -> None:
        self.course = Course(Narrator(1, 1), Limits(), config)
        self.choose: Callable[[Sequence[Fact | None]], Fact | None] = lambda ways: ways[0]
        self.now_ns = 100 * S
        self.begun: list[list[Fact]] = []
        self.is_to_pause = False
        for instruction in self.course.begin():
            self._carry_out(instruction)

    @property
    def is_over(self) -> bool:
        return self.course.state is State.OVER

    def follow(self, steps: Sequence[str]) -> None:
        for step in steps:
            if self.is_over:
                return
            if step in COMES:
                self.hear(step)
            elif self.begun or self.course.deadline_ns is not None:
                self.go_on(in_time=step == "in time")

    def hear(self, news: str) -> None:
        if news in ("is to pause", "is to go on", "loses QMP"):
            self.is_to_pause = news == "is to pause"
        self.now_ns += MS
        self._take(COMES[news](self.now_ns))

    def go_on(self, *, in_time: bool) -> None:
        """Have what was begun come back, or time run out, as far as either can be."""
        due_ns = self.course.deadline_ns
        if self.begun and (in_time or due_ns is None):
            self.now_ns += MS
            self._take(self.choose(self.begun.pop(0)))
        else:
            assert due_ns is not None, f"it waits for ever for {self.course.state}"
            self.now_ns = max(self.now_ns, due_ns)
            self._take(TimeUp())

    def _take(self, fact: Fact | None) -> None:
        assert fact is not None
        for instruction in self.course.handle(fact, self.now_ns):
            self._carry_out(instruction)

    def _carry_out(self, instruction: do.Instruction) -> None:
        if isinstance(instruction, do.Abandon):
            self.begun.clear()
        elif isinstance(instruction, do.TellGuest):
            if unheard := self.choose([None, Unheard()]):
                self.begun.append([unheard])
        elif found := answers(instruction, self.now_ns):
            self.begun.append(found)


CONFIGS = st.builds(
    RunConfig,
    timeout_s=st.just(30.0),
    after_report=st.sampled_from(AfterReport),
    end=st.sampled_from(End),
    persist=st.booleans(),
)
STEPS = st.lists(st.sampled_from([*NEWS, *["in time"] * 5, "late"]), max_size=20)


def ended(led: Led) -> bool:
    """Give it all the time it takes, and answer only where it has no limit."""
    for _ in range(ENOUGH):
        if led.is_over:
            break
        led.go_on(in_time=False)
    return led.is_over


@settings(max_examples=400)
@given(
    CONFIGS,
    st.sampled_from([[], BOOTING, STANDING_BY, DETAILING, SHUTTING_DOWN]),
    STEPS,
    st.sampled_from([*ENDINGS, "late"]),
    st.data(),
)
def test_whatever_comes_a_course_is_over_after_finitely_many_steps(
    config: RunConfig, way: list[str], steps: list[str], ending: str, data: st.DataObject
):
    led = Led(config)
    led.follow(way)
    led.choose = lambda ways: data.draw(st.sampled_from(ways))
    led.follow([*steps, ending])
    if led.is_to_pause:
        led.hear("is to go on")  # a pause that somebody asks for lasts as long as they like

    assert ended(led)


PAUSED = ["is to pause", "stands still", "is to go on", "runs"]


@pytest.mark.parametrize(
    "steps",
    [
        [*BOOTING, *PAUSED, "stands still"],
        [*BOOTING, "is to pause", "is to go on", "stands still"],
        [*STANDING_BY, "stands still", "is to pause", "in time", "runs", "stands still"],
        [*DETAILING, "is to pause", "stands still", "loses QMP"],
    ],
    ids=[
        "after it went on",
        "that QEMU does not obey",
        "of a VM that stands still",
        "as nobody can end it",
    ],
)
def test_a_pause_that_is_over_puts_no_limit_off(steps: list[str]):
    led = Led(RunConfig(timeout_s=30.0))
    led.follow(steps)

    assert led.course.deadline_ns is not None
    assert ended(led)


def test_a_pause_from_before_the_details_does_not_put_off_their_limit():
    led = Led(RunConfig(timeout_s=30.0, after_report=AfterReport.RUN))
    led.follow([*STANDING_BY[:-1], "is to pause", "stands still"])
    led.now_ns += 600 * S
    led.follow(["in time", "runs"])

    assert led.course.deadline_ns - led.now_ns <= Limits().details_s * S


def test_a_guest_that_opens_and_closes_its_port_for_ever_puts_no_limit_off():
    led = Led(RunConfig(timeout_s=30.0))
    led.follow([*DETAILING, "closes its port"])
    due_ns = led.course.deadline_ns
    led.follow(["opens its port", "closes its port"] * 10)

    assert led.course.deadline_ns == due_ns
