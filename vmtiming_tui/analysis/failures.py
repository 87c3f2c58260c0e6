"""Why boots did not succeed, each reason once: how many VMs it held up, and which."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from vmtiming_tui.model.attempt import Attempt, VmState

_FIGURES = re.compile(r"\d+")


def alike(text: str) -> str:
    """Return what sentences have in common that differ in their figures alone."""
    return _FIGURES.sub("0", text)


@dataclass(frozen=True, slots=True)
class LostFor:
    """A reason, and the boots lost for it, by VM.

    ``why`` is in the words of the first of them where those of others differ in figures alone:
    then it is ``one_of_many``.
    """

    state: VmState
    why: str
    boots: tuple[Attempt, ...]
    one_of_many: bool

    @property
    def vms(self) -> tuple[int, ...]:
        """The VMs that were lost for it."""
        return tuple(sorted({attempt.vm for attempt in self.boots}))


def lost_for(attempts: Iterable[Attempt]) -> tuple[LostFor, ...]:
    """Return why boots were lost, what held up most of them first."""
    found: dict[tuple[VmState, str], list[Attempt]] = {}
    for attempt in attempts:
        if attempt.state.is_lost:
            found.setdefault((attempt.state, alike(attempt.why)), []).append(attempt)
    told = [
        LostFor(state, boots[0].why, tuple(boots), len({boot.why for boot in boots}) > 1)
        for (state, _), boots in found.items()
    ]
    return tuple(sorted(told, key=lambda each: -len(each.boots)))
