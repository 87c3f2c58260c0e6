"""Lines of a comparison that are asked at once, and what they come to together (Holm)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vmtiming_tui.analysis.comparison.difference import (
    Difference,
    Method,
    difference,
    not_compared,
)
from vmtiming_tui.analysis.comparison.multiple import holm, holm_levels
from vmtiming_tui.analysis.comparison.ranks import ALPHA
from vmtiming_tui.analysis.comparison.tolerance import Tolerance


@dataclass(frozen=True, slots=True)
class Question:
    """One line before it is decided; it is not asked where its answer would say nothing."""

    name: str
    first: Sequence[float]
    second: Sequence[float]
    method: Method
    known: Tolerance | None
    is_asked: bool

    @property
    def p_value(self) -> float | None:
        """What the test says, where there is one: a single storm has none."""
        if not self.is_asked or min(len(self.first), len(self.second)) < 2:
            return None
        test = self.method.test(self.first, self.second)
        return test.p_value if test else None

    def answer(self, alpha: float) -> Difference:
        """Return what the samples say, asked at that level."""
        if not self.is_asked:
            return not_compared(self.name, self.first, self.second)
        return difference(
            self.name, self.first, self.second, self.known, method=self.method, alpha=alpha
        )


def answers(questions: Sequence[Question], alpha: float = ALPHA) -> list[Difference]:
    """Return what questions come to that are asked at once.

    ``alpha`` is what may be spent on them, where they were asked before of fewer storms: less than
    0.05, to which p-values are scaled; with 0 nothing is asked.
    """
    if not alpha:
        return [replace(each, is_asked=False).answer(ALPHA) for each in questions]
    tested = {at: p for at, each in enumerate(questions) if (p := each.p_value) is not None}
    levels = dict(zip(tested, holm_levels(list(tested.values()), alpha), strict=True))
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    scaled = {at: min(1.0, p * ALPHA / alpha) for at, p in adjusted.items()}
    found = [each.answer(levels.get(at, alpha)) for at, each in enumerate(questions)]
    return [replace(each, p_value=scaled.get(at)) for at, each in enumerate(found)]
