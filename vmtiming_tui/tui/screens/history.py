"""Past runs: a still table, newest first; the way to each of them, and to comparisons."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.coordinate import Coordinate
from textual.widget import Widget
from textual.widgets import DataTable, Static

from vmtiming_tui.errors import HistoryError
from vmtiming_tui.escape import plural
from vmtiming_tui.history.rows import StoredRun
from vmtiming_tui.report.wording import short_seconds
from vmtiming_tui.request.labels import label_words
from vmtiming_tui.tui.drawing.braille import sparkline
from vmtiming_tui.tui.drawing.styled import shown
from vmtiming_tui.tui.screens.full_screen import FullScreen
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.state.keymap import Need, Scope
from vmtiming_tui.tui.state.past_runs import (
    brief,
    load_held,
    load_played,
    load_runs,
    load_trends,
)
from vmtiming_tui.tui.state.run_pair import held_run, pair_of

_SPARK_WIDTH = 12
_ROWS_AT_ONCE = 100
_HEADS = (
    "", "run", "when", "state", "storms", "booted", "median", "p95", "all booted in", "accel",
    "against", "completion", "labels",
)  # fmt: skip
_SPARK_COLUMN = _HEADS.index("completion")


def spark_values(run: StoredRun, width: int = _SPARK_WIDTH) -> list[float]:
    """Return how many VMs had booted, in percent, at ``width`` moments of the last storm."""
    if not run.curve:
        return []
    last_s, top = run.curve[-1]
    moments = [last_s * (at + 1) / width for at in range(width)]
    return [
        100 * max((k for at_s, k in run.curve if at_s <= moment), default=0) / max(top, 1)
        for moment in moments
    ]


class HistoryScreen(FullScreen[None]):
    """The runs that were kept: to open, to play, to hold beside this run or beside each other."""

    SCOPE = Scope.HISTORY
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(keymap.HISTORY)]
    AUTO_FOCUS = "#runs"

    def __init__(self, model: Model, *, compares: bool = False) -> None:
        super().__init__(model)
        self._compares = compares
        self.words = Static("Reading the history ...", id="history-words", markup=False)
        self.table: DataTable[Text] = DataTable(id="runs", cursor_type="row", zebra_stripes=True)
        self.runs: list[StoredRun] = []
        self.marked: StoredRun | None = None

    def body(self) -> Iterable[Widget]:
        """What is to be said, and the runs."""
        return self.words, self.table

    def on_mount(self) -> None:
        """Read the history beside the loop."""
        self.table.add_columns(*(Text(head) for head in _HEADS))
        self.run_worker(self._load(), exclusive=True)

    async def _load(self) -> None:
        try:
            runs, word = await asyncio.to_thread(load_runs)
        except HistoryError as error:
            self.words.update(shown(f"{error.message}. {error.hint}"))
            return
        ours = self.model.fleet.run.run if self.model.fleet.run else ""
        self.runs = [run for run in runs if run.run != ours]
        self._say(word)
        if self._compares and self.runs:
            self._hold(self.runs[0], None)
        await self._write()

    async def _write(self) -> None:
        """Fill the table, some rows at a time: keys are answered meanwhile."""
        for at, run in enumerate(self.runs):
            self.table.add_row(*self._row(run), key=str(run.key))
            if at % _ROWS_AT_ONCE == _ROWS_AT_ONCE - 1:
                await asyncio.sleep(0)

    def _say(self, word: str = "") -> None:
        compare = self.host.key_for("history.compare")
        says = (
            f"{plural(len(self.runs), 'run')}; enter opens one, "
            f"{compare} holds it beside {self._other()}"
        )
        self.words.update(shown(word) or (says if self.runs else "No other run has been kept yet."))

    def _other(self) -> str:
        return shown(self.marked.label) if self.marked else shown(self.model.called)

    def _row(self, run: StoredRun) -> list[Text]:
        when = datetime.fromtimestamp(run.wall_ns / 1e9).astimezone().strftime("%Y-%m-%d %H:%M")
        cells = [
            run.label, when, str(run.state), str(run.storms), f"{run.booted}/{run.boots}",
            *map(short_seconds, (run.median_s, run.p95_s, run.all_booted_in_s)), run.accel,
            run.baseline.label if run.baseline else "",
        ]  # fmt: skip
        told = [Text(shown(cell)) for cell in cells]
        labels = Text(shown(label_words(run.labels.items())))
        return [self._mark(run), *told, self._spark(run), labels]

    def _spark(self, run: StoredRun) -> Text:
        spark = sparkline(spark_values(run), self.host.glyphs.blocks, _SPARK_WIDTH)
        return Text(spark, self.host.palette.curve[-1])

    def restyle(self) -> None:
        """Fill in anew what has a colour of its own; the rest has the table's."""
        for row, run in enumerate(self.runs[: self.table.row_count]):
            self.table.update_cell_at(Coordinate(row, 0), self._mark(run))
            self.table.update_cell_at(Coordinate(row, _SPARK_COLUMN), self._spark(run))

    @property
    def current(self) -> StoredRun | None:
        """The run under the cursor."""
        row = self.table.cursor_row
        return self.runs[row] if 0 <= row < len(self.runs) else None

    def action_back(self) -> None:
        """Go back to the VMs."""
        self.dismiss()

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        self.table.move_cursor(row=max(self.table.cursor_row + rows, 0))

    def action_mark(self) -> None:
        """Mark a run, to hold the next one beside it rather than beside this run."""
        before, self.marked = self.marked, None if self.marked is self.current else self.current
        for run in (before, self.marked):
            if run is not None:
                self.table.update_cell_at(Coordinate(self.runs.index(run), 0), self._mark(run))
        self._say()

    def _mark(self, run: StoredRun) -> Text:
        sign = self.host.glyphs.mark if self.marked is run else " "
        return Text(sign, self.host.palette.warning)

    def on_data_table_row_selected(self) -> None:
        """Enter and a click open the run."""
        self.action_open()

    def action_open(self) -> None:
        """Look at the run under the cursor as it ended."""
        self._show_played(at_end=True)

    def action_replay(self) -> None:
        """Play the run under the cursor from its begin."""
        self._show_played(at_end=False)

    def _show_played(self, *, at_end: bool) -> None:
        if self.current is not None:
            self.run_worker(
                self._open(self.current, at_end=at_end), exclusive=True, group="compare"
            )

    async def _open(self, run: StoredRun, *, at_end: bool) -> None:
        self.words.update(f"Opening {shown(brief(run))} ...")
        there = self.host.there - {Need.ENGINE}
        try:
            played = await asyncio.to_thread(load_played, run, there, at_end=at_end)
        except HistoryError as error:
            self._complain(error)
            return
        finally:
            self._say()
        self.host.look_at(played)

    def _complain(self, error: HistoryError) -> None:
        hint = f"; {error.hint}" if error.hint else ""
        self.app.notify(shown(f"{error.message}{hint}"), severity="error", markup=False)

    def action_compare(self) -> None:
        """Hold the run under the cursor beside the marked one, or beside this run."""
        if self.current is not None:
            self._hold(self.current, self.marked)

    def action_trend(self) -> None:
        """Show how it went over the runs like the one under the cursor."""
        if self.current is not None:
            self.run_worker(self._show_trend(self.current), exclusive=True, group="compare")

    async def _show_trend(self, run: StoredRun) -> None:
        from vmtiming_tui.tui.screens.trend import TrendScreen

        self.words.update(f"Reading the runs like {shown(brief(run))} ...")
        try:
            trends = await asyncio.to_thread(load_trends, run, self.runs)
        except HistoryError as error:
            self._complain(error)
            return
        finally:
            self._say()
        if trends:
            self.app.push_screen(TrendScreen(self.model, trends))
        else:
            self.app.notify("Nothing of this run that counts has booted.", severity="warning")

    def _hold(self, run: StoredRun, other: StoredRun | None) -> None:
        if other is None and not self.model.figures.booted:
            self.app.notify("Nothing of this run has booted yet.", severity="warning")
            return
        self.run_worker(self._compare(run, other), exclusive=True, group="compare")

    async def _compare(self, run: StoredRun, other: StoredRun | None) -> None:
        from vmtiming_tui.tui.screens.compare import CompareScreen

        self.words.update(f"Holding {shown(brief(run))} beside {self._other()} ...")
        try:
            held = await asyncio.to_thread(load_held, run)
            if other is None:
                with self.model.held():  # its events wait, as the fleet is read by a thread
                    ours = await asyncio.to_thread(held_run, self.model.fleet, self.model.called)
                first, second = held, ours
            else:
                first, second = await asyncio.to_thread(load_held, other), held
            both = await asyncio.to_thread(pair_of, first, second)
        except HistoryError as error:
            self._complain(error)
            return
        finally:
            self._say()
        self.app.push_screen(CompareScreen(self.model, both))
