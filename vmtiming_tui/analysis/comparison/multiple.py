"""Many questions at once: p-values adjusted so that asking often finds nothing by chance.

An adjusted p-value is at most a level exactly where its question is decided at that level, all of
the others being asked beside it.
"""

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values, in the order given.

    Deciding where they are at most a level keeps the chance of even one wrong decision below it,
    however the questions hang together: Holm, A Simple Sequentially Rejective Multiple Test
    Procedure (1979).
    """
    adjusted, highest, count = [1.0] * len(p_values), 0.0, len(p_values)
    for place, at in enumerate(sorted(range(count), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (count - place) * p_values[at]))
        adjusted[at] = highest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Return Benjamini and Hochberg's adjusted p-values (q), in the order given.

    Of what is decided at a level, that share at most is expected to be wrong, where the questions
    are independent or rise and fall together: Benjamini and Hochberg, Controlling the False
    Discovery Rate (1995).
    """
    adjusted, lowest, count = [1.0] * len(p_values), 1.0, len(p_values)
    order = sorted(range(count), key=p_values.__getitem__)
    for place in range(count, 0, -1):
        at = order[place - 1]
        lowest = min(lowest, p_values[at] * (count / place))
        adjusted[at] = lowest
    return adjusted


def holm_levels(p_values: Sequence[float], level: float) -> list[float]:
    """Return the level at which Holm's steps ask each question, in the order given.

    A p-value is at most its own level exactly where ``holm`` makes it at most ``level``: whoever
    decides by an interval takes the interval of that level. Those after the first that is not
    decided are asked at its level.
    """
    levels, count, reached = [level] * len(p_values), len(p_values), True
    asked_at = level
    for place, at in enumerate(sorted(range(count), key=p_values.__getitem__)):
        if reached:
            asked_at = level / (count - place)
            reached = p_values[at] <= asked_at
        levels[at] = asked_at
    return levels
