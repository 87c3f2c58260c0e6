"""What follows once it is decided if a VM boots, till its QEMU is gone."""

from vmtiming_tui.engine.boot import instructions as do
from vmtiming_tui.engine.boot.facts import Answered, Goal, Reached, Reply, TimeUp, Unheard
from vmtiming_tui.engine.boot.instructions import Instruction, Word
from vmtiming_tui.engine.boot.narrator import Narrator
from vmtiming_tui.engine.boot.standing import Standing, State
from vmtiming_tui.engine.guest.limits import Limits
from vmtiming_tui.engine.guest.report_protocol import Rejected
from vmtiming_tui.engine.qemu.command_line import REPORT_ID
from vmtiming_tui.engine.qmp.controller import QmpEvent
from vmtiming_tui.model.config import AfterReport, End, RunConfig
from vmtiming_tui.model.events import ReleaseCause

_AFTER_REPORT = frozenset(
    {
        State.FREEZING,
        State.STANDING_BY,
        State.UNASKED,
        State.DETAILING,
        State.TOLD,
        State.SHUTTING_DOWN,
        State.POWERING_OFF,
    }
)


class Aftermath:
    """The second half of a course; ``follow`` begins it after a report, ``end`` without one.

    A VM that has reported stands by, till it is its guest's turn to tell details and then its own
    to end. A guest that waits for no word has its time to do both by itself. Where neither leads
    to an end, QEMU is made to, step by step: powerdown, quit, kill.
    """

    def __init__(
        self, standing: Standing, narrator: Narrator, limits: Limits, config: RunConfig
    ) -> None:
        self._standing = standing
        self._enter = standing.enter
        self._narrator = narrator
        self._limits = limits
        self._config = config
        self._has_reported = False
        self._is_stopping = self._at_once = False
        self._stop_answer: Answered | None = None
        self._stands_still = self._was_let_go = False
        self._is_released = False
        self._goes_own_way = config.after_report is AfterReport.OFF
        self._is_mute = self._has_hung_up = False
        self._details_due = self._details_done = False

    # From the report to the turn to tell details.

    def freeze(self) -> list[Instruction]:
        """Return what is to be done the moment the guest has reported."""
        self._has_reported = True
        if self._config.after_report is AfterReport.FREEZE:
            return [do.Ask("stop", self._limits.command_s)]
        return []

    def follow(self) -> list[Instruction]:
        """Return what comes once the report has its stamp."""
        if self._standing.exit is not None or self._is_stopping:
            return [do.LeavePlace(), *self.end()]
        match self._config.after_report, self._stop_answer:
            case AfterReport.OFF, _:
                return [*self._release(ReleaseCause.OFF), do.LeavePlace(), *self._go_own_way()]
            case AfterReport.FREEZE, None:
                return self._enter(State.FREEZING)
            case AfterReport.FREEZE, Answered(trouble=""):
                frozen = self._stand_still()
                if self._was_let_go:
                    self._stands_still = False
                    frozen += self._release(ReleaseCause.BY_HAND)
                return [*frozen, *self._stand_by()]
            case AfterReport.FREEZE, _:
                return [*self._release(ReleaseCause.NOT_STOPPED), *self._stand_by()]
            case _ if self._goes_own_way:
                return [*self._release(ReleaseCause.OWN_WAY), *self._stand_by()]
        return self._stand_by()

    def _stand_by(self) -> list[Instruction]:
        # Waited for before the place is left, which may decide the storm: it goes by VM's number.
        return self._enter(State.STANDING_BY, do.Await(Goal.COLLECT), do.LeavePlace())

    def _stand_still(self) -> list[Instruction]:
        self._stands_still, self._is_released = True, False
        return [do.Emit(self._narrator.frozen(self._standing.now_ns))]

    def _release(self, cause: ReleaseCause) -> list[Instruction]:
        self._is_released = True
        return [do.Emit(self._narrator.released(self._standing.now_ns, cause))]

    # Details.

    def _collect(self) -> list[Instruction]:
        if self._is_mute:
            return self._leave_collect()
        todo = [] if self._is_released else self._release(ReleaseCause.COLLECT)
        if self._stands_still or self._may_yet_stop:
            todo.append(do.Ask("cont", self._limits.command_s))
        if self._goes_own_way:
            return [*todo, *self._go_own_way()]
        word = do.TellGuest(Word.DETAILS)
        limit_s = self._limits.own_way_s if self._has_hung_up else self._limits.details_s
        return self._enter(State.DETAILING, *todo, word, limit_s=limit_s)

    @property
    def _may_yet_stop(self) -> bool:
        """Whether QEMU may be late to do what it did not answer."""
        answer = self._stop_answer
        return answer is not None and bool(answer.trouble) and answer.is_sent

    def _go_own_way(self) -> list[Instruction]:
        if self._details_done:
            return self._leave_collect()
        if self._details_due:
            return self._enter(State.DETAILING, limit_s=self._limits.details_s)
        is_first = self._config.after_report is AfterReport.OFF
        limit_s = self._limits.off_s if is_first else self._limits.own_way_s
        return self._enter(State.UNASKED, limit_s=limit_s)

    def _leave_collect(self) -> list[Instruction]:
        if not self._goes_own_way or (self._is_mute and self._stands_still):
            return self._enter(State.TOLD, do.Await(Goal.END), do.LeaveCollect())
        if self._config.end is End.QUIT:
            return [do.LeaveCollect(), *self._ask_to_quit()]
        return self._enter(State.POWERING_OFF, do.LeaveCollect(), limit_s=self._limits.off_s)

    def _give_up_details(self, why: str) -> list[Instruction]:
        self._is_mute = True
        rejected = do.Emit(self._narrator.rejected(self._standing.now_ns, Rejected(why)))
        return [rejected, do.EndReport(), *self._leave_collect()]

    # The end.

    def _end_in_turn(self) -> list[Instruction]:
        if self._is_mute and not self._stands_still:
            return [self._say_ending(End.QUIT), *self._power_down()]
        if self._is_mute or self._config.end is End.QUIT:
            return self._ask_to_quit()
        word = do.TellGuest(Word.POWEROFF)
        limit_s = self._config.shutdown_timeout_s
        return self._enter(
            State.SHUTTING_DOWN, self._say_ending(End.POWEROFF), word, limit_s=limit_s
        )

    def _say_ending(self, how: End) -> Instruction:
        return do.Emit(self._narrator.ending(self._standing.now_ns, how))

    def _ask_to_quit(self) -> list[Instruction]:
        return [self._say_ending(End.QUIT), *self._quit()]

    def end(self) -> list[Instruction]:
        """Make an end of QEMU, where there is one."""
        standing = self._standing
        if not standing.pid:
            return self._enter(State.OVER)
        if standing.exit is not None:
            return self._enter(State.EXITED, do.Await(Goal.LAST_WORDS))
        # A guest whose boot is known is waited for only where it writes to the user's own image.
        is_worth_it = self._config.persist or not self._has_reported
        if self._is_stopping and not self._at_once and is_worth_it:
            go_on = [do.Ask("cont", self._limits.command_s)] if self._stands_still else []
            return [*go_on, *self._power_down()]
        return self._quit()

    def _power_down(self) -> list[Instruction]:
        grace_s = self._limits.powerdown_s
        ask = do.Ask("system_powerdown", grace_s)
        return self._enter(State.POWERING_DOWN, ask, limit_s=grace_s)

    def _quit(self) -> list[Instruction]:
        if self._at_once:
            return self._kill()
        grace_s = self._limits.quit_s
        return self._enter(State.QUITTING, do.Ask("quit", grace_s), limit_s=grace_s)

    def _kill(self) -> list[Instruction]:
        return self._enter(State.KILLING, do.Kill(), limit_s=self._limits.kill_s)

    # What becomes known, also before it begins.

    def stop(self, *, at_once: bool) -> list[Instruction]:
        """Somebody wants an end made: in order, or at once."""
        self._is_stopping = True
        self._at_once |= at_once
        match self._standing.state:
            case state if state in _AFTER_REPORT:
                return [do.Abandon(), do.LeavePlace(), do.LeaveCollect(), *self.end()]
            case State.POWERING_DOWN | State.QUITTING if self._at_once:
                return self._kill()
        return []

    def end_line(self) -> list[Instruction]:
        """The guest has finished the line it reported by: unasked, where no word was said yet."""
        if self._standing.state in (State.DETAILING, State.TOLD):
            return []
        is_news, self._goes_own_way = not self._goes_own_way, True
        is_loose = not (self._stands_still or self._is_released)
        if self._standing.state is State.STANDING_BY and is_news and is_loose:
            return self._release(ReleaseCause.OWN_WAY)
        return []

    def expect_details(self) -> list[Instruction]:
        """The guest has begun to send details."""
        self._details_due = True
        if self._standing.state in (State.UNASKED, State.POWERING_OFF):
            return self._enter(State.DETAILING, limit_s=self._limits.details_s)
        return []

    def end_details(self) -> list[Instruction]:
        """The guest has sent what it had to send."""
        self._details_due, self._details_done = False, True
        if self._standing.state in (State.UNASKED, State.DETAILING):
            return self._leave_collect()
        return []

    def fall_silent(self) -> list[Instruction]:
        """Nothing will be heard any more of the guest that reported, nor by it."""
        self._is_mute = True
        return self._leave_collect() if self._standing.state is State.DETAILING else []

    def hear(self, event: QmpEvent) -> list[Instruction]:
        """QEMU said something after the report."""
        match event.name:
            case "RESET":
                # Whoever boots now has not been asked for anything.
                is_ending = self._standing.state is State.SHUTTING_DOWN
                return self._power_down() if is_ending else self.fall_silent()
            case "VSERPORT_CHANGE" if event.data == {"id": REPORT_ID, "open": False}:
                # What it wrote before may still be on its way; it opens its port only once.
                has_hung_up, self._has_hung_up = self._has_hung_up, True
                is_telling = self._standing.state is State.DETAILING and not self._goes_own_way
                if is_telling and not has_hung_up:
                    return self._enter(State.DETAILING, limit_s=self._limits.own_way_s)
            case "STOP" | "RESUME" if self._standing.state is not State.STANDING_BY:
                # Where it stood still already, somebody was quicker than the answer to our stop.
                is_freezing = self._standing.state is State.FREEZING
                self._was_let_go = is_freezing and event.name == "RESUME" and self._stands_still
                self._stands_still = event.name == "STOP"
            case "STOP" if not self._stands_still:
                return self._stand_still()
            case "RESUME" if self._stands_still:
                self._stands_still = False
                return self._release(ReleaseCause.BY_HAND)
        return []

    def go_on(self, reply: Reply) -> list[Instruction]:
        """Take in what came of an instruction, or that time is up."""
        standing = self._standing
        match standing.state, reply:
            case State.REPORTED, Answered("stop"):
                self._stop_answer = reply
            case State.FREEZING, Answered("stop"):
                self._stop_answer = reply
                return self.follow()
            case State.STANDING_BY, Reached(Goal.COLLECT):
                return self._collect()
            case State.DETAILING | State.UNASKED, Answered("cont", trouble=trouble) if (
                trouble and self._stands_still
            ):
                return self._give_up_details(f"it could not be let go on: {trouble}")
            case State.DETAILING, TimeUp() if self._goes_own_way:
                return [do.EndReport(), *self._leave_collect()]
            case State.DETAILING, TimeUp():
                return self._give_up_details("its details did not come in time")
            case State.DETAILING, Unheard():
                return self._give_up_details("it does not take the host's word for details")
            case State.UNASKED, TimeUp() if self._config.after_report is AfterReport.OFF:
                return self.end()
            case State.UNASKED, TimeUp():
                return self._leave_collect()
            case State.TOLD, Reached(Goal.END):
                return self._end_in_turn()
            case State.SHUTTING_DOWN, Unheard():
                return self._power_down()
            case State.SHUTTING_DOWN | State.POWERING_OFF, TimeUp():
                return self.end()
        return self._make_end(reply)

    def _make_end(self, reply: Reply) -> list[Instruction]:
        standing = self._standing
        match standing.state, reply:
            case State.POWERING_DOWN, TimeUp() | Answered("system_powerdown", is_sent=False):
                return self._quit()
            case State.QUITTING, TimeUp() | Answered("quit", is_sent=False):
                return self._kill()
            case State.KILLING, TimeUp():
                immortal = self._narrator.immortal(standing.now_ns, standing.pid)
                return self._enter(State.OVER, do.Emit(immortal))
            case State.EXITED, Reached(Goal.LAST_WORDS):
                assert standing.exit is not None  # noqa: S101  there are no last words before
                told = do.TellExit(standing.exit, standing.reason, standing.shutdown_ns)
                return self._enter(State.OVER, told)
        return []
