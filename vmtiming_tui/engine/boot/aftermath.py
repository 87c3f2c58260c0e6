"""What follows once it is decided if a VM boots: details and power-off, or QEMU's end made."""

from vmtiming_tui.engine.boot import instructions as do
from vmtiming_tui.engine.boot.facts import Answered, Goal, Reached, Reply, TimeUp
from vmtiming_tui.engine.boot.instructions import Instruction
from vmtiming_tui.engine.boot.narrator import Narrator
from vmtiming_tui.engine.boot.standing import Standing, State
from vmtiming_tui.engine.guest.limits import Limits


class Aftermath:
    """The second half of a course; ``follow`` or ``end`` begins it.

    A guest that reported has its time to send its details and to power off by itself. Otherwise
    QEMU is made to end, step by step: powerdown where that was asked for, quit, kill.
    """

    def __init__(self, standing: Standing, narrator: Narrator, limits: Limits) -> None:
        self._standing = standing
        self._enter = standing.enter
        self._narrator = narrator
        self._limits = limits
        self._is_stopping = False
        self._at_once = False
        self._details_due = False

    def follow(self) -> list[Instruction]:
        """Return what comes after a report."""
        standing = self._standing
        if standing.exit is not None or self._is_stopping:
            return self.end()
        if self._details_due:
            return self._await_details()
        return self._enter(State.BOOTED, limit_s=self._limits.off_s)

    def end(self) -> list[Instruction]:
        """Make an end of QEMU, where there is one."""
        standing, grace_s = self._standing, self._limits.powerdown_s
        if not standing.pid:
            return self._enter(State.OVER)
        if standing.exit is not None:
            return self._enter(State.EXITED, do.Await(Goal.LAST_WORDS))
        if self._is_stopping and not self._at_once:
            ask = do.Ask("system_powerdown", grace_s)
            return self._enter(State.POWERING_DOWN, ask, limit_s=grace_s)
        return self._quit()

    def _quit(self) -> list[Instruction]:
        if self._at_once:
            return self._kill()
        grace_s = self._limits.quit_s
        return self._enter(State.QUITTING, do.Ask("quit", grace_s), limit_s=grace_s)

    def _kill(self) -> list[Instruction]:
        return self._enter(State.KILLING, do.Kill(), limit_s=self._limits.kill_s)

    def _await_details(self) -> list[Instruction]:
        return self._enter(State.DETAILING, limit_s=self._limits.details_s)

    # What becomes known, also before it begins.

    def stop(self, *, at_once: bool) -> list[Instruction]:
        """Somebody wants an end made: in order, or at once."""
        self._is_stopping = True
        self._at_once |= at_once
        match self._standing.state:
            case State.BOOTED | State.DETAILING | State.POWERING_OFF:
                return self.end()
            case State.POWERING_DOWN | State.QUITTING if self._at_once:
                return self._kill()
        return []

    def expect_details(self) -> list[Instruction]:
        """The guest has begun to send details."""
        self._details_due = True
        return self._await_details() if self._standing.state is State.BOOTED else []

    def end_details(self) -> list[Instruction]:
        """The guest has sent what it had to send."""
        self._details_due = False
        if self._standing.state is State.DETAILING:
            return self._enter(State.POWERING_OFF, limit_s=self._limits.off_s)
        return []

    def go_on(self, reply: Reply) -> list[Instruction]:
        """Take in what came of an instruction, or that time is up."""
        standing = self._standing
        match standing.state, reply:
            case State.DETAILING, TimeUp():
                return self._enter(State.POWERING_OFF, limit_s=self._limits.off_s)
            case State.BOOTED | State.POWERING_OFF, TimeUp():
                return self.end()
            case State.POWERING_DOWN, TimeUp() | Answered("system_powerdown", is_sent=False):
                return self._quit()
            case State.QUITTING, TimeUp() | Answered("quit", is_sent=False):
                return self._kill()
            case State.KILLING, TimeUp():
                immortal = self._narrator.immortal(standing.now_ns, standing.pid)
                return self._enter(State.OVER, do.Emit(immortal))
            case State.EXITED, Reached(Goal.LAST_WORDS):
                assert standing.exit is not None  # noqa: S101  there are no last words before
                return self._enter(State.OVER, do.TellExit(standing.exit, standing.reason))
        return []
