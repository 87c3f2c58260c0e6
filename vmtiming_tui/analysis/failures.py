"""Boots that were lost, gathered by why: what befell hundreds of VMs alike is one thing to mend."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from vmtiming_tui.model.attempt import Attempt, VmState

_NUMBER = re.compile(r"\d+")


def alike(text: str) -> str:
    """Return what sentences have in common that differ in their numbers alone."""
    return _NUMBER.sub("#", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One reason, and the boots that were lost by it, in the order of their VMs.

    ``why`` and ``hint`` are those of ``example``, the one with the most to show; in the others'
    words numbers may differ, such as those of their images.
    """

    state: VmState
    why: str
    hint: str
    attempts: tuple[Attempt, ...]
    example: Attempt

    @property
    def vms(self) -> tuple[int, ...]:
        """The VMs it befell, each once."""
        return tuple(dict.fromkeys(attempt.vm for attempt in self.attempts))

    @property
    def varies(self) -> bool:
        """Whether others' words differ from ``why``."""
        return any(attempt.why != self.why for attempt in self.attempts)


def failures_of(attempts: Iterable[Attempt]) -> list[Failure]:
    """Return why boots were lost, what befell the most of them first."""
    found: dict[tuple[VmState, str, str], list[Attempt]] = {}
    for attempt in attempts:
        if attempt.state.is_lost:
            reason = attempt.state, alike(attempt.why), alike(attempt.hint)
            found.setdefault(reason, []).append(attempt)
    return sorted(map(_failure, found.values()), key=lambda each: -len(each.attempts))


def _failure(found: list[Attempt]) -> Failure:
    example = max(found, key=_shows)
    return Failure(
        state=example.state,
        why=example.why,
        hint=example.hint,
        attempts=tuple(sorted(found, key=lambda attempt: attempt.key)),
        example=example,
    )


def _shows(attempt: Attempt) -> tuple[bool, bool]:
    """Return whether a boot has a console's end and QEMU's words to show."""
    return bool(attempt.console and attempt.console.text.strip()), bool(attempt.stderr)
