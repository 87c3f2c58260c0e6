"""Why boots did not succeed, each reason once: how many VMs it held up, and which."""

from collections.abc import Iterable
from dataclasses import dataclass

from vmtiming_tui.model.attempt import Attempt, VmState


@dataclass(frozen=True, slots=True)
class LostFor:
    """A reason in the words it was told in, and the VMs lost for it, in order.

    ``boots`` is how many of their boots were.
    """

    state: VmState
    why: str
    vms: tuple[int, ...]
    boots: int


def lost_for(attempts: Iterable[Attempt]) -> tuple[LostFor, ...]:
    """Return why boots were lost, what held up most of them first."""
    found: dict[tuple[VmState, str], list[int]] = {}
    for attempt in attempts:
        if attempt.state.is_lost:
            found.setdefault((attempt.state, attempt.why), []).append(attempt.vm)
    told = [
        LostFor(state, why, tuple(sorted(set(vms))), len(vms))
        for (state, why), vms in found.items()
    ]
    return tuple(sorted(told, key=lambda each: -each.boots))
