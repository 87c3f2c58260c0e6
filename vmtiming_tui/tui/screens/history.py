"""Past runs: a list, newest first, what the one under the cursor was, and what is done with it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual import events, work
from textual.binding import BindingType
from textual.containers import Container
from textual.coordinate import Coordinate
from textual.widget import Widget
from textual.widgets import DataTable, Input, Static

from vmtiming_tui.analysis.comparison.samples import moment
from vmtiming_tui.errors import HistoryError
from vmtiming_tui.escape import plural
from vmtiming_tui.history.finding import matching
from vmtiming_tui.history.rows import StoredRun
from vmtiming_tui.model.fleet import RunState
from vmtiming_tui.request.labels import read_name
from vmtiming_tui.tui.drawing.run_columns import RunColumn, aligned, run_cell, run_columns
from vmtiming_tui.tui.drawing.styled import BLANK, shown
from vmtiming_tui.tui.screens.confirm import ConfirmScreen
from vmtiming_tui.tui.screens.full_screen import FullScreen
from vmtiming_tui.tui.screens.run_words import RunWordsScreen
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.state.keymap import Need, Scope
from vmtiming_tui.tui.state.past_runs import (
    brief,
    load_held,
    load_played,
    load_runs,
    load_trends,
    note_run,
    remove_run,
    rename_run,
)
from vmtiming_tui.tui.state.played_run import PlayedRun
from vmtiming_tui.tui.state.run_pair import held_run, pair_of
from vmtiming_tui.tui.widgets.field import Field
from vmtiming_tui.tui.widgets.run_preview import RunPreview

_ROWS_AT_ONCE = 100
_BESIDE_FROM = 112
_LOOK_EVERY_S = 2.0


class HistoryScreen(FullScreen[None]):
    """The runs that were kept: to look at, to play, to compare, to name and to forget."""

    SCOPE = Scope.HISTORY
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(keymap.HISTORY)]
    AUTO_FOCUS = "#runs"

    def __init__(self, model: Model, *, compares: bool = False) -> None:
        super().__init__(model)
        self._compares = compares
        self.words = Static("Reading the history ...", id="history-words", markup=False)
        self.table: DataTable[Text] = DataTable(id="runs", cursor_type="row", zebra_stripes=True)
        self.preview = RunPreview(id="preview")
        self.filter = Field(placeholder="label:key=value, nightly*, state, word; ! inverts",
                            id="filter")  # fmt: skip
        self.runs: list[StoredRun] = []
        self.marked: StoredRun | None = None
        self._all: list[StoredRun] = []
        self._columns: tuple[RunColumn, ...] = ()
        self._word = self._filter_text = ""

    def body(self) -> Iterable[Widget]:
        """What is to be said, the runs, and the one under the cursor."""
        yield self.words
        yield Container(self.table, Container(self.preview, id="preview-box"), id="past")
        yield self.filter

    def on_mount(self) -> None:
        """Read the history beside the loop."""
        self.filter.display = False
        self._load()
        self.set_interval(_LOOK_EVERY_S, self._follow)

    # The list.

    def _follow(self) -> None:
        """Look again at what there is while a run of the list goes on."""
        if self.is_current and any(run.state is RunState.RUNNING for run in self._all):
            self._load()

    @work(exclusive=True, group="load")
    async def _load(self) -> None:
        """Read the list, and put the cursor on the run that it was on."""
        kept = self.current
        try:
            runs, self._word = await asyncio.to_thread(load_runs)
        except HistoryError as error:
            self.words.update(shown(f"{error.message}. {error.hint}"))
            return
        ours = self.model.fleet.run.run if self.model.fleet.run else ""
        listed = [run for run in runs if run.run != ours]
        if self._columns and listed == self._all:
            return
        self._all = listed
        self.marked = self._again(self._all, self.marked)
        self._choose(kept)
        if self._compares and self.runs:
            self._compares = False
            self._hold(self.runs[0], None)

    @staticmethod
    def _again(runs: Iterable[StoredRun], run: StoredRun | None) -> StoredRun | None:
        """Return a run as it is listed now."""
        return next((each for each in runs if run and (each.key, each.run) == (run.key, run.run)),
                    None)  # fmt: skip

    def _choose(self, cursor_on: StoredRun | None) -> None:
        """List what the filter leaves."""
        self.runs = matching(self._all, self._filter_text)
        self._write(cursor_on)

    @work(exclusive=True, group="write")
    async def _write(self, cursor_on: StoredRun | None) -> None:
        """Fill the table, some rows at a time: keys are answered meanwhile."""
        columns, row = run_columns(self._list_width), self.table.cursor_row
        if columns != self._columns:
            self._columns = columns
            self.table.clear(columns=True)
            self.table.add_columns(*(Text(aligned(column, column)) for column in columns))
        else:
            self.table.clear()
        again = self._again(self.runs, cursor_on)
        wanted = self.runs.index(again) if again is not None else min(row, len(self.runs) - 1)
        for at, run in enumerate(self.runs):
            self.table.add_row(*self._row(run))
            if at == wanted:
                self.table.move_cursor(row=at)
            if at % _ROWS_AT_ONCE == _ROWS_AT_ONCE - 1:
                await asyncio.sleep(0)
        self._say()
        self.preview.look_at(self.current)

    def _row(self, run: StoredRun) -> list[Text]:
        return [self._cell(run, column) for column in self._columns]

    def _cell(self, run: StoredRun, column: RunColumn) -> Text:
        if column is RunColumn.MARK:
            return self._mark(run)
        cell = run_cell(run, column, self._list_width, self.host.glyphs)
        return Text(aligned(column, cell), self._style(column))

    def _style(self, column: RunColumn) -> Style:
        return self.host.palette.curve[-1] if column is RunColumn.COMPLETION else BLANK

    def _mark(self, run: StoredRun) -> Text:
        sign = self.host.glyphs.mark if self.marked is run else " "
        return Text(sign, self.host.palette.warning)

    @property
    def _list_width(self) -> int:
        return self.table.size.width or self.size.width

    def on_resize(self, event: events.Resize) -> None:
        """Put the preview beside the list where there is room, and as many columns as fit."""
        self.query_one("#past").set_class(event.size.width >= _BESIDE_FROM, "-beside")
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        if self._columns and run_columns(self._list_width) != self._columns:
            self._choose(self.current)

    def restyle(self) -> None:
        """Fill in anew what has a colour of its own; the rest has the table's."""
        if self._columns:
            self._choose(self.current)

    @property
    def current(self) -> StoredRun | None:
        """The run under the cursor."""
        row = self.table.cursor_row
        return self.runs[row] if 0 <= row < len(self.runs) else None

    # What is said.

    def _say(self, doing: str = "") -> None:
        self.words.update(shown(doing or self._word or self._says()))

    def _says(self) -> str:
        if not self._all:
            return "No other run has been kept yet."
        count = plural(len(self._all), "run")
        if self._filter_text:
            count = f"{len(self.runs):,} of {count} match {self._filter_text}"
        key = self.host.key_for
        other = self.marked.label if self.marked else self.model.called
        return (
            f"{count}; {key('history.open')} opens one, {key('history.replay')} plays it, "
            f"{key('history.compare')} holds it beside {other}"
        )

    def _complain(self, error: HistoryError) -> None:
        """Say what went wrong, and look again at what there is."""
        hint = f"; {error.hint}" if error.hint else ""
        self.app.notify(shown(f"{error.message}{hint}"), severity="error", markup=False)
        self._load()

    # The run under the cursor.

    def on_data_table_row_highlighted(self) -> None:
        """The cursor has moved."""
        self.preview.look_at(self.current)

    # Moving and choosing.

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        self.table.move_cursor(row=max(self.table.cursor_row + rows, 0))

    def action_to_end(self, way: int) -> None:
        """Go to the first or the last run."""
        self.table.move_cursor(row=0 if way < 0 else max(len(self.runs) - 1, 0))

    def action_mark(self) -> None:
        """Mark a run, to hold the next one beside it rather than beside this run."""
        before, self.marked = self.marked, None if self.marked is self.current else self.current
        for run in (before, self.marked):
            if run in self.runs[: self.table.row_count]:
                self.table.update_cell_at(Coordinate(self.runs.index(run), 0), self._mark(run))
        self._say()

    def action_filter(self) -> None:
        """Ask which runs to show."""
        self.filter.value = self._filter_text
        self.filter.display = True
        self.filter.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while typing."""
        if self.filter.display and event.value.strip() != self._filter_text:
            self._set_filter(event.value)

    def on_input_submitted(self) -> None:
        """Keep the filter and go back to the runs."""
        self._end_filter()

    def _set_filter(self, text: str) -> None:
        """Show what matches."""
        cursor_on, self._filter_text = self.current, text.strip()
        self._choose(cursor_on)

    def _end_filter(self) -> None:
        self.filter.display = False
        self.table.focus()

    def action_back(self) -> None:
        """Leave the filter's line; drop the filter; go back to the VMs."""
        if self.filter.display:
            self._end_filter()
        elif self._filter_text:
            self._set_filter("")
        else:
            self.dismiss()

    # What is done with a run.

    @work(exclusive=True, group="do")
    async def _do(self, doing: str, act: Callable[[], Awaitable[None]]) -> None:
        """Do what takes a while, one thing at a time, and say so; what cannot be done is said."""
        self._say(doing)
        try:
            await act()
        except HistoryError as error:
            self._complain(error)
        finally:
            self._say()

    def on_data_table_row_selected(self) -> None:
        """Enter opens the run, and so does a second click."""
        self.action_open()

    def action_open(self) -> None:
        """Look at the run under the cursor as it ended."""
        if (run := self.current) is not None:
            self._do(f"Opening {brief(run)} ...", partial(self._play, run, at_end=True))

    def action_replay(self) -> None:
        """Play the run under the cursor from its begin."""
        if (run := self.current) is not None:
            self._do(f"Opening {brief(run)} ...", partial(self._play, run, at_end=False))

    async def _load_played(self, run: StoredRun, *, at_end: bool) -> PlayedRun:
        there = self.host.there - {Need.ENGINE}
        return await asyncio.to_thread(load_played, run, there, at_end=at_end)

    async def _play(self, run: StoredRun, *, at_end: bool) -> None:
        self.host.look_at(await self._load_played(run, at_end=at_end))

    def action_export(self) -> None:
        """Ask where to write the figures of the run under the cursor."""
        if (run := self.current) is not None:
            self._do(f"Reading {brief(run)} ...", partial(self._export, run))

    async def _export(self, run: StoredRun) -> None:
        from vmtiming_tui.tui.screens.exporting import export_of_run

        self.app.push_screen(export_of_run(await self._load_played(run, at_end=True)))

    def action_trend(self) -> None:
        """Show how it went over the runs like the one under the cursor."""
        if (run := self.current) is not None:
            self._do(f"Reading the runs like {brief(run)} ...", partial(self._show_trend, run))

    async def _show_trend(self, run: StoredRun) -> None:
        from vmtiming_tui.tui.screens.trend import TrendScreen

        trends = await asyncio.to_thread(load_trends, run, self._all)
        if trends:
            self.app.push_screen(TrendScreen(self.model, trends))
        else:
            self.app.notify("Nothing of this run that counts has booted.", severity="warning")

    def action_compare(self) -> None:
        """Hold the run under the cursor beside the marked one, or beside this run."""
        if self.current is not None:
            self._hold(self.current, self.marked)

    def _hold(self, run: StoredRun, other: StoredRun | None) -> None:
        if other is None and not self.model.figures.booted:
            self.app.notify("Nothing of this run has booted yet.", severity="warning")
            return
        beside = other.label if other else self.model.called
        self._do(f"Holding {brief(run)} beside {beside} ...", partial(self._compare, run, other))

    async def _compare(self, run: StoredRun, other: StoredRun | None) -> None:
        from vmtiming_tui.tui.screens.compare import CompareScreen

        held = await asyncio.to_thread(load_held, run)
        if other is None:
            with self.model.held():  # its events wait, as the fleet is read by a thread
                ours = await asyncio.to_thread(held_run, self.model.fleet, self.model.called)
            first, second = held, ours
        else:
            first, second = await asyncio.to_thread(load_held, other), held
        both = await asyncio.to_thread(pair_of, first, second)
        self.app.push_screen(CompareScreen(self.model, both))

    # What is changed of a run.

    def action_name(self) -> None:
        """Ask for another name."""
        if (run := self.current) is not None:
            label = f"Name of run {run.run}; empty for none"
            self._ask(run, RunWordsScreen("Name", shown(label), run.name, read_name), rename_run)

    def action_note(self) -> None:
        """Ask for other notes."""
        if (run := self.current) is not None:
            label = f"Notes to {run.label}"
            self._ask(run, RunWordsScreen("Notes", shown(label), run.notes, str), note_run)

    def _ask(
        self, run: StoredRun, form: RunWordsScreen, keep: Callable[[StoredRun, str], None]
    ) -> None:
        def answered(words: str | None) -> None:
            if words is not None:
                self._do("Keeping it ...", partial(self._change, run, partial(keep, run, words)))

        self.app.push_screen(form, answered)

    def action_delete(self) -> None:
        """Forget the run under the cursor, after a question."""
        run = self.current
        if run is None:
            return
        if run.state is RunState.RUNNING:
            words = f"{run.label} still goes on; it can be forgotten once it has ended."
            self.app.notify(shown(words), severity="warning", markup=False)
            return
        named = f", run {run.run}" if run.name else ""
        question = (
            f"Forget {run.label}{named}, of {moment(run.wall_ns)}? It cannot be brought back."
        )

        def answered(yes: bool | None) -> None:
            if yes:
                self._do("Forgetting it ...", partial(self._change, run, partial(remove_run, run)))

        self.app.push_screen(ConfirmScreen("Forget", shown(question), yes="Forget"), answered)

    async def _change(self, run: StoredRun, change: Callable[[], None]) -> None:
        await asyncio.to_thread(change)
        self.preview.forget(run)
        self._load()
