"""Runs held against the first of them, ready to be written: reckoned once, rendered thrice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vmtiming_tui.analysis.comparison.compare import Comparison, Gate, matched
from vmtiming_tui.analysis.comparison.samples import Sample, Side
from vmtiming_tui.analysis.summary import settings_label


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedSetting:
    """One setting that was compared: what each run booted with it, by the run's place."""

    parameters: Mapping[str, str]
    samples: Mapping[int, Sample]

    @property
    def label(self) -> str:
        """What varied; empty where nothing did."""
        return settings_label(self.parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonDocument:
    """Each of the others against the first of ``sides``: a comparison each, in their order.

    ``limit_percent`` is by how much the others may be slower; None where no limit was set.
    """

    sides: tuple[Side, ...]
    comparisons: tuple[Comparison, ...]
    limit_percent: float | None = None

    @property
    def title(self) -> str:
        """What is held against what."""
        first, *others = (side.label for side in self.sides)
        return f"{_listed(others)} against {first}"

    @property
    def cautions(self) -> list[str]:
        """What makes any of it doubtful, each once."""
        return list(dict.fromkeys(text for each in self.comparisons for text in each.cautions))

    @property
    def settings(self) -> list[ComparedSetting]:
        """The settings that were compared, with the samples of the runs that booted them."""
        first, *others = self.sides
        found: dict[int, dict[int, Sample]] = {}
        for place, other in enumerate(others, start=1):
            for sample, theirs in matched(first, [each.parameters for each in other.samples]):
                row = found.setdefault(first.samples.index(sample), {0: sample})
                row[place] = other.samples[theirs]
        return [
            ComparedSetting(parameters=first.samples[at].parameters, samples=row)
            for at, row in sorted(found.items())
        ]

    def gate_of(self, comparison: Comparison) -> Gate | None:
        """Return whether the limit is kept; None where none was set."""
        return None if self.limit_percent is None else comparison.gate(self.limit_percent)


def _listed(labels: Sequence[str]) -> str:
    *most, last = labels
    return f"{', '.join(most)} and {last}" if most else last
