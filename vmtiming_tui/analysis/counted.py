"""Which boots count: the one definition that exit code, figures, exports and comparison share.

The boots of the plan's storms count, each in its own storm. Warm-ups do not. A rerun is an attempt
beside the storm it followed: it is shown and exported, and it is in no figure. It is heard in one
place only: a VM that was lost in its storm and booted when it was run again is made good for the
exit code, and every front end says so.
"""

from collections.abc import Collection
from dataclasses import dataclass

from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import StormKind


def kind_of(fleet: Fleet, attempt: Attempt) -> StormKind:
    """Return why an attempt was booted; one of an unannounced storm counts as a plain one."""
    storm = fleet.storms.get(attempt.storm)
    return storm.kind if storm is not None else StormKind.RUN


def counts(fleet: Fleet, attempt: Attempt) -> bool:
    """Return whether figures and exit code rest on an attempt."""
    return kind_of(fleet, attempt) is StormKind.RUN


def counted_by_storm(
    fleet: Fleet, scope: Collection[int] | None = None
) -> dict[int, list[Attempt]]:
    """Return the attempts that count by their storm, both in order; only VMs of ``scope``."""
    storms: dict[int, list[Attempt]] = {}
    beside = {number for number, storm in fleet.storms.items() if storm.kind is not StormKind.RUN}
    for vm in sorted(fleet.vms):
        if scope is None or vm in scope:
            for attempt in fleet.vms[vm].attempts:
                if attempt.storm not in beside:
                    storms.setdefault(attempt.storm, []).append(attempt)
    return {number: storms[number] for number in sorted(storms)}


def counted_attempts(fleet: Fleet, scope: Collection[int] | None = None) -> list[Attempt]:
    """Return the attempts that count, storm after storm; only VMs of ``scope`` if given."""
    return [attempt for storm in counted_by_storm(fleet, scope).values() for attempt in storm]


@dataclass(frozen=True, slots=True)
class MadeGood:
    """A boot that was lost in its storm, and the rerun of that VM that booted."""

    lost: Attempt
    rerun: Attempt


def made_good(fleet: Fleet) -> list[MadeGood]:
    """Return the lost boots that a rerun made good, by VM.

    A rerun makes good what it followed: a VM lost in one storm and booted in the next was lost.
    """
    found = []
    for vm in sorted(fleet.vms):
        lost: Attempt | None = None
        for attempt in fleet.vms[vm].attempts:
            match kind_of(fleet, attempt):
                case StormKind.RUN:
                    lost = attempt if attempt.state.is_lost else None
                case StormKind.RERUN if lost is not None and attempt.state.is_booted:
                    found.append(MadeGood(lost, attempt))
                    lost = None
    return found


def reruns(fleet: Fleet, scope: Collection[int] | None = None) -> list[Attempt]:
    """Return the attempts of reruns, by VM; only of ``scope`` if given."""
    return [
        attempt
        for vm in sorted(fleet.vms)
        if scope is None or vm in scope
        for attempt in fleet.vms[vm].attempts
        if kind_of(fleet, attempt) is StormKind.RERUN
    ]


def deciding_by_storm(fleet: Fleet) -> dict[int, list[Attempt]]:
    """Return the boots the exit code rests on, by storm: those that count, or what made one good.

    A rerun stands in the storm of the boot that it made good.
    """
    instead = {id(each.lost): each.rerun for each in made_good(fleet)}
    return {
        number: [instead.get(id(attempt), attempt) for attempt in attempts]
        for number, attempts in counted_by_storm(fleet).items()
    }
