"""The units of many boots as a table, and as lines of text."""

from dataclasses import replace

from vmtiming_tui.analysis.units.many_boots import (
    Quartiles,
    UnitFigures,
    UnitsOfBoots,
    sorted_units,
)
from vmtiming_tui.analysis.units.unit_sort import UnitSort
from vmtiming_tui.escape import are, plural
from vmtiming_tui.report.aligned import aligned_lines
from vmtiming_tui.report.tables import Align, Cell, Head, Note, Table, foreign, own, share, took
from vmtiming_tui.report.wording import SHORT_NOTHING

NO_UNITS = "No guest told of its units."


def unit_table(found: UnitsOfBoots, by: UnitSort, most: int | None = None) -> Table:
    """Return a row a unit, as many as wanted; notes say what is left out of the figures."""
    rows = sorted_units(found.units, by)[:most]
    titles = ("start", "time", "middle half", "own", "waited", "queued")
    notes = []
    if found.doubtful:
        some = f"{found.doubtful} of {plural(found.boots, 'boot')}"
        notes.append(Note(f"{some} {are(found.doubtful)} doubtful and in no time."))
    if not found.has_order:
        notes.append(Note("No guest told which unit waits for which: what waited is not known."))
    return Table(
        heads=(
            *map(Head, titles),
            Head("between storms", short="spread"),
            Head("on chain"),
            Head("ran"),
            Head("failed"),
            Head("unit", Align.LEFT),
        ),
        rows=tuple(_row(unit, found) for unit in rows),
        notes=tuple(notes),
    )


def _row(unit: UnitFigures, found: UnitsOfBoots) -> tuple[Cell, ...]:
    return (
        _median(unit.start),
        _median(unit.took),
        _half(unit.took),
        _median(unit.own),
        _median(unit.waited),
        _median(unit.queued),
        _time(unit.spread.between if unit.spread is not None else None),
        share(unit.on_chain, unit.told) if found.has_order else own(SHORT_NOTHING),
        share(unit.ran, unit.told),
        own(str(unit.failed)),
        foreign(unit.name),
    )


def _median(quartiles: Quartiles | None) -> Cell:
    return _time(quartiles.median if quartiles is not None else None)


def _time(value_s: float | None) -> Cell:
    """Return a time to the millisecond, in both wordings: most of them are short."""
    return replace(took(value_s), short=_milliseconds(value_s))


def _milliseconds(value_s: float | None) -> str:
    return SHORT_NOTHING if value_s is None else f"{value_s:.3f}s"


def _half(quartiles: Quartiles | None) -> Cell:
    if quartiles is None:
        return own(SHORT_NOTHING)
    return own(f"{_milliseconds(quartiles.low)}..{_milliseconds(quartiles.high)}")


def unit_lines(found: UnitsOfBoots, by: UnitSort, most: int | None = None) -> list[str]:
    """Return the table's lines, and below it what is to be said of it."""
    if not found.units:
        return [NO_UNITS]
    table = unit_table(found, by, most)
    notes = [note.text for note in table.notes]
    return [*aligned_lines(table), *(["", *notes] if notes else [])]
