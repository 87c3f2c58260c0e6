"""What the drawings of a page stand on: a frame with axes, and round values at them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from vmtiming_tui.report.export.html.markup import Markup, join, tag

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 960.0, 52.0, 20.0, 14.0, 40.0


def ticks(top: float, most: int = 8) -> list[float]:
    """Return round values from 0 up to ``top``, at most so many steps of 1, 2 or 5 times 10^n."""
    if not top > 0:
        return [0.0]
    raw = top / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * (1 - 1e-9))
    return [step * index for index in range(math.floor(top / step * (1 + 1e-9)) + 1)]


def marks(low: float, high: float, most: int = 8) -> list[float]:
    """Return the round values from ``low`` to ``high``, in steps as those of ``ticks``."""
    if not high > low:
        return [low]
    step = ticks(high - low, most)[1]
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [step * index for index in range(first, last + 1)]


def tick_text(value: float) -> str:
    """Return a round value as it stands at an axis."""
    return f"{value:.6g}"


@dataclass(frozen=True, slots=True)
class Frame:
    """Where values fall in a drawing; ``top_x`` and ``top_y`` are the axes' ends.

    ``low_x`` and ``low_y`` are where they begin.
    """

    height: float
    top_x: float
    top_y: float
    low_x: float = 0.0
    low_y: float = 0.0

    def x(self, value: float) -> float:
        """Return where a value of the lower axis stands."""
        share = (value - self.low_x) / (self.top_x - self.low_x)
        return LEFT + (WIDTH - LEFT - RIGHT) * share

    def y(self, value: float) -> float:
        """Return how high a value stands."""
        share = (value - self.low_y) / (self.top_y - self.low_y)
        return self.height - BOTTOM - (self.height - TOP - BOTTOM) * share

    def axes(self, x_label: str, y_ticks: Iterable[tuple[float, str]]) -> Markup:
        """Return both axes, with these values and their words at the upright one."""
        floor = self.y(self.low_y)
        parts = []
        for value, shown in y_ticks:
            y = self.y(value)
            parts.append(tag("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y))
            parts.append(tag("text", shown, class_="end", x=LEFT - 8, y=y + 4))
        for value in marks(self.low_x, self.top_x, 10):
            x = self.x(value)
            parts.append(tag("line", class_="tick", x1=x, x2=x, y1=floor, y2=floor + 5))
            parts.append(tag("text", tick_text(value), class_="middle", x=x, y=floor + 19))
        parts.append(tag("line", class_="axis", x1=LEFT, x2=WIDTH - RIGHT, y1=floor, y2=floor))
        parts.append(
            tag("text", x_label, class_="middle dim", x=(LEFT + WIDTH) / 2, y=self.height - 4)
        )
        return join(*parts)


def svg(height: float, label: str, *parts: Markup, **attributes: str | float) -> Markup:
    """Return a drawing over the whole width; ``label`` is what it says to who cannot see it."""
    box = f"0 0 {WIDTH:g} {height:g}"
    drawn = tag("svg", *parts, viewBox=box, role="img", aria_label=label, **attributes)
    return tag("div", drawn, class_="drawing")
