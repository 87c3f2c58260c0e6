"""All that is to be heeded of a run: what went wrong, what was warned of, and what was noticed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from vmtiming_tui.analysis.comparison.samples import Side
from vmtiming_tui.analysis.counted import counted_attempts
from vmtiming_tui.analysis.failures import alike
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.events import Level
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.tui.state.outcome import doubts_of, held_against


class Topic(StrEnum):
    """What a saying is about, as a heading says it, in the order they stand."""

    RUN = "The run"
    LOST = "Boots that were lost"
    GUESTS = "What guests sent"
    FIGURES = "Before the figures are believed"
    NOTICES = "Notices"


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """One sentence, said once for all that it holds for: ``count`` times, of these ``vms``.

    It is from ``first_ns`` to ``last_ns`` on the engine's clock; what is of the whole run has no
    time. ``varies`` where others of its kind differ from it in figures: it is what ``newest_vm``
    said. ``state`` is how the boots ended, where they did. ``hint`` is what to do.
    """

    topic: Topic
    text: str
    level: Level
    hint: str = ""
    vms: tuple[int, ...] = ()
    count: int = 1
    first_ns: int | None = None
    last_ns: int | None = None
    varies: bool = False
    newest_vm: int | None = None
    state: VmState | None = None


@dataclass(frozen=True, slots=True)
class _Said:
    """A sentence as it was said, of one VM or of none."""

    topic: Topic
    at_ns: int
    text: str
    level: Level = Level.WARNING
    vm: int | None = None
    hint: str = ""
    state: VmState | None = None


def sayings_of(fleet: Fleet, baseline: Side | None) -> tuple[Saying, ...]:
    """Return all there is to heed, by topic; newest first within one, doubts the worst first."""
    told = _together(_said(fleet))
    known = {each.text for each in told}
    doubts = [
        Saying(topic=Topic.FIGURES, text=text, level=Level.WARNING)
        for text in _doubts(fleet, baseline)
        if text not in known
    ]
    ordered = sorted(told, key=lambda each: -(each.last_ns or 0))
    return tuple(each for topic in Topic for each in (*ordered, *doubts) if each.topic is topic)


def _doubts(fleet: Fleet, baseline: Side | None) -> tuple[str, ...]:
    if not counted_attempts(fleet):
        return ()
    return doubts_of(fleet, held_against(baseline, fleet))


def _said(fleet: Fleet) -> Iterator[_Said]:
    if (failure := fleet.failure) is not None:
        yield _Said(Topic.RUN, failure.at_ns, failure.why, Level.ERROR, hint=failure.hint)
    for lost in (lost for host in fleet.hosts.values() for lost in host.losses):
        yield _Said(Topic.RUN, lost.at_ns, lost.text, Level.ERROR, hint=lost.hint)
    for notice in fleet.notices:
        topic = Topic.NOTICES if notice.level is Level.INFO else Topic.RUN
        yield _Said(topic, notice.at_ns, notice.text, notice.level)
    for attempt in fleet.attempts:
        vm = attempt.vm
        if attempt.state.is_lost:
            state, at_ns = attempt.state, attempt.decided_ns or 0
            why = f"{state}: {attempt.why}" if attempt.why else str(state)
            yield _Said(Topic.LOST, at_ns, why, Level.ERROR, vm, attempt.hint, state)
        elif attempt.panicked:
            yield _Said(Topic.GUESTS, attempt.queued_ns, "the guest's kernel panicked", vm=vm)
        for rejected in attempt.rejected:
            yield _Said(Topic.GUESTS, rejected.at_ns, rejected.why, vm=vm)


def _together(said: Iterable[_Said]) -> list[Saying]:
    """Return what was said, each sentence once, in the words it was last said in."""
    found: dict[tuple[object, ...], list[_Said]] = {}
    for each in said:
        key = each.topic, each.level, each.vm is None, alike(each.text), alike(each.hint)
        found.setdefault(key, []).append(each)
    return [_saying(alike_ones) for alike_ones in found.values()]


def _saying(said: list[_Said]) -> Saying:
    last = max(said, key=lambda each: each.at_ns)
    return Saying(
        topic=last.topic,
        text=last.text,
        level=last.level,
        hint=last.hint,
        vms=tuple(sorted({each.vm for each in said if each.vm is not None})),
        count=len(said),
        first_ns=min(each.at_ns for each in said),
        last_ns=last.at_ns,
        varies=len({each.text for each in said}) > 1,
        newest_vm=last.vm,
        state=last.state,
    )
