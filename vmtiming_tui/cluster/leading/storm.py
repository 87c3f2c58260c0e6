"""One storm on all its hosts: their shares of it, their steps, and what becomes of each VM."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vmtiming_tui.cluster.leading.foreign import VmEvent, is_decision, refuse
from vmtiming_tui.cluster.leading.member import Member
from vmtiming_tui.cluster.leading.script import Script
from vmtiming_tui.cluster.leading.steps import Opened, Steps
from vmtiming_tui.cluster.leading.turns import Admitted, Turns
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.commands import Admit, Boot, Proceed
from vmtiming_tui.model.plan import StormKind
from vmtiming_tui.model.walk import StormOrder, shares_of

_LEAST_AHEAD_NS = 50_000_000
_ROUND_TRIPS_AHEAD = 4
_TELLING_EACH_NS = 2_000_000
"""What telling one host takes whoever leads, one after the other: 1 to 1.4 ms were measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StormFacts:
    """What a storm boots: where each VM is at home, which of its attempts it is, with what."""

    number: int
    order: StormOrder
    homes: Mapping[int, str]
    attempts: Mapping[int, int]
    accel: str
    qemu_version: str


class Storm:
    """Leads the hosts of a storm through it, from their shares to the end of the last.

    ``begun_ns`` is when the run began. The storm itself begins once every host is ready for its
    first boot; one that is stopped before that never does.
    """

    def __init__(
        self, facts: StormFacts, members: Mapping[str, Member], script: Script, begun_ns: int
    ) -> None:
        self.facts = facts
        self.is_begun = False
        self._script = script
        self._begun_ns = begun_ns
        self._vms = _by_host(facts.homes)
        self._members = {host: members[host] for host in self._vms}
        self._steps = Steps(self._vms)
        self._turns = Turns(facts.order.config, len(facts.homes))
        self._undecided, self._present = set(facts.homes), set(facts.homes)
        self._rounds = 1
        self._round_vms: defaultdict[int, set[int]] = defaultdict(set)
        self._early: list[VmEvent] = []
        self._absent: dict[str, str] = {}
        self._is_cancelled = False

    @property
    def is_over(self) -> bool:
        """Whether no host has anything of it left."""
        return not self._steps

    def awaits(self, host: str) -> bool:
        """Whether a host has something of it left."""
        return host in self._steps

    @property
    def homes(self) -> dict[int, str]:
        """The host of each VM that it boots, which are not those of hosts that were left out."""
        return {vm: host for vm, host in self.facts.homes.items() if host in self._vms}

    def boots(self) -> Iterator[tuple[str, Boot]]:
        """Yield each host's share."""
        order = self.facts.order
        for host, vms in self._vms.items():
            yield (
                host,
                Boot(
                    storm=self.facts.number,
                    kind=order.kind,
                    parameters=order.parameters,
                    planned=order.planned,
                    shares=shares_of(order, self.facts.attempts, vms),
                ),
            )

    def cancel(self) -> None:
        """Take it that it is stopped: what has not begun by then never does."""
        self._is_cancelled = not self.is_begun

    # What hosts tell.

    def heard_of_vm(self, member: Member, event: VmEvent, now_ns: int) -> None:
        """Pass on what a host tells of a VM, where the VM is its own and there."""
        vm = event.vm
        if (
            self.facts.homes.get(vm) != member.name
            or self.facts.attempts[vm] != event.attempt
            or self._is_cancelled
        ):
            if not self._is_cancelled:
                refuse(self._script, member, now_ns, "told of VMs that are none of its own")
            return
        if is_decision(event):
            if vm not in self._undecided:
                return
            self._undecided.discard(vm)
            self._turns.leave(member.name, vm)
        elif isinstance(event, ev.VmExited):
            self._present.discard(vm)
        elif not self.is_begun:
            refuse(self._script, member, now_ns, "told of VMs that were not let boot yet")
            return
        if not self.is_begun:
            self._early.append(event)
            return
        self._script.tell(event)
        if is_decision(event):
            self._admit()

    def heard(self, member: Member, event: ev.Event, now_ns: int) -> None:
        """Take what a host tells of its share as a whole."""
        match event:
            case ev.Awaiting():
                self._reach(member, event, event.step, now_ns, waits=True)
            case ev.RoundStarted():
                self._reach(member, event, ev.Step.ROUND, now_ns, waits=False)
            case ev.StormDecided():
                self._reach(member, event, ev.Step.DECIDED, now_ns, waits=False)
            case ev.StormCollected():
                self._reach(member, event, ev.Step.COLLECTED, now_ns, waits=False)
            case ev.TurnWanted():
                self._want(member, event, now_ns)
            case ev.StormEnded() if event.storm == self.facts.number:
                self._leave(member.name, "ended the storm without a word of it", now_ns)

    def _reach(
        self,
        member: Member,
        event: ev.Awaiting | ev.RoundStarted | ev.StormDecided | ev.StormCollected,
        step: ev.Step,
        now_ns: int,
        *,
        waits: bool,
    ) -> None:
        """Put a host where it says it is; it alone can pass a step that it does not wait at."""
        vms = self._vms.get(member.name, ())
        rounds = event.rounds if isinstance(event, (ev.Awaiting, ev.RoundStarted)) else len(vms)
        if event.storm != self.facts.number or not 1 <= event.round <= rounds <= len(vms):
            refuse(self._script, member, now_ns, "told of steps that its storm does not have")
            return
        if isinstance(event, (ev.Awaiting, ev.RoundStarted)):
            self._rounds = max(self._rounds, rounds)
            self._round_vms[event.round].update(set(event.vms) & set(vms))
        if self._steps.reach(member.name, event.round, step, waits=waits):
            if step is not ev.Step.ROUND:  # none of its VMs may have been left to want a turn
                self._turns.give_up(member.name)
                self._admit()
            self._advance(now_ns)
        elif waits:
            refuse(self._script, member, now_ns, "told of steps that it was past already")

    def _want(self, member: Member, event: ev.TurnWanted, now_ns: int) -> None:
        vm = event.vm
        is_own = self.facts.homes.get(vm) == member.name
        if not is_own or self.facts.attempts[vm] != event.attempt:
            refuse(self._script, member, now_ns, "wanted turns for VMs that are none of its own")
        elif vm not in self._undecided:
            pass
        elif event.turn is ev.Turn.BOOT:
            self._turns.want(member.name, vm)
            self._admit()
        else:
            soonest_ns = now_ns + member.round_trip_ns
            self._send_turn(self._turns.let_go(member.name, vm, soonest_ns))

    def _admit(self) -> None:
        for admitted in self._turns.admit():
            self._send_turn(admitted)

    def _send_turn(self, its: Admitted) -> None:
        member = self._members[its.host]
        self._script.send(
            its.host,
            Admit(
                vm=its.vm,
                attempt=self.facts.attempts[its.vm],
                turn=its.turn,
                at_ns=None if its.at_ns is None else member.by_its_clock(its.at_ns),
            ),
        )

    # Who is there no more.

    def lose(self, lost: ev.HostLost, now_ns: int) -> None:
        """Go on without a host; its VMs fail."""
        seconds = (lost.at_ns - self._begun_ns) / 1e9
        self._leave(lost.host, f"was lost at {seconds:.1f} s: {lost.why}", now_ns)

    def _leave(self, host: str, why: str, now_ns: int) -> None:
        if not self._steps.leave(host):
            return
        self._turns.give_up(host)
        if self.is_begun:
            self._give_up(host, why, now_ns)
        elif self.facts.order.kind is not StormKind.DETAIL or self._members[host].lost:
            self._absent[host] = why
        else:
            self._withdraw(host)
        self._advance(now_ns)

    def _withdraw(self, host: str) -> None:
        """Leave out the VMs of a host that cannot begin a storm which counts in nothing."""
        self._undecided.difference_update(self._vms[host])
        self._present.difference_update(self._vms.pop(host))

    def _give_up(self, host: str, why: str, now_ns: int) -> None:
        """Decide what a host left undecided."""
        for vm in self._vms[host]:
            attempt = self.facts.attempts[vm]
            if vm in self._undecided:
                self._undecided.discard(vm)
                self._turns.leave(host, vm)
                words = f"host {host} {why}"
                self._script.tell(ev.VmFailed(at_ns=now_ns, vm=vm, attempt=attempt, why=words))
            if vm in self._present:
                self._present.discard(vm)
                self._script.tell(ev.VmExited(at_ns=now_ns, vm=vm, attempt=attempt))
        self._admit()

    # Its course.

    def _advance(self, now_ns: int) -> None:
        """Take the steps that nobody holds up any more, and end where nobody is left."""
        if self._is_cancelled:
            return
        if self.is_over and self._absent and not self.is_begun:
            self._begin(now_ns)
        for opened in self._steps.open():
            self._take(opened, now_ns)
        if self.is_over and self.is_begun:
            self._script.tell(ev.StormEnded(at_ns=now_ns, storm=self.facts.number))

    def _take(self, opened: Opened, now_ns: int) -> None:
        told = {"at_ns": now_ns, "storm": self.facts.number, "round": opened.round}
        go_ns = None
        match opened.step:
            case ev.Step.ROUND:
                if not self.is_begun:
                    self._begin(now_ns)
                vms = tuple(vm for vm in self.facts.homes if vm in self._round_vms[opened.round])
                self._script.tell(ev.RoundStarted(rounds=self._rounds, vms=vms, **told))
                for host in opened.waiting:
                    self._turns.expect(host)
            case ev.Step.GO:
                go_ns = now_ns + self._ahead_ns(opened.waiting)
            case ev.Step.DECIDED:
                self._script.tell(ev.StormDecided(**told))
            case ev.Step.COLLECTED:
                self._script.tell(ev.StormCollected(**told))
        for host in opened.waiting:
            at_ns = None if go_ns is None else self._members[host].by_its_clock(go_ns)
            self._script.send(
                host,
                Proceed(storm=self.facts.number, round=opened.round, step=opened.step, at_ns=at_ns),
            )

    def _ahead_ns(self, hosts: tuple[str, ...]) -> int:
        """Return how far ahead a moment must be that all of these are to hear of in time."""
        longest_ns = max((self._members[host].round_trip_ns for host in hosts), default=0)
        heard_ns = max(_LEAST_AHEAD_NS, _ROUND_TRIPS_AHEAD * longest_ns)
        return heard_ns + _TELLING_EACH_NS * len(hosts)

    def _begin(self, now_ns: int) -> None:
        self.is_begun = True
        facts, order, vms = self.facts, self.facts.order, self.homes
        self._script.tell(
            ev.StormStarted(
                at_ns=now_ns,
                storm=facts.number,
                kind=order.kind,
                vms=tuple(vms),
                parameters=order.parameters,
                planned=order.planned,
                accel=facts.accel,
                qemu_version=facts.qemu_version,
            )
        )
        for vm, host in vms.items():
            self._script.tell(
                ev.VmQueued(
                    at_ns=now_ns,
                    vm=vm,
                    attempt=facts.attempts[vm],
                    storm=facts.number,
                    host=host,
                )
            )
        for event in self._early:
            self._script.tell(event)
        for host, why in self._absent.items():
            self._give_up(host, why, now_ns)


def _by_host(homes: Mapping[int, str]) -> dict[str, tuple[int, ...]]:
    vms: defaultdict[str, list[int]] = defaultdict(list)
    for vm, host in homes.items():
        vms[host].append(vm)
    return {host: tuple(its) for host, its in vms.items()}
