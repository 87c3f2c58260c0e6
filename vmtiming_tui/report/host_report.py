"""What each of several hosts came to, as a table and as lines, and which they are in few words."""

from collections.abc import Sequence

from vmtiming_tui.analysis.hosts import GoSkew, HostFigures, RunHosts
from vmtiming_tui.escape import one_line, plural
from vmtiming_tui.report.tables import (
    Align,
    Cell,
    Head,
    Note,
    Table,
    foreign,
    share,
    took,
)
from vmtiming_tui.report.wording import NOTHING, SHORT_NOTHING, short_seconds

_NAMED = 5


def hosts_words(names: Sequence[str]) -> str:
    """Return where a run was made: ``bench1``, or ``3 hosts (a, b, c)``, of many the first few."""
    if len(names) < 2:
        return "".join(names)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{plural(len(names), 'host')} ({', '.join(names[:_NAMED])}{more})"


def host_table(found: RunHosts) -> Table:
    """Return a row a host: its boots, how busy it was, how well its clock is known, and any loss.

    Notes say what of the run lies between two hosts.
    """
    titles = ("median", "mean", "p95", "fastest", "slowest", "CPU", "pressure", "clock")
    table = Table(
        heads=(
            Head("host", Align.LEFT),
            Head("booted"),
            *map(Head, titles),
        ),
        rows=tuple(map(_row, found.figures)),
        notes=tuple(Note(f"{words}.") for words in between_words(found)),
    )
    states = [foreign(state_words(each)) for each in found.figures]
    if any(state.text for state in states):
        table = table.with_column(Head("lost", Align.WRAPPED), states)
    return table


def _row(each: HostFigures) -> tuple[Cell, ...]:
    boot = each.boot
    return (
        foreign(each.name),
        share(each.booted, each.number),
        *(
            took(getattr(boot, name) if boot else None)
            for name in ("median", "mean", "p95", "min", "max")
        ),
        _percent(each.cpu_percent),
        _percent(each.pressure),
        _plus_minus(each.host.clock_error_ns),
    )


def _percent(value: float | None) -> Cell:
    if value is None:
        return Cell(NOTHING, SHORT_NOTHING, "")
    return Cell(f"{value:.0f} %", f"{value:.0f}%", repr(value))


def _plus_minus(uncertainty_ns: int) -> Cell:
    words = f"± {_ms(uncertainty_ns)}"
    return Cell(words, words, repr(uncertainty_ns))


def _ms(ns: int) -> str:
    return f"{ns / 1e6:.2f} ms"


def state_words(each: HostFigures) -> str:
    """Return whether a host was lost, when since the run's start, why, and whether it is back."""
    if not each.host.losses or each.lost_at_ns is None:
        return ""
    again = "" if each.host.lost else "; it has joined again"
    return f"lost at {each.lost_at_ns / 1e9:.1f} s: {each.host.losses[-1].why}{again}"


def host_lines(found: RunHosts | None) -> list[str]:
    """Return a line a host, and what of the run lies between two of them; nothing of one host."""
    if found is None:
        return []
    return [*map(_line, found.figures), *between_words(found)]


def _line(each: HostFigures) -> str:
    boot = each.boot
    parts = [f"{each.booted} of {each.number} booted"]
    if boot is not None and boot.median is not None:
        parts.append(f"median {short_seconds(boot.median)}")
    if boot is not None and boot.max > boot.min:
        parts.append(f"{short_seconds(boot.min)} to {short_seconds(boot.max)}")
    if each.cpu_percent is not None:
        parts.append(f"CPU {each.cpu_percent:.0f} %")
    if each.pressure is not None:
        parts.append(f"pressure {each.pressure:.0f} %")
    if state := state_words(each):
        parts.append(state)
    return f"Host {one_line(each.name)}: {one_line(', '.join(parts))}"


def between_words(found: RunHosts) -> list[str]:
    """Return what of a run begins on one host's clock and ends on another's, and how sure that is.

    Of several storms it is the one where most lies between them.
    """
    words = []
    if found.skews:
        words.append(_skew_words(max(found.skews, key=lambda each: each.skew_ns), found.skews))
    if found.whole_uncertainty_ns:
        unsure = _ms(found.whole_uncertainty_ns)
        words.append(
            f"From the first go to the last boot is told by two hosts' clocks, to ± {unsure}"
        )
    return words


def _skew_words(most: GoSkew, skews: Sequence[GoSkew]) -> str:
    upto, where = ("up to ", f" in storm {most.storm}") if len(skews) > 1 else ("", "")
    ends = f"{one_line(most.first)} first, {one_line(most.last)} last"
    apart = f"{upto}{_ms(most.skew_ns)} apart (± {_ms(most.uncertainty_ns)})"
    return f"Hosts let their VMs go {apart}{where}: {ends}"
