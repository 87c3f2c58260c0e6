"""Two runs held beside each other: everything that takes long to reckon, for a thread to do."""

from dataclasses import dataclass

from vmtiming_tui.analysis.comparison.compare import Comparison, compare_sides
from vmtiming_tui.analysis.comparison.samples import Side, side_of
from vmtiming_tui.analysis.counted import counted_attempts
from vmtiming_tui.analysis.straggler import straggler_of
from vmtiming_tui.analysis.summary import Summary, completion, summarise
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.straggler import straggler_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRun:
    """One run as far as it is shown beside another.

    ``curve`` is (ns since the first start, how many of ``number`` VMs had booted by then);
    ``slowest`` says why its slowest VM was slow.
    """

    side: Side
    number: int
    curve: tuple[tuple[int, int], ...]
    summary: Summary
    slowest: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPair:
    """The first run is what the second is held against."""

    first: HeldRun
    second: HeldRun
    comparison: Comparison

    @property
    def runs(self) -> tuple[HeldRun, HeldRun]:
        """Both, in their order."""
        return self.first, self.second


def held_run(fleet: Fleet, label: str) -> HeldRun:
    """Return what is shown of a run."""
    attempts = counted_attempts(fleet)
    found = straggler_of(fleet)
    return HeldRun(
        side=side_of(fleet, label),
        number=len(attempts),
        curve=tuple(completion(attempts)),
        summary=summarise(attempts),
        slowest=tuple(straggler_lines(found)) if found else (),
    )


def pair_of(first: HeldRun, second: HeldRun) -> RunPair:
    """Return two runs compared."""
    return RunPair(first=first, second=second, comparison=compare_sides(first.side, second.side))
