"""Runs of guests that wait for the host's word: those of ``recording``, retold.

What that tells of each boot stays; what comes after its report is told in the phases of its storm.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from support.facts import MS, SECOND
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.config import AfterReport, End
from vmtiming_tui.model.plan import RunPlan

_DECIDES = (ev.VmBooted, ev.VmFailed, ev.VmTimedOut, ev.VmKilled)
_OF_A_STORM = (ev.StormStarted, ev.RoundStarted, ev.StormEnded, ev.VmQueued)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What comes after the boots: ``at_once`` guests gather, each for ``gathers_s``.

    Then all shut down, which takes ``shuts_down_s`` each, and a little more from VM to VM. The
    storm goes in ``rounds``. ``silent`` VMs tell nothing.
    """

    rounds: int = 1
    at_once: int = 4
    gathers_s: float = 0.35
    shuts_down_s: float = 1.2
    exits_s: float = 0.05
    after_report: AfterReport = AfterReport.FREEZE
    end: End = End.POWEROFF
    silent: frozenset[int] = frozenset()


def phased(events: Iterable[ev.Event], after: Aftermath = Aftermath()) -> list[ev.Event]:
    """Return a stream's run as one in phases; what came after a storm comes as much later."""
    told: list[ev.Event] = []
    storm: list[ev.Event] = []
    later_ns = 0
    for event in events:
        moved = _later(event, later_ns)
        if isinstance(event, ev.StormEnded):
            retold = list(_Retold([*storm, moved], after).events())
            later_ns += retold[-1].at_ns - moved.at_ns
            told += retold
            storm = []
        elif storm or isinstance(event, ev.StormStarted):
            storm.append(moved)
        elif isinstance(event, ev.RunStarted):
            told.append(replace(event, plan=_planned(event.plan, after)))
        else:
            told.append(moved)
    return sorted(told, key=lambda event: event.at_ns)


def _planned(plan: RunPlan | None, after: Aftermath) -> RunPlan | None:
    """Return the plan that asks for this."""
    if plan is None:
        return None
    asked = {"after_report": after.after_report, "end": after.end}
    variants = [replace(each, config=replace(each.config, **asked)) for each in plan.variants]
    return replace(plan, variants=tuple(variants))


def _later(event: ev.Event, by_ns: int) -> ev.Event:
    """Return an event with all its stamps moved."""
    stamps = ("at_ns", "go_ns", "qemu_ns", "report_ns", "spawn_ns")
    known = {name: getattr(event, name, None) for name in stamps}
    moved = {name: ns + by_ns for name, ns in known.items() if ns is not None}
    return replace(event, **moved)


def _who(event: ev.Event) -> dict[str, int]:
    return {"vm": event.vm, "attempt": event.attempt}


def _qmp(at_ns: int, who: dict[str, int], name: str, **data: object) -> ev.QmpSeen:
    return ev.QmpSeen(at_ns=at_ns, name=name, data=data, qemu_ns=at_ns, **who)


class _Retold:
    """One storm."""

    def __init__(self, events: Sequence[ev.Event], after: Aftermath) -> None:
        self._after = after
        self._opening = [e for e in events if isinstance(e, (ev.StormStarted, ev.VmQueued))]
        self._storm = events[0].storm
        self._vms = events[0].vms
        self._rounds = min(after.rounds, len(self._vms))
        self._others = [
            e for e in events if not (hasattr(e, "attempt") or isinstance(e, _OF_A_STORM))
        ]
        self._lives = {
            vm: [
                e for e in events if getattr(e, "vm", None) == vm and not isinstance(e, _OF_A_STORM)
            ]
            for vm in self._vms
        }

    def events(self) -> Iterator[ev.Event]:
        """Yield what is told of it, its end last."""
        yield from self._opening
        yield from self._others
        begins_ns = zero_ns = self._opening[0].at_ns
        per_round = -(-len(self._vms) // self._rounds)
        for place in range(self._rounds):
            vms = self._vms[place * per_round : (place + 1) * per_round]
            told = list(self._round(place + 1, vms, begins_ns, begins_ns - zero_ns))
            yield from told
            begins_ns = max(event.at_ns for event in told) + 1
        yield ev.StormEnded(at_ns=begins_ns, storm=self._storm)

    def _round(
        self, number: int, vms: Sequence[int], at_ns: int, later_ns: int
    ) -> Iterator[ev.Event]:
        which = {"storm": self._storm, "round": number}
        yield ev.RoundStarted(at_ns=at_ns, rounds=self._rounds, vms=tuple(vms), **which)
        lives = {vm: [_later(event, later_ns) for event in self._lives[vm]] for vm in vms}
        decided_ns = at_ns
        booted: list[ev.VmBooted] = []
        for life in lives.values():
            report = next((e for e in life if isinstance(e, ev.VmBooted)), None)
            decided_ns = max([decided_ns, *(e.at_ns for e in life if isinstance(e, _DECIDES))])
            if report is None:
                yield from life
                continue
            booted.append(report)
            yield from (e for e in life if e.at_ns <= report.at_ns and e is not report)
            yield replace(report, text="")
            if self._after.after_report is AfterReport.FREEZE:
                yield ev.VmFrozen(at_ns=report.at_ns + 2 * MS, **_who(report))
                yield _qmp(report.at_ns + 2 * MS, _who(report), "STOP")
        yield ev.StormDecided(at_ns=decided_ns + MS, **which)
        collected_ns = at_ns = decided_ns + 2 * MS
        for place, report in enumerate(booted):
            turn = place // self._after.at_once
            starts_ns = at_ns + round(turn * self._after.gathers_s * SECOND)
            told = list(self._telling(report, lives[report.vm], starts_ns))
            yield from told
            collected_ns = max(collected_ns, told[-1].at_ns)
        yield ev.StormCollected(at_ns=collected_ns + MS, **which)
        for place, report in enumerate(booted):
            yield from self._ending(report, collected_ns + 2 * MS, place * 30 * MS)

    def _telling(
        self, report: ev.VmBooted, life: Sequence[ev.Event], at_ns: int
    ) -> Iterator[ev.Event]:
        who, ends_ns = _who(report), at_ns + round(self._after.gathers_s * SECOND)
        yield ev.VmReleased(at_ns=at_ns, **who)
        yield _qmp(at_ns, who, "RESUME")
        if report.vm in self._after.silent:
            return
        yield ev.ReportText(at_ns=at_ns + 20 * MS, text=report.text, **who)
        for event in life:
            if isinstance(event, ev.VmDetails):
                gathering_us = round(self._after.gathers_s * 0.8e6)
                yield replace(event, at_ns=ends_ns, gathering_us=gathering_us)
            elif isinstance(event, (ev.VmUnits, ev.VmConsole)):
                yield replace(event, at_ns=ends_ns)

    def _ending(self, report: ev.VmBooted, at_ns: int, more_ns: int) -> Iterator[ev.Event]:
        who, how = _who(report), self._after.end
        yield ev.VmEnding(at_ns=at_ns, how=how, **who)
        is_asked = how is End.POWEROFF
        shuts_ns = at_ns + (round(self._after.shuts_down_s * SECOND) + more_ns if is_asked else 0)
        reason = "guest-shutdown" if is_asked else "host-qmp-quit"
        exits_ns = shuts_ns + round(self._after.exits_s * SECOND)
        yield _qmp(shuts_ns, who, "SHUTDOWN", guest=is_asked, reason=reason)
        yield ev.VmExited(at_ns=exits_ns, exit_code=0, reason=reason, shutdown_ns=shuts_ns, **who)
