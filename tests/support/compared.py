"""Two runs compared, from the fleets they fold into."""

from vmtiming_tui.analysis.comparison.compare import Comparison, compare_all, compare_sides
from vmtiming_tui.analysis.comparison.samples import side_of
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export.comparison.document import ComparisonDocument


def compare(first: Fleet, second: Fleet, *, labels: tuple[str, str] = ("", "")) -> Comparison:
    """Return the second run held against the first; ``labels`` are what they are called."""
    return compare_sides(side_of(first, labels[0]), side_of(second, labels[1]))


def document(limit_percent: float | None = None, **fleets: Fleet) -> ComparisonDocument:
    """Return runs of these labels held against the first of them, ready to be written."""
    sides = tuple(side_of(fleet, label) for label, fleet in fleets.items())
    comparisons = compare_all(sides[0], sides[1:])
    return ComparisonDocument(sides=sides, comparisons=comparisons, limit_percent=limit_percent)
