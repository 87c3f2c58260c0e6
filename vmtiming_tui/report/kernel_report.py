"""What kernels took, as lines of text and as a table."""

from collections.abc import Iterable

from vmtiming_tui.analysis.kernel_times import KernelFigures, PartFigures
from vmtiming_tui.escape import plural, printable
from vmtiming_tui.model.kernel_events import KernelLog, Spans
from vmtiming_tui.model.plan import StormKind
from vmtiming_tui.report.tables import Align, Head, Note, Table, foreign, own, took
from vmtiming_tui.report.wording import short_seconds

_SLOWEST = 5
_SILENCES = 3
_NAMED = 5
_LEAST_TOLD_US = 1000
MOST_ROWS = 25


def kernel_lines(figures: Iterable[KernelFigures]) -> list[str]:
    """Return a few lines on what the kernels took."""
    return [line for each in figures for line in _lines(each)]


def kernel_title(figures: KernelFigures) -> str:
    """Return whose kernels these are."""
    apart = ", in a storm that does not count" if figures.kind is StormKind.DETAIL else ""
    about = f" ({printable(figures.label)})" if figures.label else ""
    return f"Kernel{about}, {plural(figures.boots, 'boot')}{apart}"


def _lines(figures: KernelFigures) -> list[str]:
    lines = [
        f"{kernel_title(figures)}: {figures.initcalls_count:,.0f} initcalls took "
        f"{short_seconds(figures.initcalls_total_s)} in all",
        *(
            f"  {_part(each, figures.boots)}"
            for each in figures.initcalls[:_SLOWEST]
            if each.median_s >= _LEAST_TOLD_US / 1e6
        ),
    ]
    if figures.levels:
        told = ((printable(each.name), short_seconds(each.median_s)) for each in figures.levels)
        lines.append(f"  by level: {', '.join(map(' '.join, told))}")
    lines += [
        f"  silent for {short_seconds(each.median_s)} before: {printable(each.name)}"
        for each in figures.silences[:_SILENCES]
    ]
    return lines + [f"  {note}" for note in _notes(figures)]


def _part(part: PartFigures, boots: int) -> str:
    between = f" ({short_seconds(part.low_s)} to {short_seconds(part.high_s)})"
    some = f", in {part.boots} of {boots}" if part.boots < boots else ""
    return (
        f"{short_seconds(part.median_s):>8} {printable(part.name)}"
        f"{between if part.boots > 1 else ''}{some}"
    )


def _notes(figures: KernelFigures) -> list[str]:
    notes = []
    if figures.pending:
        named = [printable(device) for device in figures.pending][:_NAMED]
        more = len(figures.pending) - len(named)
        others = f" and {more} more" if more else ""
        notes.append(f"waited for other devices in vain: {', '.join(named)}{others}")
    if figures.cut:
        notes.append(f"the begin of {plural(figures.cut, 'log')} was lost")
    return notes


def kernel_table(figures: KernelFigures) -> Table:
    """Return a row for each of the slowest initcalls and probes, levels and silences."""
    kinds = (
        ("initcall", figures.initcalls),
        ("level", figures.levels),
        ("probe", figures.probes[:_SLOWEST]),
        ("silence before", figures.silences[:_SLOWEST]),
    )
    return Table(
        heads=(
            Head("what", Align.LEFT),
            Head("name", Align.LEFT),
            Head("boots"),
            Head("median"),
            Head("lower quartile"),
            Head("upper quartile"),
        ),
        rows=tuple(
            (
                own(kind),
                foreign(part.name),
                own(str(part.boots)),
                took(part.median_s),
                took(part.low_s),
                took(part.high_s),
            )
            for kind, parts in kinds
            for part in parts[:MOST_ROWS]
        ),
        notes=tuple(Note(f"{note}.") for note in _notes(figures)),
    )


def log_sections(log: KernelLog) -> list[tuple[str, list[str]]]:
    """Return what one boot's kernel took, under headings: a line a part, the slowest first."""
    pending = set(log.pending)
    sections = [
        ("Slowest initcalls", _span_lines(log.initcalls)),
        ("Time by initcall level", _span_lines(log.levels)),
        ("Slowest probes", _span_lines(log.probes)),
        ("The kernel was silent before", _span_lines(log.silences)),
        ("Devices that waited for others", [each for each in log.deferred if each not in pending]),
        ("Devices that waited for others in vain", list(log.pending)),
    ]
    return [(title, lines) for title, lines in sections if lines]


def _span_lines(spans: Spans) -> list[str]:
    known = zip(spans.names, spans.took_us, strict=True)
    told = [f"{us / 1000:>9.1f}ms {name}" for name, us in known if us >= _LEAST_TOLD_US]
    return told[:MOST_ROWS]
