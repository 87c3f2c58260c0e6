"""What the units of one storm's boots took of their own, a value a unit, to be compared."""

from collections.abc import Mapping, Sequence
from functools import cached_property

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.stages import stages_of
from vmtiming_tui.analysis.units.one_boot import userspace_us
from vmtiming_tui.analysis.units.ordering import Orderings
from vmtiming_tui.analysis.units.spans import Spans
from vmtiming_tui.analysis.units.waiting import shares
from vmtiming_tui.model.attempt import Attempt


class OwnTimes:
    """The units' median own times over a storm's boots, reckoned once they are asked for.

    Hundreds of units of a thousand boots take the better part of a second, and most of those who
    look at a storm do not want them. Doubtful boots are left out, and of a boot the units that it
    did not get up.
    """

    def __init__(
        self, attempts: Sequence[Attempt] = (), orderings: Orderings | None = None
    ) -> None:
        self._attempts = attempts
        self._orderings = orderings or Orderings(None)

    @property
    def are_told(self) -> bool:
        """Whether any of the boots tells of its units."""
        return any(attempt.units is not None for attempt in self._attempts)

    @cached_property
    def medians_s(self) -> Mapping[str, float]:
        """The medians by the units' names (s)."""
        found: dict[str, list[int]] = {}
        for attempt in self._attempts:
            if attempt.units is None or stages_of(attempt).kernel_start_ns is None:
                continue
            spans, ordering = Spans.of(attempt.units), self._orderings.of(attempt.units.names)
            own_us = shares(spans, ordering, userspace_us(attempt)).own_us
            columns = zip(spans.names, spans.begun_us, spans.up_us, own_us, strict=True)
            for name, begun, up, own in columns:
                if begun and up:
                    found.setdefault(name, []).append(own)
        return {name: stats.median(sample) / 1e6 for name, sample in found.items()}
