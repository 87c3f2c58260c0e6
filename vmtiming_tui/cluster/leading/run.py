"""A run on several hosts, from its plan to its last VM, as one stream."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from vmtiming_tui import __version__
from vmtiming_tui.cluster.leading.foreign import (
    VmEvent,
    is_of_vm,
    is_own_word,
    keep_early,
    named,
    refuse,
)
from vmtiming_tui.cluster.leading.member import Member
from vmtiming_tui.cluster.leading.script import Script
from vmtiming_tui.cluster.leading.storm import Storm, StormFacts
from vmtiming_tui.cluster.placing import placed, weight
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.cluster import Spread
from vmtiming_tui.model.commands import Act, Conclude, GoOn, ReadConsole, Start
from vmtiming_tui.model.config import Accel, RunConfig
from vmtiming_tui.model.fleet import all_of
from vmtiming_tui.model.hosts import Hosts
from vmtiming_tui.model.plan import StormKind
from vmtiming_tui.model.walk import StormOrder, Walk


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A run that was asked for: what, when (monotonic, and ns since 1970), and under which name."""

    start: Start
    run: str
    at_ns: int
    wall_ns: int


class LedRun:
    """Walks a plan with all the hosts that take part, then boots again what it is asked to.

    It begins once every host has answered, and is over with each ``RunEnded``.
    """

    def __init__(
        self, asked: Asked, members: Mapping[str, Member], spread: Spread, script: Script
    ) -> None:
        self.is_begun = self.is_over = False
        self._asked = asked
        self._members = members
        self._spread = spread
        self._script = script
        self._walk = Walk(asked.start.plan)
        self._awaited: set[str] = set()
        self._begun_ns = asked.at_ns
        self._founders: dict[str, int] = {}
        self._weights: dict[str, int] = {}
        self._homes: dict[int, str] = {}
        self._storm: Storm | None = None
        self._look: int | None = None
        self._outcome = ev.Outcome.FINISHED
        self._has_order = False

    @property
    def start(self) -> Start:
        """What was asked for."""
        return self._asked.start

    @property
    def _ready(self) -> dict[str, Member]:
        return {name: member for name, member in self._members.items() if member.is_ready}

    # From its begin to its end.

    def expect(self, member: Member) -> None:
        """Wait for a host before the run begins, or take it in once it is ready."""
        self._awaited.add(member.name)

    def look_at(self, member: Member, now_ns: int) -> None:
        """See whether a host is ready, or lost, by now; with the last of them the run begins."""
        if member.name not in self._awaited or member.is_awaited:
            return
        self._awaited.discard(member.name)
        if self.is_begun:
            self._welcome(member, now_ns)
        else:
            self.begin(now_ns)

    def begin(self, now_ns: int) -> None:
        """Begin, where nobody is waited for."""
        if not (self.is_over or self._awaited):
            self._begin(now_ns)

    def _begin(self, now_ns: int) -> None:
        if not self._ready:
            self._fail(now_ns)
            return
        self.is_begun = True
        joined = [member.joined(now_ns) for member in self._members.values()]
        answered = [each for each in joined if self._members[each.host].is_ready]
        run = begun(self._asked, answered)
        self._begun_ns = run.at_ns
        self._script.tell(run)
        for event in joined:
            self._script.tell(event)
        for member in self._members.values():
            self._take_in(member, now_ns)
        self._founders = dict(self._weights)
        self._next(now_ns)

    def _take_in(self, member: Member, now_ns: int) -> None:
        """Tell a host's clock, and what it said before it had joined; or that it was lost."""
        if member.lost is not None:
            self._script.tell(member.lost)
            return
        member.settle_clock()
        self._script.tell(member.measured(now_ns))
        for event in member.early:
            self._script.tell(event)
        member.early.clear()
        if member.started is not None:
            self._weights[member.name] = weight(member.started.host, self._spread)

    def _welcome(self, member: Member, now_ns: int) -> None:
        if member.lost is not None:
            text = f"host {member.name} could not join: {member.lost.why}"
            self._notice(ev.Level.WARNING, text, now_ns)
            return
        self._script.tell(member.joined(now_ns))
        self._take_in(member, now_ns)
        text = f"host {member.name} has joined: it boots what lost hosts were to, and from the "
        self._notice(ev.Level.INFO, f"{text}next run on its share", now_ns)

    def _notice(self, level: ev.Level, text: str, now_ns: int) -> None:
        self._script.tell(ev.Notice(at_ns=now_ns, level=level, text=text))

    def _next(self, now_ns: int) -> None:
        """Go on with the next storm, or end."""
        order = self._walk.next()
        if order is None:
            self._end(self._outcome, now_ns)
        elif self._ready:
            self._boot(order, now_ns)
        else:
            self._fail(now_ns)

    def _end(self, outcome: ev.Outcome, now_ns: int) -> None:
        self.is_over = True
        self._script.tell(ev.RunEnded(at_ns=now_ns, outcome=outcome))

    def _fail(self, now_ns: int) -> None:
        """Say that no host is left, and end what is under way."""
        lost = [member.lost for member in self._members.values() if member.lost is not None]
        hosts: dict[str, list[str]] = {}
        for each in lost:
            hosts.setdefault(each.why, []).append(each.host)
        words = [f"{', '.join(its)}: {why}" for why, its in hosts.items()]
        why = "; ".join(["no host is left", *words])
        hint = next((each.hint for each in lost if each.hint), "")
        self._script.tell(ev.EngineFailed(at_ns=now_ns, why=why, hint=hint))
        self._walk.stop()
        if not self.is_over:
            self._end(ev.Outcome.INTERRUPTED, now_ns)

    # Its storms.

    def _boot(self, order: StormOrder, now_ns: int) -> None:
        for member in self._ready.values():
            if member.settle_clock():
                self._script.tell(member.measured(now_ns))
        homes = self._placed(order)
        accel, version = self._boots_with(order.config, {*homes.values()})
        facts = StormFacts(
            number=self._walk.storm,
            order=order,
            homes=homes,
            attempts=self._walk.next_attempts(order),
            accel=accel,
            qemu_version=version,
        )
        self._storm = Storm(facts, self._members, self._script, self._begun_ns)
        for host, boot in self._storm.boots():
            self._script.send(host, boot)

    def _boots_with(self, config: RunConfig, hosts: Collection[str]) -> tuple[str, str]:
        """Return accelerators and QEMUs of a storm, as far as hosts told them: of the first."""
        runs = [member.started for member in self._ready.values() if member.name in hosts]
        told = [run for run in runs if run is not None]
        accel = all_of(run.accel for run in told) if config.accel is Accel.AUTO else config.accel
        is_first = config.qemu == self._asked.start.plan.config.qemu
        return accel, all_of(run.qemu_version for run in told) if is_first else ""

    def _placed(self, order: StormOrder) -> dict[int, str]:
        """Return the host of each VM: its own, or another where that is lost."""
        vms = tuple(order.configs)
        homes = self._homes if order.kind is StormKind.RERUN else placed(vms, self._founders)
        ready = {name: self._weights[name] for name in self._ready}
        orphans = [vm for vm in vms if homes[vm] not in ready]
        return {vm: homes[vm] for vm in vms} | placed(orphans, ready)

    def _follow(self, now_ns: int) -> None:
        """Keep what a storm boots once it has begun, and go on once it is over."""
        storm = self._storm
        if storm is None:
            return
        if storm.is_begun and storm.facts.number == self._walk.storm:
            self._homes.update(storm.homes)
            self._walk.begun(storm.facts.order, storm.homes)
        if storm.is_over:
            self._storm = None
            self._go_on(storm.facts.order.look, now_ns)

    def _go_on(self, look: int | None, now_ns: int) -> None:
        if not self._ready:
            self._fail(now_ns)
        elif look is not None and self._outcome is ev.Outcome.FINISHED:
            self._look = look
            self._script.tell(ev.LookDue(at_ns=now_ns, storms=look))
        else:
            self._next(now_ns)

    # What hosts tell.

    def heard(self, member: Member, event: ev.Event, now_ns: int) -> None:
        """Take what a host tells, on the leader's clock, and pass on what is to be passed on."""
        if member.name not in self._weights:
            if is_own_word(event):
                keep_early(member, event)
        elif not (is_of_vm(event) or is_own_word(event)):
            if self._storm is not None:
                self._storm.heard(member, event, now_ns)
                self._follow(now_ns)
        elif not member.is_plausible(event, self._asked.at_ns, now_ns):
            refuse(self._script, member, now_ns, "told of moments that cannot be")
        elif is_of_vm(event):
            self._heard_of_vm(member, event, now_ns)
        elif is_own_word(event):
            self._script.tell(named(event, member.name))

    def _heard_of_vm(self, member: Member, event: VmEvent, now_ns: int) -> None:
        if self._storm is not None and not isinstance(event, ev.VmConsole):
            if isinstance(event, ev.UnitOrder):
                if self._has_order:
                    return  # one guest's will do for a run
                self._has_order = True
            self._storm.heard_of_vm(member, event, now_ns)
        elif not self._is_of(event.vm, event.attempt, member):
            refuse(self._script, member, now_ns, "told of VMs that are none of its own")
        elif isinstance(event, ev.VmConsole):
            self._script.tell(event)

    def _is_of(self, vm: int, attempt: int, member: Member) -> bool:
        """Return whether it is a VM's newest attempt, and a host's."""
        return self._homes.get(vm) == member.name and self._walk.attempt(vm) == attempt

    def measured(self, member: Member, now_ns: int) -> None:
        """Tell what was found of a host's clock, where it takes part."""
        if member.name in self._weights:
            self._script.tell(member.measured(now_ns))
        else:
            self.look_at(member, now_ns)

    def awaits(self, host: str) -> bool:
        """Whether a host has a part in what is under way."""
        return self._storm is not None and self._storm.awaits(host)

    def lose(self, lost: ev.HostLost, now_ns: int) -> None:
        """Go on without a host, or fail where it was the last."""
        if lost.host not in self._weights:
            self.look_at(self._members[lost.host], now_ns)
            return
        del self._weights[lost.host]  # it may join again by this name
        self._script.tell(lost)
        if self._storm is not None:
            self._storm.lose(lost, now_ns)
            self._follow(now_ns)
        elif not self._ready:
            self._fail(now_ns)

    # What is asked for meanwhile.

    def stop(self, now_ns: int) -> None:
        """Boot nothing more of what was asked for so far; hosts are told by others."""
        self._walk.stop()
        self._outcome = ev.Outcome.STOPPED
        if self._storm is not None:
            self._storm.cancel()
        elif not self.is_over:
            self._look = None
            self._end(ev.Outcome.STOPPED, now_ns)

    def rerun(self, vms: Sequence[int], now_ns: int) -> None:
        """Boot VMs again, as soon as what is under way is over."""
        self._walk.rerun(vms)
        if self.is_over and self._walk.has_more:
            self.is_over = False
            self._outcome = ev.Outcome.FINISHED
            self._next(now_ns)

    def answer(self, answer: GoOn | Conclude, now_ns: int) -> None:
        """Take the answer to the look that is due, if one is."""
        if self._look is None:
            return
        storms, self._look = self._look, None
        if isinstance(answer, Conclude):
            self._script.tell(ev.Concluded(at_ns=now_ns, storms=storms, decisions=answer.decisions))
            self._walk.conclude()
        self._next(now_ns)

    def act(self, command: Act) -> None:
        """Hand an action on to the hosts that have the VMs."""
        by_host: dict[str, list[int]] = {}
        for vm in dict.fromkeys(command.vms):
            if vm in self._homes:
                by_host.setdefault(self._homes[vm], []).append(vm)
        for host in by_host.keys() & self._ready.keys():
            self._script.send(host, replace(command, vms=tuple(by_host[host])))

    def read_console(self, command: ReadConsole) -> None:
        """Hand the question for a console on to the host that has the VM."""
        host = self._homes.get(command.vm)
        if host in self._ready:
            self._script.send(host, command)


def begun(asked: Asked, joined: Sequence[ev.HostJoined]) -> ev.RunStarted:
    """Return the begin of a run, at the moment its hosts joined: what is true of all of them."""
    hosts = Hosts()
    for event in joined:
        hosts.take(event)
    at_ns = joined[0].at_ns
    return ev.RunStarted(
        at_ns=at_ns,
        run=asked.run,
        wall_ns=asked.wall_ns + at_ns - asked.at_ns,
        number=asked.start.plan.number,
        plan=asked.start.plan,
        host=hosts.facts,
        accel=all_of(event.accel for event in joined),
        accel_reason="; ".join(dict.fromkeys(event.accel_reason for event in joined)),
        qemu_version=all_of(event.qemu_version for event in joined),
        tool_version=__version__,
    )
