"""The tables of a report, each made once: terminal, Markdown and HTML only render them.

A cell carries its two wordings and what they mean; marks, colours, escapes and widths are a
rendering's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum, auto
from typing import Self

from vmtiming_tui.analysis.stats import Figures, Interval
from vmtiming_tui.analysis.summary import Group, StormSummary, Summary, settings_label
from vmtiming_tui.analysis.sweep import Sweep
from vmtiming_tui.analysis.thresholds import Judged
from vmtiming_tui.escape import are, plural
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.report.wording import (
    NOTHING,
    RATE,
    SHORT_NOTHING,
    exact_seconds,
    in_seconds,
    short_change,
    short_seconds,
)


class Align(StrEnum):
    """How a column stands: figures right, names left, long words left and wrapped."""

    LEFT = auto()
    RIGHT = auto()
    WRAPPED = auto()


@dataclass(frozen=True, slots=True)
class Head:
    """A column's head; a detail is left out where there is little room."""

    title: str
    align: Align = Align.RIGHT
    short: str = ""
    is_detail: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a cell: ``text`` in a document, ``short`` in a terminal.

    ``sorts_as`` is the figure itself, with all of its digits; None where it is a word, empty where
    it is unknown. ``state`` is a VM's state that it tells, to be marked as such; ``is_foreign``
    says that its words are others'.
    """

    text: str
    short: str
    sorts_as: str | None = None
    state: VmState | None = None
    is_foreign: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence beside a table; ``about`` tells in foreign words what of it is meant."""

    text: str
    about: str = ""

    def __str__(self) -> str:
        return f"{self.about}: {self.text}" if self.about else self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table to be rendered: as many cells in each row as there are heads."""

    heads: tuple[Head, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[Note, ...] = ()

    def without_details(self) -> Self:
        """Return it without the columns that are details."""
        kept = [place for place, head in enumerate(self.heads) if not head.is_detail]
        return replace(
            self,
            heads=tuple(self.heads[place] for place in kept),
            rows=tuple(tuple(row[place] for place in kept) for row in self.rows),
        )

    def with_column(self, head: Head, cells: Sequence[Cell]) -> Self:
        """Return it with one more column at its right."""
        rows = tuple((*row, cell) for row, cell in zip(self.rows, cells, strict=True))
        return replace(self, heads=(*self.heads, head), rows=rows)


# Cells.


def own(text: str) -> Cell:
    """Return our own words, or a count."""
    return Cell(text, text)


def state_word(state: VmState) -> Cell:
    """Return how a VM stands."""
    return Cell(str(state), str(state), state=state)


def foreign(text: str) -> Cell:
    """Return words that came from elsewhere."""
    return Cell(text, text, is_foreign=True)


def took(value_s: float | None) -> Cell:
    """Return a duration (s)."""
    sorts_as = "" if value_s is None else repr(value_s)
    return Cell(exact_seconds(value_s), short_seconds(value_s), sorts_as)


def took_ns(value_ns: int | None) -> Cell:
    """Return a duration (ns)."""
    return took(in_seconds(value_ns))


def figure(value: float | None, exact: str, short: str) -> Cell:
    """Return a figure in these two formats."""
    if value is None:
        return Cell(NOTHING, SHORT_NOTHING)
    return Cell(format(value, exact), format(value, short))


def share(part: int, whole: int) -> Cell:
    """Return how many of how many."""
    return Cell(f"{part} of {whole}", f"{part}/{whole}")


def share_of(value: float | None) -> Cell:
    """Return a part of a whole in percent."""
    if value is None:
        return Cell(NOTHING, SHORT_NOTHING, "")
    words = f"{100 * value:.0f} %"
    return Cell(words, words, repr(value))


def median_cell(figures: Figures | None) -> Cell:
    """Return a sample's median (s)."""
    return took(figures.median if figures else None)


def between_cell(figures: Figures | None) -> Cell:
    """Return the median's interval, or the range where there are too few values for one."""
    if figures is None or figures.size < 2:
        return own(SHORT_NOTHING)
    interval = figures.interval
    low, high = (interval.low, interval.high) if interval else (figures.min, figures.max)
    return own(f"{short_seconds(low)}..{short_seconds(high)}")


def _reach(interval: Interval | None) -> Cell:
    if interval is None:
        return own(NOTHING)
    return own(f"{interval.low:.3f} to {interval.high:.3f} s")


# What sweeping and limits found.


def threshold_table(judged: Sequence[Judged]) -> Table:
    """Return a row for each threshold and setting: its figure, its limit, and whether it holds."""
    has_settings = any(each.parameters for each in judged)
    return Table(
        heads=(
            Head("threshold", Align.LEFT),
            *([Head("settings", Align.LEFT)] if has_settings else []),
            Head("figure", Align.LEFT),
            Head("measured"),
            Head("limit"),
            Head("", Align.LEFT),
        ),
        rows=tuple(
            (
                foreign(each.threshold.text),
                *([foreign(settings_label(each.parameters))] if has_settings else []),
                foreign(each.threshold.figure),
                took(each.figure_s),
                took(each.threshold.limit_s),
                own(f"{each.finding}: {each.why}" if each.why else str(each.finding)),
            )
            for each in judged
        ),
    )


def sweep_table(sweep: Sweep) -> Table:
    """Return a row a setting; the interval of the medians is a detail.

    Where settings were booted in several turns, each one's change against the reference stands
    beside it, and the notes say what that is worth.
    """
    table = Table(
        heads=(
            *(Head(name, Align.LEFT) for name in sweep.names),
            Head("storms"),
            Head("booted"),
            Head("boot"),
            Head("interval", is_detail=True),
            Head("all booted in"),
            Head("VMs per second", short="VMs/s"),
            Head("relative"),
        ),
        rows=tuple(
            (
                *(foreign(row.parameters.get(name, "")) for name in sweep.names),
                own(str(row.storms)),
                share(row.booted, row.attempts),
                median_cell(row.boot),
                between_cell(row.boot),
                median_cell(row.all_booted_in),
                figure(row.vms_per_s, RATE, ".3g"),
                figure(row.relative, ".2f", ".2f"),
            )
            for row in sweep.rows
        ),
    )
    if not sweep.against:
        return table
    found = {settings_label(group.parameters): group.boot for group in sweep.against}
    held = [found.get(settings_label(row.parameters)) for row in sweep.rows]
    changes = [short_change(each.percent) if each else "" for each in held]
    verdicts = [str(each.verdict) if each else "the reference" for each in held]
    table = table.with_column(Head("change"), [own(text) for text in changes])
    table = table.with_column(Head(""), [own(text) for text in verdicts])
    return replace(table, notes=sweep_notes(sweep))


def sweep_notes(sweep: Sweep) -> tuple[Note, ...]:
    """Return what each setting is against the reference; once, where it is of all the same."""
    said = {settings_label(group.parameters): group.words for group in sweep.against}
    if not said:
        return ()
    first = Note(
        "what the others are held against, round by round.", settings_label(sweep.reference)
    )
    if len(said) > 1 and len(set(said.values())) == 1:
        return first, Note(f"each of the others: {next(iter(said.values()))}.")
    return first, *(Note(f"{words}.", about) for about, words in said.items())


# One run's figures.


def figure_table(summary: Summary) -> Table:
    """Return the figures of a set of VMs, in the order they are read."""
    interval = summary.median_interval
    reach = (
        f"{exact_seconds(interval.low)} to {exact_seconds(interval.high)} "
        f"({100 * interval.confidence:.1f} %)"
        if interval
        else NOTHING
    )
    lost = [state for state in VmState if summary.counts.get(state) and state is not VmState.BOOTED]
    rows = [
        ("VMs", own(str(summary.number))),
        ("booted", own(str(summary.booted))),
        *((str(state), own(str(summary.counts[state]))) for state in lost),
        ("all booted in", took(summary.all_booted_in_s)),
        *_when_some_booted(summary),
        ("mean", took(summary.mean_s)),
        ("standard deviation", took(summary.stddev_s)),
        ("median", took(summary.median_s)),
        ("interval of the median", own(reach)),
        ("p90", took(summary.p90_s)),
        ("p95", took(summary.p95_s)),
        ("p99", took(summary.p99_s)),
        ("fastest", took(summary.min_s)),
        ("slowest", took(summary.max_s)),
        ("median absolute deviation", took(summary.mad_s)),
        ("launch skew", took(summary.launch_skew_s)),
        ("VMs per second", figure(summary.vms_per_s, RATE, RATE)),
        *((f"{part} % booted after", took(at)) for part, at in summary.time_to_s.items()),
        ("disturbed boots", own(str(summary.disturbed))),
        ("most disturbed for", took(summary.most_disturbed_s)),
    ]
    return Table(
        heads=(Head("figure", Align.LEFT), Head("value")),
        rows=tuple((own(name), value) for name, value in rows),
    )


def _when_some_booted(summary: Summary) -> list[tuple[str, Cell]]:
    if summary.booted in (0, summary.number):
        return []
    return [("those booted took", took(summary.last_booted_s))]


def stage_table(summary: Summary) -> Table:
    """Return a row for every stage that is known, the time before the start first.

    What comes after the boot is last. A note says how many boots it leaves out.
    """
    found = [
        ("qemu", summary.qemu),
        *((str(stage), figures) for stage, figures in summary.stages.items()),
        ("shutdown", summary.shutdown),
        ("qemu exit", summary.qemu_exit),
    ]
    known = [(name, figures) for name, figures in found if figures is not None]
    titles = ("boots", "median", "mean", "p95", "fastest", "slowest")
    some = f"{summary.doubtful} of {plural(summary.booted, 'boot')}"
    words = f"{some} {are(summary.doubtful)} doubtful and left out."
    return Table(
        heads=(Head("stage", Align.LEFT), *map(Head, titles)),
        rows=tuple(
            (
                own(name),
                own(str(each.size)),
                took(each.median),
                took(each.mean),
                took(each.p95),
                took(each.min),
                took(each.max),
            )
            for name, each in known
        ),
        notes=(Note(words),) if summary.doubtful else (),
    )


def storm_table(groups: Sequence[Group], storms: Iterable[StormSummary]) -> Table:
    """Return a row for each of these storms of the groups, and a note on each group's spread."""
    labels = {storm.number: group.label for group in groups for storm in group.storms}
    is_varied = any(labels.values())
    return Table(
        heads=(
            Head("storm", Align.LEFT),
            *([Head("settings", Align.LEFT)] if is_varied else []),
            Head("booted"),
            Head("median"),
            Head("interval", is_detail=True),
            Head("p95"),
            Head("slowest", is_detail=True),
            Head("all booted in"),
        ),
        rows=tuple(
            (
                own(str(storm.number)),
                *([foreign(labels[storm.number] or NOTHING)] if is_varied else []),
                share(storm.summary.booted, storm.summary.number),
                took(storm.summary.median_s),
                _reach(storm.summary.median_interval),
                took(storm.summary.p95_s),
                took(storm.summary.max_s),
                took(storm.summary.all_booted_in_s),
            )
            for storm in storms
        ),
        notes=tuple(
            Note(
                f"spread of boot times: {exact_seconds(group.spread.within)} within a storm, "
                f"{exact_seconds(group.spread.between)} between storms.",
                about=group.label,
            )
            for group in groups
            if group.spread is not None
        ),
    )
