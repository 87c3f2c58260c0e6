"""How far a host's clock is ahead of ours, and how well that is known.

A host that is asked for its time reads its clock at some moment between our question and its
answer; the shorter that took, the better is known when. So of many questions the one counts that
was answered soonest (Cristian 1989, as in NTP's clock filter, RFC 5905 section 10).
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from vmtiming_tui.cluster.host_link import HostLink

_MOST_QUESTIONS = 64
_LEAST_QUESTIONS = 3
_DRIFT_PPM = 50
_LONG_ENOUGH_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Question:
    """A host's time, and when by our clock it was asked for and came."""

    asked_ns: int
    told_ns: int
    came_ns: int

    @property
    def round_trip_ns(self) -> int:
        """How long the answer took."""
        return self.came_ns - self.asked_ns


@dataclass(frozen=True, slots=True)
class Clock:
    """How far a host's clock is ahead of ours, give or take ``uncertainty_ns``."""

    offset_ns: int
    uncertainty_ns: int

    @property
    def round_trip_ns(self) -> int:
        """How long the host takes to answer, at its best."""
        return 2 * self.uncertainty_ns

    def later(self, passed_ns: int) -> "Clock":
        """Return what is still known of it after a while: clocks drift apart, or are slewed."""
        return replace(self, uncertainty_ns=self.uncertainty_ns + passed_ns * _DRIFT_PPM // 10**6)

    def agrees(self, offset_ns: int) -> bool:
        """Whether it may be ahead by so much, for all that is known."""
        return abs(self.offset_ns - offset_ns) <= self.uncertainty_ns


def found(questions: Iterable[Question]) -> Clock:
    """Return what is known of a clock; raise ``ValueError`` where nothing was asked."""
    best = min(questions, key=lambda question: question.round_trip_ns)
    middle_ns = best.asked_ns + best.round_trip_ns // 2
    return Clock(best.told_ns - middle_ns, (best.round_trip_ns + 1) // 2)


async def measured(link: HostLink, now_ns: Callable[[], int] = time.monotonic_ns) -> Clock:
    """Ask a host for its time, often but no longer than a second or so; ``HostError`` if lost."""
    questions: list[Question] = []
    begun_ns = now_ns()
    while len(questions) < _MOST_QUESTIONS:
        asked_ns = now_ns()
        if len(questions) >= _LEAST_QUESTIONS and asked_ns - begun_ns > _LONG_ENOUGH_NS:
            break
        told_ns = await link.clock_ns()
        questions.append(Question(asked_ns, told_ns, now_ns()))
    return found(questions)
