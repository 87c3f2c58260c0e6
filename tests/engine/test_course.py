"""The course of a boot as a table: where it stands, what becomes known, where that leads.

No QEMU, no socket, no event loop: a course does nothing itself. What it asks for is written here in
a word or two each; ``said`` shows how.
"""

from collections.abc import Sequence

import pytest
from hypothesis import given, strategies as st

from vmtiming_tui.engine.boot import instructions as do
from vmtiming_tui.engine.boot.course import Course
from vmtiming_tui.engine.boot.facts import (
    Answered,
    EndAsked,
    Explained,
    Fact,
    Faulted,
    Goal,
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
from vmtiming_tui.engine.boot.standing import BUSY, State
from vmtiming_tui.engine.children.children import Exit
from vmtiming_tui.engine.guest.limits import Limits
from vmtiming_tui.engine.guest.report_protocol import (
    Details,
    DetailsBegun,
    LineEnded,
    OrderTold,
    Rejected,
    Reported,
)
from vmtiming_tui.engine.qemu.why_it_failed import Why
from vmtiming_tui.engine.qmp.controller import QmpEvent
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.config import AfterReport, End, RunConfig
from vmtiming_tui.own_faults import OwnFault

S = 1_000_000_000
MS = 1_000_000
NOW = 100 * S
LIMITS = Limits()
TIMEOUT_S = 30.0


def qmp(name: str, at_ns: int = NOW, **data: object) -> QmpEvent:
    return QmpEvent(at_ns, name, data, at_ns)


REPORT = Said(Reported(), NOW)
LINE = Said(LineEnded("Startup finished in 3s"), NOW)
ORDER = Said(OrderTold({"b.service": ("a.service",)}), NOW)
STOPPED = Answered("stop", {})
NOT_STOPPED = Answered("stop", trouble="QEMU refused stop")
COLLECT, END = Reached(Goal.COLLECT), Reached(Goal.END)
LIE = Said(Rejected("it claims to be VM 7"), NOW)
FLOOD_OF_WORDS = Said(Rejected("it wrote more than 1 MiB", final=True), NOW)
BEGUN = Said(DetailsBegun(), NOW)
DETAILS = Said(Details(clock_us=1, complete=True), NOW)
UNITS = Said(Details(units=[ev.UnitTimes("cron.service")], complete=True), NOW)
OPENED = qmp("VSERPORT_CHANGE", id="report", open=True)
RESUMED = qmp("RESUME")
SHUTDOWN = qmp("SHUTDOWN", reason="guest-panic")
DISK_FULL = qmp("BLOCK_IO_ERROR", action="stop", nospace=True, device="vda")
EXIT = Exit(NOW, code=0)
KILL = EndAsked("killed on request", at_once=True)
STOP = EndAsked("stopped with the run")
FAULT = Faulted(OwnFault("LookupError: why", "please report this"))

# What leads to each state, on the straightest way.
WAYS: dict[State, tuple[Fact, ...]] = {State.QUEUED: ()}
for state, came_from, fact in (
    (State.HELD, State.QUEUED, Reached(Goal.PLACE)),
    (State.SPAWNING, State.HELD, Reached(Goal.LAUNCH)),
    (State.GREETING, State.SPAWNING, Spawned(pid=42, spawn_ns=NOW)),
    (State.PLUGGING, State.GREETING, QmpReady()),
    (State.LEARNING, State.PLUGGING, PortOpened(9, 43)),
    (State.READY, State.LEARNING, Answered("query-cpus-fast", [{"thread-id": 44}])),
    (State.STAMPING, State.READY, Reached(Goal.TURN)),
    (State.LETTING_GO, State.STAMPING, Reached(Goal.STAMPS)),
    (State.SETTLING, State.LETTING_GO, Answered("cont", {})),
    (State.BOOTING, State.SETTLING, RESUMED),
    (State.REPORTED, State.BOOTING, REPORT),
    (State.FREEZING, State.REPORTED, OPENED),
    (State.STANDING_BY, State.FREEZING, STOPPED),
    (State.DETAILING, State.STANDING_BY, COLLECT),
    (State.TOLD, State.DETAILING, DETAILS),
    (State.SHUTTING_DOWN, State.TOLD, END),
    (State.EXITED, State.SHUTTING_DOWN, EXIT),
    (State.OVER, State.EXITED, Reached(Goal.LAST_WORDS)),
    (State.DOUBTED, State.BOOTING, QmpLost("it closed the connection")),
    (State.ENDED, State.BOOTING, EXIT),
    (State.EXPLAINING, State.ENDED, Reached(Goal.LAST_WORDS)),
    (State.POWERING_DOWN, State.BOOTING, STOP),
    (State.QUITTING, State.POWERING_DOWN, TimeUp()),
    (State.KILLING, State.QUITTING, TimeUp()),
):
    WAYS[state] = (*WAYS[came_from], fact)
WAYS[State.UNASKED] = (*WAYS[State.STANDING_BY], LINE, COLLECT)
WAYS[State.POWERING_OFF] = (*WAYS[State.UNASKED], TimeUp())
UNDECIDED = [
    State.GREETING, State.PLUGGING, State.READY, State.BOOTING, State.DOUBTED
]  # fmt: skip


def said(instruction: do.Instruction) -> str:
    """Return an instruction in a word or two."""
    match instruction:
        case do.Emit(ev.VmReleased(cause=cause)):
            return f"released: {cause}"
        case do.Emit(event):
            return type(event).__name__
        case do.Await(goal):
            return f"await {goal.name}"
        case do.Ask(command):
            return f"ask {command}"
        case do.Fail(why):
            return f"fail: {why.text}"
        case do.TellGuest(word):
            return f"tell {word}"
        case _:
            return type(instruction).__name__


def course(*, at: State = State.QUEUED, **settings: object) -> Course:
    """A course that stands somewhere."""
    made = Course(Narrator(1, 1), LIMITS, RunConfig(timeout_s=TIMEOUT_S, **settings))
    made.begin()
    told(made, WAYS[at])
    assert made.state is at
    return made


def told(to: Course, facts: Sequence[Fact], at_ns: int = NOW) -> list[str]:
    return [said(each) for fact in facts for each in to.handle(fact, at_ns)]


STRAIGHT = [
    (State.QUEUED, State.HELD, ["await LAUNCH"]),
    (State.HELD, State.SPAWNING, ["Spawn"]),
    (State.SPAWNING, State.GREETING, ["VmLaunched", "Connect"]),
    (State.GREETING, State.PLUGGING, []),
    (
        State.PLUGGING,
        State.LEARNING,
        ["ReportConnected", "EndLaunch", "VmConnected", "ask query-cpus-fast"],
    ),
    (State.LEARNING, State.READY, ["await TURN"]),
    (State.READY, State.STAMPING, ["await STAMPS"]),
    (State.STAMPING, State.LETTING_GO, ["ask cont"]),
    (State.LETTING_GO, State.SETTLING, []),
    (State.SETTLING, State.BOOTING, ["VmStarted", "QmpSeen"]),
    (State.BOOTING, State.REPORTED, ["ask stop"]),
    (State.REPORTED, State.FREEZING, ["VmBooted", "TellSoFar", "QmpSeen"]),
    (State.FREEZING, State.STANDING_BY, ["VmFrozen", "await COLLECT", "LeavePlace"]),
    (State.STANDING_BY, State.DETAILING, ["released: collect", "ask cont", "tell details"]),
    (State.DETAILING, State.TOLD, ["VmDetails", "await END", "LeaveCollect"]),
    (State.TOLD, State.SHUTTING_DOWN, ["VmEnding", "tell poweroff"]),
    (
        State.SHUTTING_DOWN,
        State.EXITED,
        ["Abandon", "LeavePlace", "LeaveCollect", "await LAST_WORDS"],
    ),
    (State.EXITED, State.OVER, ["TellExit"]),
]


@pytest.mark.parametrize(("start", "end", "asked"), STRAIGHT)
def test_an_uneventful_boot_goes_step_by_step(start: State, end: State, asked: list[str]):
    this = course(at=start)

    assert told(this, WAYS[end][-1:]) == asked
    assert this.state is end


def test_a_boot_begins_by_waiting_for_its_place():
    assert [said(each) for each in Course(Narrator(1, 1), LIMITS, RunConfig()).begin()] == [
        "await PLACE"
    ]


LEFT = ["LeavePlace", "LeaveCollect"]
LOST = ["TellSoFar", *LEFT]
BOOTED = ["VmBooted", "TellSoFar"]
GONE = ["Abandon", *LEFT, "await LAST_WORDS"]
CUT = ["Abandon", *LEFT]
KILLED = ["Abandon", "VmKilled", *LOST]
DOUBTED = ["Abandon", "EndLaunch"]
GOES_ON = {
    # What goes wrong before there is a QEMU.
    "no QEMU": (
        State.SPAWNING,
        [NotSpawned(Why("cannot be started"))],
        State.OVER,
        ["Abandon", "fail: cannot be started", *LOST],
    ),
    "killed in line": (State.QUEUED, [KILL], State.OVER, KILLED),
    "stopped in line": (State.HELD, [STOP], State.OVER, KILLED),
    "killed while it is spawned": (
        State.SPAWNING,
        [KILL, Spawned(pid=42, spawn_ns=NOW)],
        State.KILLING,
        ["VmLaunched", "Connect", *KILLED, "Kill"],
    ),
    # What goes wrong while it starts up.
    "no QMP": (
        State.GREETING,
        [QmpReady("it does not speak QMP"), TimeUp()],
        State.QUITTING,
        [*DOUBTED, "Abandon", "fail: it does not speak QMP", *LOST, "ask quit"],
    ),
    "no report port": (
        State.PLUGGING,
        [TimeUp(), TimeUp()],
        State.QUITTING,
        [
            *DOUBTED,
            "Abandon",
            "fail: QEMU did not connect its report port to us",
            *LOST,
            "ask quit",
        ],
    ),
    "port before QMP": (
        State.GREETING,
        [PortOpened(9, 43), QmpReady()],
        State.LEARNING,
        ["ReportConnected", "EndLaunch", "VmConnected", "ask query-cpus-fast"],
    ),
    "port before its process is known": (
        State.SPAWNING,
        [PortOpened(9, 43), Spawned(pid=42, spawn_ns=NOW)],
        State.GREETING,
        ["VmLaunched", "Connect", "ReportConnected"],
    ),
    "an exit as it is spawned": (
        State.SPAWNING,
        [EXIT, Spawned(pid=42, spawn_ns=NOW)],
        State.ENDED,
        ["VmLaunched", "Connect", "Abandon", "await LAST_WORDS"],
    ),
    "an exit before QMP": (
        State.GREETING,
        [EXIT, QmpReady("it closed the connection"), Reached(Goal.LAST_WORDS)],
        State.EXPLAINING,
        ["Abandon", "await LAST_WORDS", "Explain"],
    ),
    "no QMP, then an exit": (
        State.GREETING,
        [QmpReady("it closed the connection"), EXIT, Reached(Goal.LAST_WORDS)],
        State.EXPLAINING,
        [*DOUBTED, "Abandon", "await LAST_WORDS", "Explain"],
    ),
    "killed when it could not be spawned": (
        State.SPAWNING,
        [KILL, NotSpawned(Why("cannot be started"))],
        State.OVER,
        ["Abandon", "fail: cannot be started", *LOST],
    ),
    "killed in doubt": (State.DOUBTED, [KILL, TimeUp()], State.OVER, [*KILLED, "Kill", "Notice"]),
    "threads that cannot be had": (
        State.LEARNING,
        [Answered("query-cpus-fast", trouble="QEMU refused")],
        State.READY,
        ["await TURN"],
    ),
    # The start itself.
    "refuses to run": (
        State.LETTING_GO,
        [Answered("cont", trouble="QEMU refused cont"), TimeUp()],
        State.QUITTING,
        [*DOUBTED, "Abandon", "fail: QEMU refused cont", *LOST, "ask quit"],
    ),
    "boots though cont was not answered": (
        State.LETTING_GO,
        [Answered("cont", trouble="QEMU did not answer cont"), REPORT, OPENED],
        State.FREEZING,
        [*DOUBTED, "ask stop", "VmStarted", *BOOTED, "QmpSeen"],
    ),
    "boots and is gone before cont was answered": (
        State.LETTING_GO,
        [EXIT, REPORT, Answered("cont", trouble="it closed the connection"), TimeUp()],
        State.EXITED,
        [
            *DOUBTED,
            "Abandon",
            "await LAST_WORDS",
            "ask stop",
            "VmStarted",
            *BOOTED,
            "LeavePlace",
            "await LAST_WORDS",
        ],
    ),
    "no stamp of its start": (State.SETTLING, [TimeUp()], State.BOOTING, ["VmStarted"]),
    "stamp before the answer": (
        State.LETTING_GO,
        [RESUMED, Answered("cont", {})],
        State.BOOTING,
        ["VmStarted", "QmpSeen"],
    ),
    "killed as it is let go": (
        State.LETTING_GO,
        [KILL, Answered("cont", {}), RESUMED],
        State.KILLING,
        ["VmStarted", *KILLED, "Kill", "QmpSeen"],
    ),
    "report before the answer": (
        State.LETTING_GO,
        [REPORT, RESUMED, Answered("cont", {}), OPENED],
        State.FREEZING,
        ["VmStarted", "ask stop", *BOOTED, "QmpSeen", "QmpSeen"],
    ),
    # What the guest says.
    "report too early": (State.READY, [REPORT], State.READY, ["ReportRejected"]),
    "a lie": (State.BOOTING, [LIE], State.BOOTING, ["ReportRejected"]),
    "a flood of words": (
        State.BOOTING,
        [FLOOD_OF_WORDS],
        State.QUITTING,
        [
            "ReportRejected",
            "Abandon",
            "fail: bad report: it wrote more than 1 MiB",
            *LOST,
            "ask quit",
        ],
    ),
    "a flood after its report": (
        State.STANDING_BY,
        [FLOOD_OF_WORDS],
        State.STANDING_BY,
        ["ReportRejected"],
    ),
    "no stamp of its port": (State.REPORTED, [TimeUp()], State.FREEZING, BOOTED),
    "a second report": (State.STANDING_BY, [REPORT], State.STANDING_BY, []),
    "details of what is lost": (State.QUITTING, [DETAILS], State.QUITTING, []),
    # What QEMU says.
    "a full disk": (
        State.BOOTING,
        [DISK_FULL],
        State.QUITTING,
        ["QmpSeen", "Abandon", None, *LOST, "ask quit"],
    ),
    "a flood of events": (
        State.BOOTING,
        [QmpFlooded()],
        State.KILLING,
        ["Abandon", "fail: its guest floods QEMU's control socket", *LOST, "Kill"],
    ),
    "a flood of events as it is let go": (
        State.LETTING_GO,
        [QmpFlooded(), Answered("cont", trouble="QEMU did not answer cont")],
        State.KILLING,
        [*DOUBTED, "Abandon", "fail: its guest floods QEMU's control socket", *LOST, "Kill"],
    ),
    "a flood of events after its end": (
        State.ENDED,
        [QmpFlooded()],
        State.EXITED,
        ["Abandon", "fail: its guest floods QEMU's control socket", *LOST, "await LAST_WORDS"],
    ),
    "a flood of events after its report": (
        State.DETAILING,
        [QmpFlooded()],
        State.KILLING,
        [*CUT, "Kill"],
    ),
    "QMP lost": (
        State.BOOTING,
        [QmpLost("it closed the connection"), TimeUp()],
        State.QUITTING,
        [
            *DOUBTED,
            "Abandon",
            "fail: QEMU's control socket (QMP) was lost while it runs: it closed the connection",
            *LOST,
            "ask quit",
        ],
    ),
    "QMP lost while its threads are asked for": (
        State.LEARNING,
        [QmpLost("so"), Answered("query-cpus-fast", trouble="so")],
        State.DOUBTED,
        ["await TURN", *DOUBTED],
    ),
    "QMP lost as it is let go": (
        State.LETTING_GO,
        [QmpLost("so"), Answered("cont", trouble="so")],
        State.DOUBTED,
        DOUBTED,
    ),
    "QMP lost after its report": (
        State.STANDING_BY,
        [QmpLost("so")],
        State.STANDING_BY,
        [],
    ),
    "QMP lost after its exit": (State.ENDED, [QmpLost("so")], State.ENDED, []),
    "a doubt beside a doubt": (State.DOUBTED, [QmpLost("so")], State.DOUBTED, []),
    "a report in spite of a doubt": (
        State.DOUBTED,
        [REPORT, OPENED],
        State.FREEZING,
        ["ask stop", *BOOTED, "QmpSeen"],
    ),
    # An end too early, and what was still on its way.
    "an exit that explains a doubt": (
        State.DOUBTED,
        [EXIT, Reached(Goal.LAST_WORDS), Explained(Why("the kernel panicked"))],
        State.EXITED,
        [
            "Abandon",
            "await LAST_WORDS",
            "Explain",
            "Abandon",
            "fail: the kernel panicked",
            *LOST,
            "await LAST_WORDS",
        ],
    ),
    "an exit in line for its turn": (
        State.READY,
        [EXIT, Reached(Goal.TURN)],
        State.ENDED,
        ["Abandon", "await LAST_WORDS"],
    ),
    "its reason after its exit": (
        State.ENDED,
        [SHUTDOWN, Reached(Goal.LAST_WORDS)],
        State.EXPLAINING,
        ["QmpSeen", "Explain"],
    ),
    "its report after its exit": (
        State.ENDED,
        [REPORT, OPENED],
        State.EXITED,
        ["ask stop", *BOOTED, "LeavePlace", "await LAST_WORDS", "QmpSeen"],
    ),
    "a full disk told after its exit": (
        State.ENDED,
        [DISK_FULL],
        State.EXITED,
        ["QmpSeen", "Abandon", None, *LOST, "await LAST_WORDS"],
    ),
    "a report while its end is explained": (
        State.EXPLAINING,
        [REPORT, Explained(Why("so"))],
        State.EXITED,
        ["Abandon", "fail: so", *LOST, "await LAST_WORDS"],
    ),
    "killed after its exit": (
        State.ENDED,
        [KILL],
        State.EXITED,
        [*KILLED, "await LAST_WORDS"],
    ),
    "killed while it is explained": (
        State.EXPLAINING,
        [KILL, Explained(Why("so"))],
        State.EXITED,
        ["Abandon", "fail: so", *LOST, "await LAST_WORDS"],
    ),
    "no report in time": (
        State.BOOTING,
        [TimeUp()],
        State.QUITTING,
        ["Abandon", "TimeOut", *LOST, "ask quit"],
    ),
    "a report after its time": (
        State.BOOTING,
        [TimeUp(), REPORT],
        State.QUITTING,
        ["Abandon", "TimeOut", *LOST, "ask quit"],
    ),
    "out of time before QEMU obeys a pause": (
        State.BOOTING,
        [PauseAsked(), TimeUp(), qmp("STOP")],
        State.QUITTING,
        ["Abandon", "TimeOut", *LOST, "ask quit", "QmpSeen"],
    ),
    # How it is ended.
    "killed": (State.BOOTING, [KILL], State.KILLING, [*KILLED, "Kill"]),
    "stopped": (State.BOOTING, [STOP], State.POWERING_DOWN, [*KILLED, "ask system_powerdown"]),
    "stopped while its report is stamped": (
        State.REPORTED,
        [STOP, OPENED],
        State.QUITTING,
        [*BOOTED, *CUT, "ask quit", "QmpSeen"],
    ),
    "killed while its report is stamped": (
        State.REPORTED,
        [KILL, TimeUp()],
        State.KILLING,
        [*BOOTED, *CUT, "Kill"],
    ),
    "gone while its report is stamped": (
        State.REPORTED,
        [EXIT, TimeUp()],
        State.EXITED,
        [*BOOTED, *GONE],
    ),
    "stopped while it sends details": (
        State.DETAILING,
        [STOP, DETAILS],
        State.QUITTING,
        [*CUT, "ask quit", "VmDetails"],
    ),
    "stopped once it is gone": (State.EXITED, [STOP, KILL], State.EXITED, []),
    "killed while it is stopped": (State.POWERING_DOWN, [KILL], State.KILLING, ["Kill"]),
    "killed while it quits": (State.QUITTING, [KILL], State.KILLING, ["Kill"]),
    "stopped while it quits": (State.QUITTING, [STOP], State.QUITTING, []),
    "heeds the power button": (
        State.POWERING_DOWN,
        [Answered("system_powerdown", {}), EXIT],
        State.EXITED,
        GONE,
    ),
    "does not heed it": (State.POWERING_DOWN, [TimeUp()], State.QUITTING, ["ask quit"]),
    "does not quit": (State.QUITTING, [TimeUp()], State.KILLING, ["Kill"]),
    "cannot be asked": (
        State.POWERING_DOWN,
        [
            Answered("system_powerdown", trouble="it is gone", is_sent=False),
            Answered("quit", trouble="it is gone", is_sent=False),
        ],
        State.KILLING,
        ["ask quit", "Kill"],
    ),
    "refuses to quit": (
        State.QUITTING,
        [Answered("quit", trouble="QEMU refused quit")],
        State.QUITTING,
        [],
    ),
    "does not die": (State.KILLING, [TimeUp()], State.OVER, ["Notice"]),
    "dies": (
        State.KILLING,
        [EXIT, Reached(Goal.LAST_WORDS)],
        State.OVER,
        [*GONE, "TellExit"],
    ),
    # Faults of our own.
    "a fault while it boots": (
        State.BOOTING,
        [FAULT],
        State.QUITTING,
        ["Abandon", "fail: the tool failed: LookupError: why", *LOST, "ask quit"],
    ),
    "a fault as it is spawned": (
        State.SPAWNING,
        [FAULT],
        State.OVER,
        ["Abandon", "fail: the tool failed: LookupError: why", *LOST],
    ),
    "a fault after its report": (State.STANDING_BY, [FAULT], State.OVER, ["Abandon", "Notice"]),
    "a fault while its report is stamped": (
        State.REPORTED,
        [FAULT],
        State.OVER,
        ["Abandon", *BOOTED, "LeavePlace", "Notice"],
    ),
    "a fault after a fault": (State.BOOTING, [FAULT, FAULT], State.OVER, None),
}


@pytest.mark.parametrize(("start", "facts", "end", "asked"), GOES_ON.values(), ids=GOES_ON)
def test_what_becomes_known_leads_on(
    start: State, facts: list[Fact], end: State, asked: list[str | None] | None
):
    this = course(at=start)
    found = told(this, facts)

    assert this.state is end
    if asked is not None:
        expected = [word or mine for word, mine in zip(asked, found, strict=True)]
        assert found == expected


FREEZE, RUN, OFF = AfterReport
AFTERWARDS = {
    # It stands still.
    "an answer before the stamp": (
        (REPORT, STOPPED, OPENED), {},
        State.STANDING_BY,
        ["ask stop", *BOOTED, "VmFrozen", "await COLLECT", "LeavePlace", "QmpSeen"],
    ),
    "will not stand still": (
        (REPORT, OPENED, NOT_STOPPED), {},
        State.STANDING_BY,
        ["ask stop", *BOOTED, "QmpSeen", "released: not stopped", "await COLLECT", "LeavePlace"],
    ),
    "will not stand still, and is asked all the same": (
        (*WAYS[State.FREEZING][-2:], NOT_STOPPED, COLLECT), {},
        State.DETAILING,
        [..., "tell details"],
    ),
    "stands still late, while it is to tell": (
        (*WAYS[State.FREEZING][-2:], NOT_STOPPED, COLLECT, qmp("STOP"), qmp("RESUME")), {},
        State.DETAILING,
        ["ask stop", *BOOTED, "QmpSeen", "released: not stopped", "await COLLECT", "LeavePlace",
         "ask cont", "tell details", "QmpSeen", "QmpSeen"],
    ),
    "never stood still, and need not be let go on": (
        (REPORT, OPENED, NOT_STOPPED, COLLECT, Answered("cont", trouble="QEMU refused cont")), {},
        State.DETAILING,
        [..., "ask cont", "tell details"],
    ),
    "never stood still, and hears no more": (
        (REPORT, OPENED, Answered("stop", trouble="so", is_sent=False), COLLECT), {},
        State.DETAILING,
        [..., "LeavePlace", "tell details"],
    ),
    "stands still after all": (
        (REPORT, OPENED, NOT_STOPPED, qmp("STOP")), {},
        State.STANDING_BY,
        [..., "QmpSeen", "VmFrozen"],
    ),
    "resumed by hand": (
        (REPORT, OPENED, STOPPED, qmp("STOP"), qmp("RESUME")), {},
        State.STANDING_BY,
        [..., "QmpSeen", "QmpSeen", "released: by hand"],
    ),
    "resumed by hand before the answer": (
        (REPORT, OPENED, qmp("STOP"), qmp("RESUME"), STOPPED), {},
        State.STANDING_BY,
        [..., "QmpSeen", "VmFrozen", "released: by hand", "await COLLECT", "LeavePlace"],
    ),
    "resumed and paused by hand": (
        (REPORT, OPENED, STOPPED, qmp("RESUME"), qmp("STOP"), COLLECT), {},
        State.DETAILING,
        [..., "QmpSeen", "VmFrozen", "released: collect", "ask cont", "tell details"],
    ),
    "dies as it stands still": (
        (REPORT, OPENED, STOPPED, EXIT), {},
        State.EXITED,
        [..., *GONE],
    ),
    "killed as it stands still": (
        (REPORT, OPENED, STOPPED, KILL), {},
        State.KILLING,
        [..., *CUT, "Kill"],
    ),
    "stopped as it stands still": (
        (REPORT, OPENED, STOPPED, STOP), {},
        State.QUITTING,
        [..., *CUT, "ask quit"],
    ),
    "stopped as it stands still and has the user's image": (
        (REPORT, OPENED, STOPPED, STOP), {"persist": True},
        State.POWERING_DOWN,
        [..., *CUT, "ask cont", "ask system_powerdown"],
    ),
    "killed as it stands still and has the user's image": (
        (REPORT, OPENED, STOPPED, KILL), {"persist": True},
        State.KILLING,
        [..., *CUT, "Kill"],
    ),
    "reset as it stands still": (
        (REPORT, OPENED, STOPPED, qmp("RESET"), COLLECT, END), {},
        State.QUITTING,
        [..., "QmpSeen", "await END", "LeaveCollect", "VmEnding", "ask quit"],
    ),
    # It tells details.
    "does not go on": (
        (REPORT, OPENED, STOPPED, COLLECT, Answered("cont", trouble="gone")), {},
        State.TOLD,
        [..., "ReportRejected", "EndReport", "await END", "LeaveCollect"],
    ),
    "tells no details": (
        (REPORT, OPENED, STOPPED, COLLECT, TimeUp(), DETAILS), {},
        State.TOLD,
        [..., "ReportRejected", "EndReport", "await END", "LeaveCollect", "VmDetails"],
    ),
    "told no details and is to end": (
        (REPORT, OPENED, STOPPED, COLLECT, qmp("RESUME"), TimeUp(), END), {},
        State.POWERING_DOWN,
        [..., "LeaveCollect", "VmEnding", "ask system_powerdown"],
    ),
    "takes no word": (
        (REPORT, OPENED, STOPPED, COLLECT, Unheard()), {},
        State.TOLD,
        [..., "ReportRejected", "EndReport", "await END", "LeaveCollect"],
    ),
    "tells the order of its units": (
        (REPORT, OPENED, STOPPED, COLLECT, LINE, BEGUN, ORDER, DETAILS), {},
        State.TOLD,
        [..., "ReportText", "UnitOrder", "VmDetails", "await END", "LeaveCollect"],
    ),
    "tells its units": (
        (REPORT, OPENED, STOPPED, COLLECT, LINE, BEGUN, UNITS), {},
        State.TOLD,
        [..., "ReportText", "VmDetails", "VmUnits", "await END", "LeaveCollect"],
    ),
    "reset while it tells": (
        (REPORT, OPENED, STOPPED, COLLECT, qmp("RESET")), {},
        State.TOLD,
        [..., "QmpSeen", "await END", "LeaveCollect"],
    ),
    "dies while it tells": (
        (REPORT, OPENED, STOPPED, COLLECT, EXIT), {},
        State.EXITED,
        [..., *GONE],
    ),
    "will hear no more": (
        (REPORT, OPENED, STOPPED, COLLECT, PortClosed()), {},
        State.TOLD,
        [..., "await END", "LeaveCollect"],
    ),
    "could hear no more before its turn": (
        (REPORT, OPENED, STOPPED, PortClosed(), COLLECT), {},
        State.TOLD,
        [..., "LeavePlace", "await END", "LeaveCollect"],
    ),
    # A guest that waits for no word.
    "goes its own way when it may": (
        (REPORT, LINE, OPENED, STOPPED, COLLECT, BEGUN, DETAILS, EXIT), {},
        State.EXITED,
        [
            ..., "ReportText", "QmpSeen", "VmFrozen", "await COLLECT", "LeavePlace",
            "released: collect", "ask cont", "VmDetails", "LeaveCollect", *GONE,
        ],
    ),
    "cannot go its own way, as it was reset while it stood still": (
        (REPORT, LINE, OPENED, STOPPED, qmp("RESET"), COLLECT, END), {},
        State.QUITTING,
        [..., "QmpSeen", "await END", "LeaveCollect", "VmEnding", "ask quit"],
    ),
    "cannot go its own way, as it cannot be let go on": (
        (REPORT, LINE, OPENED, STOPPED, COLLECT, Answered("cont", trouble="gone")), {},
        State.TOLD,
        [..., "ReportRejected", "EndReport", "await END", "LeaveCollect"],
    ),
    "goes its own way without details": (
        (REPORT, LINE, OPENED, STOPPED, COLLECT, TimeUp(), TimeUp()), {},
        State.QUITTING,
        [..., "released: collect", "ask cont", "LeaveCollect", "ask quit"],
    ),
    "tells its details late": (
        (REPORT, LINE, OPENED, STOPPED, COLLECT, TimeUp(), BEGUN, DETAILS), {},
        State.POWERING_OFF,
        [..., "ask cont", "LeaveCollect", "VmDetails", "LeaveCollect"],
    ),
    "breaks off on its own way": (
        (REPORT, LINE, OPENED, STOPPED, COLLECT, BEGUN, TimeUp()), {},
        State.POWERING_OFF,
        [..., "ask cont", "EndReport", "LeaveCollect"],
    ),
    "told it all when resumed by hand": (
        (REPORT, LINE, OPENED, STOPPED, qmp("RESUME"), BEGUN, DETAILS, COLLECT), {},
        State.POWERING_OFF,
        [..., "released: by hand", "VmDetails", "LeaveCollect"],
    ),
    # It is to run on.
    "runs on": (
        (REPORT, OPENED, COLLECT), {"after_report": RUN},
        State.DETAILING,
        [*BOOTED, "await COLLECT", "LeavePlace", "QmpSeen", "released: collect", "tell details"],
    ),
    "runs on its own way": (
        (REPORT, OPENED, LINE, COLLECT, TimeUp()), {"after_report": RUN},
        State.POWERING_OFF,
        [..., "ReportText", "released: own way", "LeaveCollect"],
    ),
    "ran its own way before its stamp": (
        (REPORT, LINE, OPENED), {"after_report": RUN},
        State.STANDING_BY,
        [*BOOTED, "await COLLECT", "LeavePlace", "ReportText", "released: own way", "QmpSeen"],
    ),
    "is off before its turn": (
        (REPORT, OPENED, LINE, EXIT), {"after_report": RUN},
        State.EXITED,
        [..., *GONE],
    ),
    # It is to be off.
    "is off at once": (
        (REPORT, LINE, OPENED, BEGUN, DETAILS, EXIT), {"after_report": OFF},
        State.EXITED,
        [*BOOTED, "released: off", "LeavePlace", "ReportText", "QmpSeen", "VmDetails",
         "LeaveCollect", *GONE],
    ),
    "does not power off by itself": (
        (REPORT, LINE, OPENED, TimeUp()), {"after_report": OFF},
        State.QUITTING,
        [..., "QmpSeen", "ask quit"],
    ),
    "gave details and does not power off": (
        (REPORT, LINE, OPENED, BEGUN, DETAILS, TimeUp()), {"after_report": OFF},
        State.QUITTING,
        [..., "VmDetails", "LeaveCollect", "ask quit"],
    ),
    "is off as soon as it has told": (
        (REPORT, LINE, OPENED, BEGUN, DETAILS), {"after_report": OFF, "end": End.QUIT},
        State.QUITTING,
        [..., "VmDetails", "LeaveCollect", "VmEnding", "ask quit"],
    ),
    # It ends.
    "is to quit": (
        (REPORT, OPENED, STOPPED, COLLECT, DETAILS, END), {"end": End.QUIT},
        State.QUITTING,
        [..., "VmEnding", "ask quit"],
    ),
    "does not shut down": (
        (*WAYS[State.SHUTTING_DOWN][-6:], TimeUp()), {},
        State.QUITTING,
        [..., "tell poweroff", "ask quit"],
    ),
    "takes no word for its end": (
        (*WAYS[State.SHUTTING_DOWN][-6:], Unheard()), {},
        State.POWERING_DOWN,
        [..., "tell poweroff", "ask system_powerdown"],
    ),
    "reset while it shuts down": (
        (*WAYS[State.SHUTTING_DOWN][-6:], qmp("RESET"), qmp("RESET"), TimeUp()), {},
        State.QUITTING,
        [..., "tell poweroff", "QmpSeen", "ask system_powerdown", "QmpSeen", "ask quit"],
    ),
    "stopped while it shuts down": (
        (*WAYS[State.SHUTTING_DOWN][-6:], STOP), {},
        State.QUITTING,
        [..., "tell poweroff", *CUT, "ask quit"],
    ),
    "stopped while it shuts down and writes to the user's image": (
        (*WAYS[State.SHUTTING_DOWN][-6:], qmp("RESUME"), STOP), {"persist": True},
        State.POWERING_DOWN,
        [..., "QmpSeen", *CUT, "ask system_powerdown"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("facts", "settings", "end", "asked"), AFTERWARDS.values(), ids=AFTERWARDS)
def test_what_becomes_of_a_vm_that_has_reported(
    facts: Sequence[Fact], settings: dict[str, object], end: State, asked: list[object]
):
    this = course(at=State.BOOTING, **settings)
    found = told(this, facts)

    assert this.state is end
    if asked[0] is ...:
        asked = asked[1:]
        found = found[-len(asked) :]
    assert found == asked


@pytest.mark.parametrize("state", UNDECIDED)
@pytest.mark.parametrize("fact", [KILL, STOP, QmpFlooded(), DISK_FULL, FAULT], ids=repr)
def test_whatever_decides_a_boot_is_said_once_and_gives_its_place_to_another(
    state: State, fact: Fact
):
    this = course(at=state)
    found = told(this, [fact, fact])

    assert len([word for word in found if word.startswith("fail") or word == "VmKilled"]) == 1
    assert "LeavePlace" in found
    assert not this.is_undecided


LIMIT_OF = {
    State.PLUGGING: LIMITS.report_port_s,
    State.BOOTING: TIMEOUT_S,
    State.UNASKED: LIMITS.own_way_s,
    State.SHUTTING_DOWN: RunConfig().shutdown_timeout_s,
    State.DETAILING: LIMITS.details_s,
    State.POWERING_OFF: LIMITS.off_s,
    State.POWERING_DOWN: LIMITS.powerdown_s,
    State.QUITTING: LIMITS.quit_s,
    State.KILLING: LIMITS.kill_s,
    State.DOUBTED: 1.0,
    State.SETTLING: 0.05,
    State.REPORTED: 0.02,
}


@pytest.mark.parametrize("state", State)
def test_each_wait_has_its_limit_or_another_s(state: State):
    limit_s = LIMIT_OF.get(state)

    assert course(at=state).deadline_ns == (None if limit_s is None else NOW + limit_s * S)


def test_what_the_guest_says_meanwhile_puts_no_limit_off():
    this = course(at=State.BOOTING)
    told(this, [LIE, qmp("NIC_RX_FILTER_CHANGED")], NOW + S)

    assert this.deadline_ns == NOW + TIMEOUT_S * S


def test_a_pause_that_was_asked_for_does_not_count_against_the_limit():
    this = course(at=State.BOOTING)
    told(this, [PauseAsked(), qmp("STOP", NOW + 2 * S)], NOW + 2 * S)
    paused = this.deadline_ns
    told(this, [ResumeAsked(NOW + 9 * S)], NOW + 9 * S)
    told(this, [qmp("RESUME", NOW + 10 * S)], NOW + 10 * S)

    assert paused is None
    assert this.deadline_ns == NOW + (TIMEOUT_S + 7) * S


def test_a_stop_of_qemu_s_own_counts_and_is_said():
    this = course(at=State.BOOTING)
    told(this, [qmp("STOP")])
    due_ns = this.deadline_ns
    todo = this.handle(TimeUp(), NOW + 30 * S)

    assert due_ns == NOW + TIMEOUT_S * S
    assert do.TimeOut(limit_s=TIMEOUT_S, stopped_by_itself=True) in todo


def stamps(resumed_ns: int, answered_ns: int) -> tuple[int, int | None]:
    this = course(at=State.LETTING_GO)
    event = QmpEvent(answered_ns, "RESUME", {}, resumed_ns)
    todo = [*this.handle(event, answered_ns), *this.handle(Answered("cont", {}), answered_ns)]
    started = todo[0].event
    return started.go_ns, started.qemu_ns


@pytest.mark.parametrize(
    ("resumed_ns", "go_ns"),
    [(NOW + MS, NOW + MS), (NOW - 2 * MS, NOW), (NOW + 9 * MS, NOW)],
    ids=["between cont and its answer", "before", "after"],
)
def test_the_zero_is_qemu_s_own_stamp_where_it_can_be_true(resumed_ns: int, go_ns: int):
    assert stamps(resumed_ns, NOW + 5 * MS) == (go_ns, resumed_ns)


@pytest.mark.parametrize(
    ("opened_ns", "uncertainty_ns"),
    [(NOW + 2 * S, S), (NOW - S, 0), (NOW + 4 * S, 0)],
    ids=["between start and bytes", "before the start", "after the bytes"],
)
def test_a_report_is_as_sure_as_qemu_s_stamp_of_the_port_makes_it(
    opened_ns: int, uncertainty_ns: int
):
    this = course(at=State.BOOTING)
    came_ns = NOW + 3 * S
    opened = QmpEvent(came_ns, "VSERPORT_CHANGE", {"id": "report", "open": True}, opened_ns)
    told(this, [opened], came_ns)
    (_, booted, *_) = this.handle(Said(Reported(), came_ns), came_ns)

    assert (booted.event.report_ns, booted.event.uncertainty_ns) == (came_ns, uncertainty_ns)


def carried_on(this: Course, facts: Sequence[Fact]) -> list[str]:
    """Tell facts, and each fault in taking them in, as who carries instructions out does."""
    found: list[str] = []
    todo = list(facts)
    for _ in range(10):
        if not todo:
            return found
        try:
            for each in this.handle(todo.pop(0), NOW):
                found.append(said(each))
        except LookupError:
            todo.insert(0, FAULT)
    pytest.fail("it faults without end")


TOOL_FAILED = "fail: the tool failed: LookupError: why"


@pytest.mark.parametrize(
    ("step", "start", "facts", "end", "asked"),
    [
        (
            "booted",
            State.REPORTED,
            [OPENED],
            State.QUITTING,
            ["Abandon", TOOL_FAILED, *LOST, "ask quit", "QmpSeen"],
        ),
        (
            "qmp",
            State.LETTING_GO,
            [REPORT, RESUMED, OPENED, Answered("cont", {})],
            State.OVER,
            ["VmStarted", "ask stop", *BOOTED, "Abandon", "Notice"],
        ),
        (
            "rejected",
            State.LETTING_GO,
            [LIE, LIE, Answered("cont", {}), RESUMED],
            State.OVER,
            ["VmStarted", "Abandon", TOOL_FAILED, *LOST, "ask quit", "Abandon", "Notice"],
        ),
        ("own_fault", State.STANDING_BY, [FAULT], State.OVER, []),
    ],
)
def test_a_fault_in_the_telling_ends_this_boot_alone_and_undoes_nothing_that_was_told(
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    start: State,
    facts: list[Fact],
    end: State,
    asked: list[str],
):
    this = course(at=start)

    def broken(*_: object) -> None:
        raise LookupError("why")

    monkeypatch.setattr(Narrator, step, broken)

    assert carried_on(this, facts)[: len(asked)] == asked
    assert this.state is end
    assert this.has_faults


FACTS = [fact for way in WAYS.values() for fact in way] + [
    *(LIE, FLOOD_OF_WORDS, SHUTDOWN, DISK_FULL, KILL, FAULT, PauseAsked(), ResumeAsked(NOW)),
    *(LINE, BEGUN, ORDER, PortClosed(), NOT_STOPPED, Unheard(), qmp("STOP"), qmp("RESET")),
    *(QmpFlooded(), QmpReady("no"), NotSpawned(Why("no")), Explained(Why("so")), TimeUp()),
    Answered("quit", trouble="gone", is_sent=False),
]
DECISIONS = ("VmBooted", "VmKilled", "TimeOut")


@given(
    st.sampled_from(State),
    st.lists(st.sampled_from(FACTS), max_size=30),
    st.sampled_from(AfterReport),
)
def test_whatever_comes_in_whatever_order_a_boot_is_decided_once(
    state: State, facts: list[Fact], after: AfterReport
):
    this = Course(Narrator(1, 1), LIMITS, RunConfig(timeout_s=TIMEOUT_S, after_report=after))
    found = told(this, [*WAYS[state], *facts])
    decisions = [word for word in found if word in DECISIONS or word.startswith("fail")]

    assert len(decisions) <= 1
    assert "LeavePlace" not in found or decisions
    assert not decisions or "LeavePlace" in found or this.state is State.FREEZING
    assert this.state is not State.OVER or found.count("VmEnding") <= 1
    assert found.count("VmStarted") <= 1
    assert found.count("TellExit") <= 1
    assert "VmBooted" not in found or found.index("VmStarted") < found.index("VmBooted")
    assert decisions or this.is_undecided or this.state in BUSY


def test_a_guest_that_closes_its_port_before_its_details_are_whole_is_not_waited_for_long():
    this = course(at=State.DETAILING)
    told(this, [qmp("VSERPORT_CHANGE", NOW + S, id="report", open=False)], NOW + S)

    assert this.deadline_ns == NOW + S + LIMITS.own_way_s * S


def test_a_guest_that_closed_its_port_before_it_is_asked_is_not_waited_for_long():
    this = course(at=State.STANDING_BY)
    told(this, [qmp("VSERPORT_CHANGE", id="report", open=False), COLLECT])

    assert this.deadline_ns == NOW + LIMITS.own_way_s * S
