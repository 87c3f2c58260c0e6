"""The course of one boot, from its place in line to QEMU's end: which fact means what, and when.

It does nothing itself. Facts go in, one at a time, each with the time it is taken in; instructions
come out. So what may happen to a boot, in whatever order, can be tried without a QEMU, a socket or
an event loop; ``attempt`` carries the instructions out and brings the facts.
"""

from collections import deque
from collections.abc import Iterator, Mapping

from vmtiming_tui.engine.boot import instructions as do
from vmtiming_tui.engine.boot.aftermath import Aftermath
from vmtiming_tui.engine.boot.facts import (
    Answered,
    EndAsked,
    Explained,
    Fact,
    Faulted,
    Goal,
    News,
    NotSpawned,
    PauseAsked,
    PortClosed,
    PortOpened,
    QmpFlooded,
    QmpLost,
    QmpReady,
    Reached,
    Reply,
    ResumeAsked,
    Said,
    Spawned,
    TimeUp,
)
from vmtiming_tui.engine.boot.instructions import Instruction
from vmtiming_tui.engine.boot.narrator import Narrator
from vmtiming_tui.engine.boot.standing import BUSY, PAUSABLE, Standing, State
from vmtiming_tui.engine.boot.timing import OPEN_WAIT_S, RESUME_WAIT_S, BootTiming
from vmtiming_tui.engine.children.children import Exit
from vmtiming_tui.engine.guest.limits import Limits
from vmtiming_tui.engine.guest.report_protocol import (
    Details,
    DetailsBegun,
    LineEnded,
    OrderTold,
    Rejected,
    Reported,
    Statement,
)
from vmtiming_tui.engine.qemu import why_it_failed
from vmtiming_tui.engine.qemu.why_it_failed import Why
from vmtiming_tui.engine.qmp.controller import QmpEvent
from vmtiming_tui.escape import one_line
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.events import Event
from vmtiming_tui.model.kernel_events import KernelLog

_DOUBT_S = 1.0
_MAX_VCPUS = 4096
_FLOOD = Why(
    "its guest floods QEMU's control socket",
    "see its QMP events; a guest that panics without end does so, and a device that it may not "
    "need (pvpanic, or what follows --) lets it",
)


class Course:
    """Takes facts in by ``handle`` and yields what is to be done; ``begin`` is its first word.

    Where no fact comes by ``deadline_ns`` (monotonic), ``TimeUp`` is the fact that is to come.
    """

    def __init__(self, narrator: Narrator, limits: Limits, config: RunConfig) -> None:
        self.qemu_pid = 0
        self.vcpu_tids: tuple[int, ...] = ()
        self.has_faults = False
        self._narrator = narrator
        self._limits = limits
        self._timeout_s = config.timeout_s
        self._timing = BootTiming()
        self._standing = Standing()
        self._enter = self._standing.enter
        self._aftermath = Aftermath(self._standing, narrator, limits, config)
        self._postponed: deque[News] = deque()
        self._is_plugged = self._qmp_ready = False
        self._has_started = self._booted = self._lost = False
        self._doubt = ""
        self._rejected = ""
        self._io_trouble: Why | None = None
        self._answered_ns = 0
        self._received_ns = 0

    @property
    def state(self) -> State:
        """Where the boot stands."""
        return self._standing.state

    @property
    def exit(self) -> Exit | None:
        """How QEMU ended, where it did."""
        return self._standing.exit

    @property
    def reason(self) -> str:
        """Why QEMU ended, as SHUTDOWN had it; empty where it had nothing."""
        return self._standing.reason

    @property
    def shutdown_ns(self) -> int | None:
        """When SHUTDOWN came, on our clock; None where it did not."""
        return self._standing.shutdown_ns

    @property
    def vm(self) -> int:
        """Which VM it is that boots."""
        return self._narrator.vm

    @property
    def is_undecided(self) -> bool:
        """Whether it is still to be seen if it boots."""
        return not (self._booted or self._lost)

    @property
    def is_booting(self) -> bool:
        """Whether it is still to be seen if it boots, and there is a QEMU to boot it."""
        return self._standing.pid != 0 and self.exit is None and self.is_undecided

    @property
    def was_let_go(self) -> bool:
        """Whether the VM was told to run."""
        return self._timing.go_sent_ns is not None

    @property
    def deadline_ns(self) -> int | None:
        """How long to wait for another fact; a pause that was asked for does not count."""
        standing, timing = self._standing, self._timing
        if self.state not in PAUSABLE or standing.due_ns is None:
            return standing.due_ns
        if timing.is_paused:
            return None
        return standing.due_ns + timing.paused_ns - standing.paused_before_ns

    def begin(self) -> list[Instruction]:
        """Return what comes first."""
        return [do.Await(Goal.PLACE)]

    def handle(self, fact: Fact, at_ns: int) -> Iterator[Instruction]:
        """Take a fact in at ``at_ns`` (monotonic), and yield what is to be done about it.

        Each is to be done before the next is asked for: a fault in what follows undoes none.
        """
        self._standing.now_ns = at_ns
        self._timing.hear(fact, at_ns)
        self._standing.paused_ns = self._timing.paused_by_ns(at_ns)
        if isinstance(fact, News):
            self._postponed.append(fact)
        else:
            yield from self._go_on(fact)
        yield from self._settle()
        while self._postponed and self.state not in BUSY:
            yield from self._take(self._postponed.popleft())
            yield from self._settle()

    # What came of an instruction, or of none.

    def _go_on(self, reply: Reply) -> list[Instruction]:
        match self.state, reply:
            case _, TimeUp():
                return self._time_up()
            case _, Faulted():
                return self._faulted(reply)
            case State.QUEUED, Reached(Goal.PLACE):
                return self._enter(State.HELD, do.Await(Goal.LAUNCH))
            case State.HELD, Reached(Goal.LAUNCH):
                return self._enter(State.SPAWNING, do.Spawn())
            case State.SPAWNING, Spawned(pid=pid):
                self._standing.pid = pid
                launched = self._narrator.launched(self._standing.now_ns, reply)
                return self._enter(State.GREETING, do.Emit(launched), do.Connect())
            case State.SPAWNING, NotSpawned(why):
                return self._lose(do.Fail(why))
            case State.GREETING, QmpReady(trouble):
                return self._greeted(trouble)
            case State.LEARNING, Answered():
                self.vcpu_tids = _vcpu_tids(reply.value)
                return self._enter(State.READY, do.Await(Goal.TURN))
            case State.READY, Reached(Goal.TURN):
                return self._enter(State.STAMPING, do.Await(Goal.STAMPS))
            case State.STAMPING, Reached(Goal.STAMPS):
                self._timing.go_sent_ns = self._standing.now_ns
                return self._enter(State.LETTING_GO, do.Ask("cont", self._limits.command_s))
            case State.LETTING_GO, Answered(trouble=trouble):
                self._answered_ns = self._standing.now_ns
                if trouble:
                    return self._doubt_it(trouble)
                return self._enter(State.SETTLING, limit_s=RESUME_WAIT_S)
            case State.ENDED, Reached(Goal.LAST_WORDS):
                return self._explain()
            case State.EXPLAINING, Explained(why):
                return self._lose(do.Fail(why))
        return self._aftermath.go_on(reply)

    def _time_up(self) -> list[Instruction]:
        match self.state:
            case State.PLUGGING:
                return self._doubt_it("QEMU did not connect its report port to us")
            case State.SETTLING:
                return self._started()
            case State.BOOTING:
                by_itself = self._timing.stopped_by_itself
                return self._lose(do.TimeOut(limit_s=self._timeout_s, stopped_by_itself=by_itself))
            case State.DOUBTED:
                return self._lose(do.Fail(Why(self._doubt)))
            case State.REPORTED:
                return self._has_booted()
            case _:
                return self._aftermath.go_on(TimeUp())

    def _faulted(self, faulted: Faulted) -> list[Instruction]:
        is_second, self.has_faults = self.has_faults, True
        fault = faulted.fault
        match self.state:
            case State.OVER if is_second:
                return []  # it may have come of saying so
            case State.REPORTED if not is_second:
                figure = [self._tell_booted(), do.TellSoFar(), do.LeavePlace()]
            case _ if self.is_undecided or self.state is State.REPORTED:
                return self._lose(do.Fail(Why(f"the tool failed: {fault.what}", fault.hint)))
            case _:
                figure = []
        todo = self._enter(State.OVER, do.Abandon(), *figure)
        return [*todo, do.Emit(self._narrator.own_fault(self._standing.now_ns, fault))]

    def _greeted(self, trouble: str) -> list[Instruction]:
        if trouble:
            return self._doubt_it(trouble)
        self._qmp_ready = True
        if self._is_plugged:
            return self._connected()
        return self._enter(State.PLUGGING, limit_s=self._limits.report_port_s)

    def _connected(self) -> list[Instruction]:
        return self._enter(
            State.LEARNING,
            do.EndLaunch(),
            do.Emit(self._narrator.connected(self._standing.now_ns)),
            do.Ask("query-cpus-fast", self._limits.command_s),
        )

    def _settle(self) -> list[Instruction]:
        """Go on from where only a stamp of QEMU's was waited for, once it is there."""
        if self.state is State.SETTLING and self._timing.has_resumed:
            return self._started()
        if self.state is State.REPORTED and self._timing.has_opened:
            return self._has_booted()
        return []

    def _started(self) -> list[Instruction]:
        return self._enter(State.BOOTING, *self._tell_started(), limit_s=self._timeout_s)

    def _tell_started(self) -> list[Instruction]:
        if self._has_started:
            return []
        self._has_started = True
        stamp = self._timing.settle_go(self._answered_ns)
        return [do.Emit(self._narrator.started(self._standing.now_ns, stamp))]

    # What comes unasked.

    def _take(self, news: News) -> list[Instruction]:
        match news:
            case QmpEvent():
                return [do.Emit(self._narrator.qmp(news)), *self._take_qmp(news)]
            case Said(statement, received_ns):
                return self._take_statement(statement, received_ns)
            case PortOpened(pid=pid):
                self.qemu_pid, self._is_plugged = pid, True
                opened = do.Emit(self._narrator.port_opened(self._standing.now_ns, news))
                return [opened, *(self._connected() if self.state is State.PLUGGING else ())]
            case PortClosed() if self._booted:
                return self._aftermath.fall_silent()
            case QmpLost(why) if self.is_undecided and self.exit is None:
                return self._doubt_it(f"QEMU's control socket (QMP) was lost while it runs: {why}")
            case QmpFlooded():
                # QEMU keeps in memory what is not read, and hears no command meanwhile.
                return self._cut_short(do.Fail(_FLOOD), at_once=True)
            case EndAsked(why, at_once):
                killed = do.Emit(self._narrator.killed(self._standing.now_ns, why))
                return self._cut_short(killed, at_once=at_once)
            case Exit() if self.exit is None:
                return self._take_exit(news)
            case Exit() | PortClosed() | QmpLost() | PauseAsked() | ResumeAsked():
                return []

    def _take_qmp(self, event: QmpEvent) -> list[Instruction]:
        match event.name:
            case "SHUTDOWN" if self._standing.shutdown_ns is None:
                self._standing.reason = one_line(str(event.data.get("reason", "")), 100)
                self._standing.shutdown_ns = event.qemu_ns or event.received_ns
            case "BLOCK_IO_ERROR" if event.data.get("action") == "stop":
                self._io_trouble = why_it_failed.io_error(event.data)
                if self.is_undecided:
                    return self._lose(do.Fail(self._io_trouble))
            case _ if self._booted:
                return self._aftermath.hear(event)
        return []

    def _take_statement(self, statement: Statement, received_ns: int) -> list[Instruction]:
        match statement:
            case Rejected(why, final=final):
                todo = self._reject(statement)
                if final and self.is_undecided:
                    todo += self._lose(do.Fail(Why(f"bad report: {why}")))
                return todo
            case Reported() if not self._timing.was_let_go_by(received_ns):
                return self._reject(Rejected("a report before the VM was let go"))
            case Reported() if self.is_undecided:
                self._booted = True
                self._received_ns = received_ns
                # A guest may boot though cont was not answered.
                todo = [*self._aftermath.freeze(), *self._tell_started()]
                return self._enter(State.REPORTED, *todo, limit_s=OPEN_WAIT_S)
            case LineEnded(text) if self._booted:
                told = do.Emit(self._narrator.text(self._standing.now_ns, text))
                return [told, *self._aftermath.end_line()]
            case DetailsBegun() if self._booted:
                return self._aftermath.expect_details()
            case Details() if self._booted:
                return [*self._tell_details(statement), *self._aftermath.end_details()]
            case OrderTold() if self._booted:
                return [do.Emit(self._narrator.unit_order(self._standing.now_ns, statement))]
            case KernelLog() if self._booted:
                return [do.Emit(self._narrator.kernel(self._standing.now_ns, statement))]
        return []

    def _tell_details(self, told: Details) -> list[Instruction]:
        now_ns = self._standing.now_ns
        events: list[Event] = [self._narrator.details(now_ns, told)]
        if told.units:
            events.append(self._narrator.units(now_ns, told.units))
        return [do.Emit(event) for event in events]

    def _reject(self, what: Rejected) -> list[Instruction]:
        self._rejected = what.why
        return [do.Emit(self._narrator.rejected(self._standing.now_ns, what))]

    def _take_exit(self, ended: Exit) -> list[Instruction]:
        self._standing.exit = ended
        if self.is_undecided:
            return self._enter(State.ENDED, do.Abandon(), do.Await(Goal.LAST_WORDS))
        left: list[Instruction] = [do.Abandon(), do.LeavePlace(), do.LeaveCollect()]
        return self._enter(State.EXITED, *left, do.Await(Goal.LAST_WORDS))

    def _cut_short(self, loss: Instruction, *, at_once: bool) -> list[Instruction]:
        todo = self._aftermath.stop(at_once=at_once)
        return self._lose(loss) if self.is_undecided else todo

    # How it is decided.

    def _doubt_it(self, trouble: str) -> list[Instruction]:
        """Something went wrong; if QEMU is about to end, that says better what."""
        if self.state is State.DOUBTED:
            return []
        self._doubt = trouble
        return self._enter(State.DOUBTED, do.Abandon(), do.EndLaunch(), limit_s=_DOUBT_S)

    def _explain(self) -> list[Instruction]:
        if self._io_trouble:
            return self._lose(do.Fail(self._io_trouble))
        assert self.exit is not None  # noqa: S101  it ended too early
        return self._enter(
            State.EXPLAINING,
            do.Explain(
                ended=self.exit,
                reason=self.reason,
                connected=self._qmp_ready,
                rejected=self._rejected,
            ),
        )

    def _lose(self, loss: Instruction) -> list[Instruction]:
        self._lost = True
        left: list[Instruction] = [do.LeavePlace(), do.LeaveCollect()]
        return [do.Abandon(), loss, do.TellSoFar(), *left, *self._aftermath.end()]

    def _has_booted(self) -> list[Instruction]:
        return [self._tell_booted(), do.TellSoFar(), *self._aftermath.follow()]

    def _tell_booted(self) -> Instruction:
        stamp = self._timing.settle_report(self._received_ns)
        return do.Emit(self._narrator.booted(self._standing.now_ns, stamp))


def _vcpu_tids(answer: object) -> tuple[int, ...]:
    if not isinstance(answer, list):
        return ()
    found = (cpu.get("thread-id") for cpu in answer[:_MAX_VCPUS] if isinstance(cpu, Mapping))
    return tuple(tid for tid in found if isinstance(tid, int) and tid > 0)
