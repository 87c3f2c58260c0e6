"""One figure of two samples, and the one decision about it that words, table and exit code follow.

It is decided if and only if the interval of the change excludes 0. Alone it is a 95 % interval;
where many questions are asked at once, that of the level at which the question is asked (Holm),
which is wider: what is shown is always what decides. That both are the same within a margin is said
by two one-sided tests (Schuirmann, 1987), each of the level of the whole: the interval whose chance
of being wrong is twice that (90 % of a 95 % one) lies within the margin.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.comparison import blocks, paired, ranks
from vmtiming_tui.analysis.comparison.storms_needed import rounds_would_tell, storms_would_tell
from vmtiming_tui.analysis.comparison.tolerance import CONFIDENCE, Tolerance

MARGIN_PERCENT = 5.0
NOTHING_LEFT = -100.0
_Test: TypeAlias = ranks.RankTest | paired.SignedRank | blocks.AlignedRank | None


class Verdict(StrEnum):
    """What the figures say of the second run against the first."""

    FASTER = "faster"
    SLOWER = "slower"
    THE_SAME = f"the same within {MARGIN_PERCENT:g} %"
    CANNOT_TELL = "cannot tell"
    NOT_COMPARED = "not compared"


@dataclass(frozen=True, slots=True)
class Method:
    """How two samples are compared: the ratio with its interval, the test, and what would tell.

    ``is_by_round`` says that the samples are of one size and a round's two storms stand side by
    side.
    """

    ratio: Callable[[Sequence[float], Sequence[float], float], ranks.Ratio | None]
    test: Callable[[Sequence[float], Sequence[float]], _Test]
    would_tell: Callable[..., str]
    is_by_round: bool = False


APART = Method(ranks.ratio, ranks.mann_whitney, storms_would_tell)
"""Of two runs, each storm for itself."""
BY_ROUND = Method(paired.paired_ratio, paired.signed_rank, rounds_would_tell, is_by_round=True)
"""Of storms that were booted in turn, a pair a round."""
IN_BLOCKS = Method(blocks.aligned_ratio, blocks.aligned_rank, rounds_would_tell, is_by_round=True)
"""Of the same where no round is missing, so that two rounds are a block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One figure of two runs, in seconds, one value a storm, and what its change is worth.

    ``percent`` is the second against the first; its interval ``percent_interval`` may be unbounded
    where VMs did not boot, ``same_interval`` is that of the two one-sided tests. ``p_value`` is at
    most 0.05 where it is decided, however many were asked. ``is_single`` says that a side has one
    storm only: the interval is then what ``tolerance`` makes of it, and there only where even that
    excludes 0. ``rounds`` says how many pairs it is of, None where storms were not paired.
    ``advice`` is what would tell, where it cannot be told.
    """

    name: str
    first: stats.Figures | None
    second: stats.Figures | None
    percent: float | None
    percent_interval: stats.Interval | None
    same_interval: stats.Interval | None = None
    p_value: float | None
    verdict: Verdict
    is_single: bool = False
    rounds: int | None = None
    tolerance: Tolerance | None = None
    advice: str = ""

    @property
    def is_decided(self) -> bool:
        """Whether the one is said to be faster or slower than the other."""
        return self.verdict in (Verdict.FASTER, Verdict.SLOWER)

    @property
    def shift_s(self) -> float | None:
        """How much larger the second's median is; None where lost VMs hide either."""
        if self.first is None or self.second is None:
            return None
        before, after = self.first.median, self.second.median
        return None if before is None or after is None else after - before

    @property
    def sentence(self) -> str:
        """The verdict in words, for people."""
        return f"{self.name}: {self.words}"

    @property
    def words(self) -> str:
        """The verdict in words, without the figure's name."""
        if self.is_decided:
            return f"{self.verdict}{self._by()}{self._between()}"
        if self.verdict is Verdict.THE_SAME and self.same_interval is not None:
            return f"{self.verdict} ({_range(self.same_interval)})"
        more = f"; {self.advice}" if self.advice else ""
        return f"{self.verdict}{self._between()}{more}"

    def _by(self) -> str:
        if self.percent is None:
            return ", as VMs that never booted rank behind all others"
        return f" by {abs(self.percent):.1f} %"

    def _between(self) -> str:
        interval = self.percent_interval
        if interval is None:
            return ""
        if not math.isfinite(interval.low) or interval.high == NOTHING_LEFT:
            return ""
        if self.is_single and self.tolerance is not None:
            return f", beyond the {self.tolerance}"
        return f" ({_range(interval)})"


def signed(percent: float) -> str:
    """Return a change in percent, its sign always shown, and no 0 made of what is none."""
    return f"{percent:+.2g}" if 0 < abs(percent) < 0.05 else f"{percent:+.1f}"


def _range(interval: stats.Interval) -> str:
    high = f"{signed(interval.high)} %" if math.isfinite(interval.high) else "unknown"
    return f"{signed(interval.low)} % to {high}"


def _percent_interval(interval: stats.Interval | None) -> stats.Interval | None:
    if interval is None:
        return None
    return stats.Interval((interval.low - 1) * 100, (interval.high - 1) * 100, interval.confidence)


def _beyond_storms(change: ranks.Ratio, known: Tolerance | None) -> stats.Interval | None:
    """Return what a single storm's change can be where storms differ; None where it may be none.

    That VMs which never booted hide a median is beyond whatever is known.
    """
    if change.estimate in (0, math.inf):
        return stats.Interval(change.estimate, change.estimate, 1.0)
    if known is None:
        return None
    low, high = change.estimate / known.ratio, change.estimate * known.ratio
    return stats.Interval(low, high, CONFIDENCE) if low > 1 or high < 1 else None


def _decide(interval: stats.Interval | None, same: stats.Interval | None) -> Verdict:
    """Return the one decision that all else follows."""
    if interval is not None and interval.low > 0:
        return Verdict.SLOWER
    if interval is not None and interval.high < 0:
        return Verdict.FASTER
    if same is not None and same.low >= -MARGIN_PERCENT and same.high <= MARGIN_PERCENT:
        return Verdict.THE_SAME
    return Verdict.CANNOT_TELL


def difference(
    name: str,
    first: Sequence[float],
    second: Sequence[float],
    known: Tolerance | None = None,
    *,
    method: Method = APART,
    alpha: float = ranks.ALPHA,
) -> Difference:
    """Return what two samples (s, one value a storm) say of each other.

    Infinite values are storms whose figure VMs hide that never booted. ``known`` is how far single
    storms differ by chance; ``alpha`` is the level at which it is asked. By round the samples are
    of one size, their storms paired.
    """
    change, test = method.ratio(first, second, alpha), None
    is_single = min(len(first), len(second)) == 1
    found = same = None
    if change is not None and is_single:
        found = _beyond_storms(change, known)
    elif change is not None:
        found, test = change.interval, method.test(first, second)
        one_sided = method.ratio(first, second, 2 * alpha)
        same = one_sided.interval if one_sided else None
    interval, same_interval = _percent_interval(found), _percent_interval(same)
    verdict = _decide(interval, same_interval)
    percent = (change.estimate - 1) * 100 if change else None
    advice = ""
    if verdict is Verdict.CANNOT_TELL:
        advice = method.would_tell(
            first, second, found, known=known, change_percent=MARGIN_PERCENT, alpha=alpha
        )
    return Difference(
        name=name,
        first=stats.describe(first),
        second=stats.describe(second),
        percent=percent if percent not in (NOTHING_LEFT, math.inf) else None,
        percent_interval=interval,
        same_interval=same_interval,
        p_value=test.p_value if test else None,
        verdict=verdict,
        is_single=is_single,
        rounds=len(first) if method.is_by_round else None,
        tolerance=known if is_single else None,
        advice=advice,
    )


def not_compared(name: str, first: Sequence[float], second: Sequence[float]) -> Difference:
    """Return both samples' figures, where their change would say nothing."""
    return Difference(
        name=name,
        first=stats.describe(first),
        second=stats.describe(second),
        percent=None,
        percent_interval=None,
        p_value=None,
        verdict=Verdict.NOT_COMPARED,
    )
