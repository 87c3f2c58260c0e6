"""Two runs compared, from the fleets they fold into."""

from vmtiming_tui.analysis.comparison.compare import Comparison, compare_sides
from vmtiming_tui.analysis.comparison.samples import side_of
from vmtiming_tui.model.fleet import Fleet


def compare(first: Fleet, second: Fleet, *, labels: tuple[str, str] = ("", "")) -> Comparison:
    """Return the second run held against the first; ``labels`` are what they are called."""
    return compare_sides(side_of(first, labels[0]), side_of(second, labels[1]))
