"""Time axes: round ticks, as many as there is room for; pure."""

from collections.abc import Iterable

from vmtiming_tui.tui.drawing.glyphs import Glyphs
from vmtiming_tui.tui.drawing.styled import Part
from vmtiming_tui.tui.drawing.theme import Palette

LEAST_AXIS = 16
"""A bar shorter than this has no axis."""

_LEAST_BETWEEN = 11
_PARTS = (10, 8, 6, 5, 4, 3, 2, 1)
_ROUND = frozenset({"1", "12", "15", "2", "25", "3", "4", "5", "6", "8"})


def ticks(scale_ns: int, width: int) -> list[int]:
    """Return the round times (ns) that divide an axis evenly, its end among them."""
    for count in _PARTS:
        step_ns, rest = divmod(scale_ns, count)
        digits = f"{step_ns / 1e9:g}".replace(".", "").strip("0")
        if not rest and digits in _ROUND and width // count >= _LEAST_BETWEEN:
            return [step_ns * place for place in range(1, count + 1)]
    return [scale_ns]


def axis(
    scale_ns: int, width: int, palette: Palette, glyphs: Glyphs, *, mark_ns: int | None = None,
    title: str = "", goes_on: bool = False,
) -> list[Part]:  # fmt: skip
    """Return ``width`` cells from 0 to ``scale_ns``; ``mark_ns`` is the median, if it is there."""
    labels = [(0, "0")] if not title else []
    labels += [
        (round(at_ns * width / scale_ns), f" {at_ns / 1e9:g} s") for at_ns in ticks(scale_ns, width)
    ]
    if goes_on:
        end, label = labels.pop()
        labels.append((end, f"{label} {glyphs.beyond}"))
    mark = None
    if mark_ns is not None and mark_ns < scale_ns:
        mark = mark_ns * width // scale_ns
    return ruled(labels, width, palette, glyphs, mark=mark, title=title)


def ruled(
    labels: Iterable[tuple[int, str]], width: int, palette: Palette, glyphs: Glyphs, *,
    mark: int | None = None, title: str = "",
) -> list[Part]:  # fmt: skip
    """Return a rule of ``width`` cells with labels that end at their cells, as far as they fit.

    A label at 0 begins there. The ``title`` stands at the left where no label does. A label gives
    way to the ``mark``, but for the first and the last.
    """
    signs = [glyphs.rule] * width
    dim: set[int] = set()
    wanted = [(max(end - len(label), 0), label) for end, label in labels]
    if mark is not None:
        inner = [(at, text) for at, text in wanted[1:-1] if not at <= mark < at + len(text)]
        wanted = [*wanted[:1], *inner, *wanted[1:][-1:]]
    first = min((at for at, _ in wanted), default=width)
    if title and len(title) + 2 < first:
        wanted.insert(0, (1, f" {title} "))
    free = 0
    for at, label in wanted:
        if at < free or at + len(label) > width:
            continue
        signs[at : at + len(label)] = label
        free = at + len(label)
        dim.update(range(at, free))
    if mark is not None and mark not in dim:
        signs[mark] = glyphs.median
    parts: list[Part] = []
    for at, sign in enumerate(signs):
        style = (
            palette.strong
            if at == mark and at not in dim
            else palette.dim
            if at in dim
            else palette.faint
        )
        if parts and parts[-1][1] is style:
            parts[-1] = (parts[-1][0] + sign, style)
        else:
            parts.append((sign, style))
    return parts
