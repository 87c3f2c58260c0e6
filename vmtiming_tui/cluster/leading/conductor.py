"""Leads several hosts through runs: facts in, instructions out, without I/O and without a clock.

Every host has an engine that is led. What they tell is made one stream, on the leader's clock; it
is what a single engine would have told, but for the hosts.
"""

from collections import deque
from dataclasses import replace

from vmtiming_tui.cluster.clock import Clock
from vmtiming_tui.cluster.leading.foreign import refuse
from vmtiming_tui.cluster.leading.instructions import Instruction
from vmtiming_tui.cluster.leading.member import Member
from vmtiming_tui.cluster.leading.run import Asked, LedRun
from vmtiming_tui.cluster.leading.script import Script
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.cluster import Spread

_ENDED = "its engine ended"
_ENDED_HINT = "every VM there was ended with it; look at the host, then boot them again"


class Conductor:
    """Leads the hosts that joined.

    Each method returns what is to be done, in order. ``now_ns`` is the leader's monotonic clock.
    """

    def __init__(self, spread: Spread) -> None:
        self._spread = spread
        self._script = Script()
        self._members: dict[str, Member] = {}
        self._asked: deque[Asked] = deque()
        self._stopped: set[str] = set()
        self._run: LedRun | None = None
        self._is_leaving = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more can come of it: no host is there any more."""
        return all(each.is_gone for each in self._members.values())

    def shift_ns(self, host: str) -> int:
        """Return what makes a host's moments the leader's, to be added to them."""
        return -self._members[host].applied_ns

    # Hosts.

    def join(self, host: str, address: str) -> list[Instruction]:
        """Take in a host; raise ``ValueError`` where one of that name is there."""
        if host in self._members and not self._members[host].is_gone:
            raise ValueError(f"there are two hosts named {host}")
        member = self._members[host] = Member(host, address)
        if self._run is not None and not self._is_leaving:
            self._begin_at(member, self._run)
        return self._script.take()

    def measured(self, host: str, clock: Clock, now_ns: int) -> list[Instruction]:
        """Take what was found of a host's clock."""
        member = self._members[host]
        member.measure(clock, now_ns)
        if self._run is not None:
            self._run.measured(member, now_ns)
        return self._script.take()

    def lose(self, host: str, why: str, hint: str, now_ns: int) -> list[Instruction]:
        """Take it that nothing more will be heard of a host."""
        member = self._members[host]
        if not member.is_gone:
            member.is_gone = True
            self._lose(member, why, hint, now_ns)
        return self._script.take()

    def ended(self, host: str, now_ns: int) -> list[Instruction]:
        """Take it that a host's engine has ended, which it should once all are told to leave."""
        is_missed = self._run is not None and self._run.awaits(host)
        if not self._is_leaving or is_missed:
            return self.lose(host, _ENDED, _ENDED_HINT, now_ns)
        member = self._members[host]
        member.is_gone = True
        member.lost = member.lost or ev.HostLost(at_ns=now_ns, host=host, why=_ENDED)
        return self._script.take()

    def _lose(self, member: Member, why: str, hint: str, now_ns: int) -> None:
        if member.lost is not None:
            return
        member.lost = ev.HostLost(at_ns=now_ns, host=member.name, why=why, hint=hint)
        if self._run is not None and not (self._is_leaving and self._run.is_over):
            self._run.lose(member.lost, now_ns)
            self._next(now_ns)

    def heard(self, host: str, event: ev.Event, now_ns: int) -> list[Instruction]:
        """Take an event of a host, with its moments on the leader's clock."""
        member, run = self._members[host], self._run
        if isinstance(event, ev.RunEnded):
            self._run_ended(member, now_ns)
        elif run is None or member.lost is not None or member.is_behind:
            pass
        elif isinstance(event, ev.RunStarted):
            if member.started is None:
                member.started = event
                run.look_at(member, now_ns)
                self._next(now_ns)
        elif isinstance(event, ev.EngineFailed):
            self._lose(member, event.why, event.hint, now_ns)
        else:
            run.heard(member, event, now_ns)
            self._next(now_ns)
        return self._script.take()

    def _run_ended(self, member: Member, now_ns: int) -> None:
        """Count the ends of a host's runs: each ``Start`` comes to one."""
        is_newest = member.unanswered == 1
        member.unanswered = max(0, member.unanswered - 1)
        if is_newest and not self._is_leaving and self._run is not None and not self._run.is_over:
            self._lose(member, _ENDED, _ENDED_HINT, now_ns)

    def misunderstood(self, host: str, now_ns: int) -> list[Instruction]:
        """Take it that a host sent something which is no event."""
        refuse(self._script, self._members[host], now_ns, "sent lines that are no events")
        return self._script.take()

    # Commands.

    def start(self, asked: Asked) -> list[Instruction]:
        """Begin a run, after those before it."""
        if not self._is_leaving:
            self._asked.append(asked)
            self._next(asked.at_ns)
        return self._script.take()

    def obey(self, command: commands.Command, now_ns: int) -> list[Instruction]:
        """Take any other command; what a led engine alone is sent is let go."""
        run = self._run
        match command:
            case commands.Stop(now=now):
                self._stop(commands.Stop(now=now), now_ns)
            case commands.Quit(now=now):
                self._leave(commands.Quit(now=now), now_ns)
            case _ if run is None:
                pass
            case commands.Rerun(vms=vms) if not self._is_leaving:
                run.rerun(vms, now_ns)
            case commands.GoOn() | commands.Conclude():
                run.answer(command, now_ns)
            case commands.Act():
                run.act(command)
            case commands.ReadConsole():
                run.read_console(command)
        self._next(now_ns)
        return self._script.take()

    def _stop(self, command: commands.Stop | commands.Quit, now_ns: int) -> None:
        self._stopped.update(asked.run for asked in self._asked)
        for member in self._members.values():
            if not member.is_gone:
                self._script.send(member.name, command)
        if self._run is not None:
            self._run.stop(now_ns)

    def _leave(self, command: commands.Quit, now_ns: int) -> None:
        self._is_leaving = True
        self._asked.clear()
        self._stop(command, now_ns)

    def _next(self, now_ns: int) -> None:
        """Begin the run that waits, or leave, once the one before is over."""
        while self._run is None or self._run.is_over:
            if self._run is not None and not self._run.start.interactive and not self._is_leaving:
                self._leave(commands.Quit(), now_ns)
            if not self._asked:
                return
            self._begin(self._asked.popleft(), now_ns)

    def _begin(self, asked: Asked, now_ns: int) -> None:
        self._members = {
            name: member for name, member in self._members.items() if not member.is_gone
        }
        self._run = LedRun(asked, self._members, self._spread, self._script)
        if asked.run in self._stopped:
            self._run.stop(now_ns)
            return
        for member in self._members.values():
            self._begin_at(member, self._run)
        self._run.begin(now_ns)

    def _begin_at(self, member: Member, run: LedRun) -> None:
        member.begin()
        run.expect(member)
        self._script.send(member.name, replace(run.start, led=True))
