"""Which of its plan's storms a run is at, in words; pure."""

from vmtiming_tui.escape import plural
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import RunPlan, StormKind
from vmtiming_tui.model.storm import Storm

_NAMES = {StormKind.WARMUP: "warm-up", StormKind.RUN: "storm"}


def storm_words(fleet: Fleet, plan: RunPlan, at_most: str = "") -> str:
    """Return the newest storm's place among those of its kind, its settings and its round.

    Warm-ups and storms that count are counted apart. ``at_most`` stands before how many of the
    latter there are, where there may be fewer. Empty for a run of one storm, and after one beside
    the plan.
    """
    storm = fleet.storm
    if storm is None or (storm.kind.is_beside and storm.ended_ns is not None):
        return ""
    words = [_which(storm, fleet, plan, at_most)]
    if storm.rounds > 1 and storm.ended_ns is None:
        words.append(f"round {storm.round} of {storm.rounds}")
    return "  ".join(word for word in words if word)


def _which(storm: Storm, fleet: Fleet, plan: RunPlan, at_most: str) -> str:
    if storm.kind is StormKind.RERUN:
        return f"rerun of {plural(len(storm.vms), 'VM')}"
    if storm.kind is StormKind.DETAIL:
        return "kernel details, not counted"
    planned = _planned(storm, fleet, plan)
    if sum(planned.values()) <= 1:
        return ""
    number = sum(
        each.kind is storm.kind and each.number <= storm.number for each in fleet.storms.values()
    )
    most = at_most if storm.kind is StormKind.RUN else ""
    varied = " ".join(f"{name}={value}" for name, value in storm.parameters.items())
    words = f"{_NAMES[storm.kind]} {number} of {most}{max(planned[storm.kind], number)}"
    return f"{words}  {varied}" if varied else words


def _planned(storm: Storm, fleet: Fleet, plan: RunPlan) -> dict[StormKind, int]:
    """Return how many storms there are of each kind.

    A stream without its plan tells the sum alone: then all that were no warm-up are taken to count.
    """
    settings = len(plan.variants)
    if fleet.plan is not None or storm.planned <= 1:
        return {StormKind.WARMUP: plan.warmup * settings, StormKind.RUN: plan.runs * settings}
    warmups = sum(each.kind is StormKind.WARMUP for each in fleet.storms.values())
    return {StormKind.WARMUP: warmups, StormKind.RUN: storm.planned - warmups}
