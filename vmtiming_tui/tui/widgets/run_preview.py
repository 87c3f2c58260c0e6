"""The run under the history's cursor, at a glance."""

import asyncio

from textual import work

from vmtiming_tui.errors import HistoryError
from vmtiming_tui.history.rows import StoredRun
from vmtiming_tui.model.fleet import RunState
from vmtiming_tui.tui.drawing.run_glance import RunGlance
from vmtiming_tui.tui.drawing.styled import Part
from vmtiming_tui.tui.state.glance import Glance
from vmtiming_tui.tui.state.past_runs import load_glance
from vmtiming_tui.tui.widgets.lines_widget import LinesWidget

_REST_S = 0.12
"""A cursor that rests so long on a run has its events read: that takes a while for a large one."""
_MOST_KEPT = 100


class RunPreview(LinesWidget):
    """Shows a run's row at once, and what its events tell when that was read beside the loop."""

    DEFAULT_CSS = "RunPreview { height: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  Textual's name
        super().__init__(id=id)
        self._run: StoredRun | None = None
        self._told: Glance | str = ""
        self._kept: dict[tuple[int, str], Glance] = {}

    def look_at(self, run: StoredRun | None) -> None:
        """Show this run, or none."""
        known = self._kept.get((run.key, run.run)) if run else None
        is_same = run is not None and self._run is not None and run.key == self._run.key
        self._show(run, known or (self._told if is_same else "reading its events ..."))
        if run is not None and known is None:
            self._read(run)

    def forget(self, run: StoredRun) -> None:
        """Read a run's events again when it is looked at next: it has changed."""
        self._kept.pop((run.key, run.run), None)

    @work(exclusive=True)
    async def _read(self, run: StoredRun) -> None:
        await asyncio.sleep(_REST_S)
        is_wanted = True
        try:
            glance = await asyncio.to_thread(load_glance, run, lambda: is_wanted)
        except HistoryError as error:
            self._show(run, f"{error.message}; {error.hint}")
            return
        finally:
            is_wanted = False  # the thread is told, where the cursor has moved on
        if run.state is not RunState.RUNNING:
            while len(self._kept) >= _MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[run.key, run.run] = glance
        self._show(run, glance)

    def _show(self, run: StoredRun | None, told: Glance | str) -> None:
        self._run, self._told = run, told
        self.renew()

    def lines(self, width: int) -> list[list[Part]]:
        """Return as many lines as there are; what is below the last one is not seen."""
        if self._run is None:
            return []
        glance = RunGlance(self._run, self._told, self.host.palette, self.host.glyphs)
        return glance.lines(width, self.size.height)
