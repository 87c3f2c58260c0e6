"""What hosts tell is foreign: what of it passes, and what is said where something does not."""

from dataclasses import replace
from typing import TypeAlias, TypeGuard

from vmtiming_tui.cluster.leading.member import Member
from vmtiming_tui.cluster.leading.script import Script
from vmtiming_tui.model import events as ev

Decision: TypeAlias = ev.VmBooted | ev.VmFailed | ev.VmTimedOut | ev.VmKilled
VmEvent: TypeAlias = (
    Decision
    | ev.VmLaunched
    | ev.ReportConnected
    | ev.VmConnected
    | ev.VmStarted
    | ev.StageSeen
    | ev.ConsoleLine
    | ev.ReportText
    | ev.VmFrozen
    | ev.VmReleased
    | ev.VmEnding
    | ev.VmDetails
    | ev.VmUnits
    | ev.UnitOrder
    | ev.VmKernel
    | ev.ReportRejected
    | ev.QmpSeen
    | ev.QmpLeftOut
    | ev.VmUsage
    | ev.VmConsole
    | ev.VmExited
)
HostWord: TypeAlias = ev.HostSample | ev.Notice | ev.FilesSeen

_VM_EVENTS = frozenset(VmEvent.__args__)
_DECISIONS = frozenset(Decision.__args__)
_MOST_EARLY = 100


def is_of_vm(event: ev.Event) -> TypeGuard[VmEvent]:
    """Return whether an event is of one VM, and passes as it is."""
    return type(event) in _VM_EVENTS


def is_decision(event: VmEvent) -> TypeGuard[Decision]:
    """Return whether it is known after an event if its VM boots."""
    return type(event) in _DECISIONS


def is_own_word(event: ev.Event) -> TypeGuard[HostWord]:
    """Return whether an event is of a host itself, and passes with the host's name on it."""
    return isinstance(event, HostWord)


def named(event: HostWord, host: str) -> HostWord:
    """Return what a host tells of itself, with its name."""
    return replace(event, host=host)


def keep_early(member: Member, event: HostWord) -> None:
    """Keep a host's word till the run has begun; no more of them than an honest one has."""
    if len(member.early) < _MOST_EARLY:
        member.early.append(named(event, member.name))


def refuse(script: Script, member: Member, now_ns: int, what: str) -> None:
    """Say, once a run, that something a host told was left out."""
    if what not in member.said:
        member.said.add(what)
        script.tell(
            ev.Notice(
                at_ns=now_ns,
                level=ev.Level.WARNING,
                text=f"host {member.name} {what}; that was left out",
            )
        )
