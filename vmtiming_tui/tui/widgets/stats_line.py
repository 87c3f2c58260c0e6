"""The figures below the header: of the boots so far, of what is left to do, and of the host."""

from collections.abc import Sequence

from vmtiming_tui.analysis.phase_count import phase_count
from vmtiming_tui.analysis.progress import TimeLeft
from vmtiming_tui.model.fleet import RunState
from vmtiming_tui.tui.drawing.braille import sparkline
from vmtiming_tui.tui.drawing.glyphs import Glyphs
from vmtiming_tui.tui.drawing.host_table import MUCH_CPU, cpu_range
from vmtiming_tui.tui.drawing.styled import (
    Part,
    clip,
    parts_width,
    seconds,
    shown,
    spread,
    to_come,
)
from vmtiming_tui.tui.state.host_rows import idlest_and_busiest
from vmtiming_tui.tui.widgets.lines_widget import ModelLines

_SPARK = 12
_NAME = 16
_ALL = ("median", "p95", "max")
_WAYS = ((_ALL, False), (_ALL, True), (("median", "max"), True), (("median",), True))


def left_words(left: TimeLeft, glyphs: Glyphs, *, brief: bool = False) -> str:
    """Return the estimate and the bound, as far as they are known and differ; else a dash.

    Where they are to be ``brief`` it is the bound, which holds.
    """
    about, bound = (ns if ns is None else to_come(ns) for ns in (left.about_ns, left.at_most_ns))
    if bound is None:
        return "-" if about is None else f"~{about}"
    is_alone = brief or about in (None, bound)
    return f"{glyphs.at_most} {bound}" if is_alone else f"~{about}, {glyphs.at_most} {bound}"


class StatsLine(ModelLines):
    """Median, p95 and max of what has booted, what is left to do, and how busy the host is."""

    def _figures(self, names: Sequence[str], *, brief: bool) -> list[Part]:
        palette, figures = self.host.palette, self.model.figures
        parts: list[Part] = []
        known = {"median": figures.median_ns, "p95": figures.p95_ns, "max": figures.max_ns}
        for name in names if self.model.outcome is None else ():  # which tells them, and more
            parts.append((f" {name} ", palette.dim))
            ns = known[name]
            parts.append((f"{seconds(ns)} s" if ns is not None else "-", palette.strong))
            parts.append((" ", palette.text))
        if self.model.fleet.state is RunState.RUNNING:
            parts += self._to_do(brief=brief)
        return parts

    def _to_do(self, *, brief: bool) -> list[Part]:
        """Return how long the boots to come take, and how far what follows boots is."""
        palette, glyphs, left = self.host.palette, self.host.glyphs, self.model.figures.left
        parts: list[Part] = []
        count = phase_count(self.model.fleet)
        if count is not None:
            to_do = f" {count.number - count.done:,} of {count.number:,} "
            parts += [(to_do, palette.strong), (f"{count.what} ", palette.dim)]
        if count is None or left not in (TimeLeft(), TimeLeft(0, 0)):
            parts.append((" left ", palette.dim))
            parts.append((left_words(left, glyphs, brief=brief), palette.strong))
        return parts

    def lines(self, width: int) -> list[list[Part]]:
        """Return the figures at the left, the host at the right."""
        glyphs = self.host.glyphs
        right = self._of_hosts() if self.model.fleet.hosts.are_many else self._of_host(width)
        left: list[Part] = []
        for names, brief in _WAYS:
            left = self._figures(names, brief=brief)
            if parts_width(left) < width - parts_width(right):
                break
        return [spread(left, right, width, glyphs.ellipsis)]

    def _of_host(self, width: int) -> list[Part]:
        """Return how busy the only host is."""
        palette, glyphs, host = self.host.palette, self.host.glyphs, self.model.fleet.host
        right: list[Part] = []
        if host is not None:
            if width >= 100:
                spark = sparkline(self.model.host_cpu(), glyphs.blocks, _SPARK)
                right = [(f"{spark} ", palette.dim)]
            busy = palette.warning if host.cpu_percent >= MUCH_CPU else palette.strong
            right += [("host CPU ", palette.dim), (f"{host.cpu_percent:.0f} %", busy)]
            if width >= 100:
                right += [("  load ", palette.dim), (f"{host.load1:.1f}", palette.strong)]
            if width >= 120 and host.psi_cpu is not None:
                right += [
                    ("  CPU pressure ", palette.dim),
                    (f"{host.psi_cpu:.0f} %", palette.strong),
                ]
            right.append((" ", palette.text))
        return right

    def _of_hosts(self) -> list[Part]:
        """Return how busy the least and the most busy of several are, and which that is."""
        palette = self.host.palette
        if (ends := idlest_and_busiest(self.model.fleet.hosts.values())) is None:
            return []
        _, busiest = ends
        busy = palette.warning if busiest.cpu_percent >= MUCH_CPU else palette.strong
        name = clip(shown(busiest.host), _NAME, self.host.glyphs.ellipsis)
        return [
            ("hosts' CPU ", palette.dim),
            (cpu_range(*ends), busy),
            ("  busiest ", palette.dim),
            (f"{name} ", palette.strong),
        ]
