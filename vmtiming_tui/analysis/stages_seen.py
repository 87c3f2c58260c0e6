"""How a boot that is under way divides, as far as the host saw signs of its stages."""

from itertools import pairwise

from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.stage import Stage


def seen_pieces(attempt: Attempt, now_ns: int) -> list[tuple[Stage | None, int]]:
    """Return the stages of a boot from its go, with how long each has lasted so far (ns).

    What came before the first sign is None: nobody saw what it was. The pieces add up to
    ``elapsed_ns``; there are none before the go. A sign that came outside the boot counts from the
    boot's nearest end.
    """
    elapsed_ns = attempt.elapsed_ns(now_ns)
    if attempt.go_ns is None or elapsed_ns is None:
        return []
    marks: list[tuple[Stage | None, int]] = [(None, 0)]
    for stage, at_ns in attempt.stages_seen:
        marks.append((stage, min(max(at_ns - attempt.go_ns, marks[-1][1]), elapsed_ns)))
    ends = pairwise([*marks, (None, max(elapsed_ns, 0))])
    pieces = [(stage, end_ns - from_ns) for (stage, from_ns), (_, end_ns) in ends]
    return [piece for piece in pieces if piece[1] > 0]
