"""Which past runs are given up: by age, by number, by size; a run with a name is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

_DAY_NS = 86_400 * 1_000_000_000


class Keepable(Protocol):
    """A run as far as it matters here; ``bytes`` is what it takes."""

    @property
    def wall_ns(self) -> int:
        """When it was begun, ns since 1970."""

    @property
    def bytes(self) -> int:
        """How much room it takes."""

    @property
    def is_spared(self) -> bool:
        """Whether it goes for no reason: somebody named it, or it is under way."""


K = TypeVar("K", bound=Keepable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What stays: the ``keep`` newest, those of the last ``days``, as many as ``max_bytes`` hold.

    None leaves a reason out. Runs that are spared count for the size only; the newest of all is
    not given up for its size.
    """

    keep: int | None = None
    days: float | None = None
    max_bytes: int | None = None

    def given_up(self, runs: Sequence[K], now_ns: int) -> list[K]:
        """Return what goes, oldest first."""
        oldest_first = sorted(runs, key=lambda run: run.wall_ns)
        unnamed = [run for run in oldest_first if not run.is_spared]
        over = sum(run.bytes for run in runs) - (self.max_bytes or 0)
        gone: list[K] = []
        for later, run in zip(range(len(unnamed) - 1, -1, -1), unnamed, strict=True):
            too_many = self.keep is not None and later >= self.keep
            too_old = self.days is not None and now_ns - run.wall_ns > self.days * _DAY_NS
            too_large = self.max_bytes is not None and over > 0 and run is not oldest_first[-1]
            if too_many or too_old or too_large:
                gone.append(run)
                over -= run.bytes
        return gone
