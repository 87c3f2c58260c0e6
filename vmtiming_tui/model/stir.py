"""When VMs that have reported are not idle: what disturbs the boots of others is kept here."""

from bisect import bisect_left, bisect_right


class Stir:
    """Spans of time in which anybody stirs, merged; who stirs is named by any key.

    Times are ns on one clock. They may come out of order, as events of many VMs do.
    """

    def __init__(self) -> None:
        self._since: dict[object, int] = {}
        self._over: list[tuple[int, int]] = []

    def begin(self, who: object, at_ns: int) -> None:
        """Somebody begins to stir, who may have begun before."""
        self._since.setdefault(who, at_ns)

    def end(self, who: object, at_ns: int) -> None:
        """Somebody stirs no more; harmless where nobody did."""
        start_ns = self._since.pop(who, None)
        if start_ns is None or at_ns <= start_ns:
            return
        first = bisect_left(self._over, start_ns, key=lambda span: span[1])
        last = bisect_right(self._over, at_ns, key=lambda span: span[0])
        touched = self._over[first:last]
        low_ns = min([start_ns, *(span[0] for span in touched[:1])])
        high_ns = max([at_ns, *(span[1] for span in touched[-1:])])
        self._over[first:last] = [(low_ns, high_ns)]

    def during_ns(self, start_ns: int, end_ns: int) -> int:
        """Return for how much of a span anybody stirred."""
        total_ns = 0
        spans = list(self._over)
        if self._since:
            spans.append((min(self._since.values()), end_ns))
        covered_ns = start_ns
        for from_ns, to_ns in sorted(spans):
            stirred_ns = min(to_ns, end_ns) - max(from_ns, covered_ns)
            if stirred_ns > 0:
                total_ns += stirred_ns
                covered_ns = min(to_ns, end_ns)
        return total_ns
