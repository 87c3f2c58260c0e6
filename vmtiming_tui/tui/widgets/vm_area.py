"""What grid and list have in common: a cursor over VMs, scrolling, careful repainting."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeAlias

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from vmtiming_tui.model.fleet import RunState
from vmtiming_tui.tui.app_protocol import Hosted
from vmtiming_tui.tui.drawing.styled import Part, clip, filled, segments, shown
from vmtiming_tui.tui.state.dashboard import Change, Model
from vmtiming_tui.tui.widgets.lines_widget import ground

Line: TypeAlias = tuple[list[Part], int]


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, count) of each run of consecutive numbers."""
    ordered = enumerate(sorted(numbers))
    for _, pairs in groupby(ordered, lambda pair: pair[1] - pair[0]):
        members = [number for _, number in pairs]
        yield members[0], len(members)


class VmArea(Hosted, ScrollView, can_focus=False):
    """Shows the model's VMs in rows of ``columns``, each row ``row_height`` lines high.

    ``begins`` is where in the order shown each row begins.
    A row is drawn once and kept until one of its VMs changes, the clock moves it, or the cursor
    comes or goes.
    """

    DEFAULT_CSS = (
        "VmArea { height: 1fr; width: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; }"
    )

    class Chosen(Message):
        """A VM was clicked on a second time: it is to be opened."""

        def __init__(self, vm: int) -> None:
            super().__init__()
            self.vm = vm

    class Moved(Message):
        """The cursor or the marks have moved."""

    def __init__(self, model: Model, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.model = model
        self.columns = 1
        self.row_height = 1
        self.begins: Sequence[int] = range(0)
        self.cursor = 0
        self._rows: dict[int, list[Strip]] = {}
        self._moving: set[int] = set()
        self._place: dict[int, int] = {}
        self.under = Style()
        self.room = Size(1, 1)
        self._width = 1
        self._laid_out = False

    # What subclasses say.

    def reshape(self) -> None:
        """Reckon the layout anew for the size and the number of VMs."""
        raise NotImplementedError

    def rows_begin(self) -> Sequence[int]:
        """Return where in the order shown each row begins, once the layout is reckoned."""
        return range(0, len(self.model.view.shown), self.columns)

    def draw_row(self, row: int, now_ns: int) -> tuple[list[Line], bool]:
        """Return a row's lines with their widths, and whether the clock alone changes them."""
        raise NotImplementedError

    def forget(self, vms: Iterable[int]) -> None:
        """Drop what is kept of these VMs."""

    # Rows.

    def row_of(self, index: int) -> int:
        """Return the row of a place in the order shown."""
        return max(bisect_right(self.begins, index) - 1, 0)

    def ids_of(self, row: int) -> list[int]:
        """Return the VMs of a row."""
        first, after = self.begins[row], row + 1
        end = self.begins[after] if after < len(self.begins) else None
        return self.model.view.shown[first:end]

    # Cursor.

    @property
    def current(self) -> int | None:
        """The VM under the cursor."""
        ids = self.model.view.shown
        return ids[min(self.cursor, len(ids) - 1)] if ids else None

    def put_cursor(self, index: int) -> None:
        """Move the cursor to a place in the order shown, and scroll it into view."""
        last = len(self.model.view.shown) - 1
        index = max(0, min(index, last))
        before, self.cursor = self.cursor, index
        row = self.row_of(index)
        self.repaint({self.row_of(before), row})
        self._show_row(row)
        self.post_message(self.Moved())

    def put_cursor_on(self, vm: int) -> None:
        """Move the cursor to a VM if it is shown."""
        if (place := self._place.get(vm)) is not None:
            self.put_cursor(place)

    def move(self, across: int, down: int) -> None:
        """Move the cursor by cells and rows; it stays at the ends."""
        self.put_cursor(self._place_at(down) if down else self.cursor + across)

    def _place_at(self, down: int) -> int:
        """Return the place so many rows from the cursor's, in its column as far as there is one."""
        here, last = self.row_of(self.cursor), len(self.begins) - 1
        row = here + down
        if (row < 0 and down == -1) or not self.begins or (row > last and here == last):
            return self.cursor
        if row > last:
            return len(self.model.view.shown) - 1
        row = max(row, 0)
        place = self.begins[row] + self.cursor - self.begins[here]
        return min(place, self.begins[row] + len(self.ids_of(row)) - 1)

    def page(self, step: int) -> None:
        """Move the cursor by the rows that are visible."""
        rows = max(self.size.height // self.row_height - 1, 1)
        self.move(0, step * rows)

    def _show_row(self, row: int) -> None:
        top, bottom = row * self.row_height, (row + 1) * self.row_height
        offset, height = round(self.scroll_y), self.size.height
        if top < offset:
            self.scroll_to(y=top, animate=False, force=True)
        elif bottom > offset + height:
            self.scroll_to(y=bottom - height, animate=False, force=True)

    # Painting.

    def tick(self, change: Change) -> None:
        """Take in what one turn brought, and repaint what it changed."""
        if change.new_run or change.order:
            self.rebuild()
            return
        view_rows, stands = self._visible_rows(), self.model.is_frozen or change.between
        stale = set() if stands else {row for row in self._moving if row in view_rows}
        if change.vms:
            self.forget(change.vms)
            place, row_of = self._place, self.row_of
            stale |= {row_of(place[vm]) for vm in change.vms if vm in place}
        self.repaint(stale)

    def ground(self) -> Style:
        """Return the style that lies under everything."""
        return ground(self, self.host.palette)

    def lay_out(self) -> int:
        """Reckon layout and places anew, keeping the cursor on its VM; return how many lines."""
        ids = self.model.view.shown
        held = next((vm for vm, at in self._place.items() if at == self.cursor), None)
        self._place = {vm: at for at, vm in enumerate(ids)}
        self.cursor = self._place.get(held, self.cursor) if held is not None else self.cursor
        self.cursor = max(0, min(self.cursor, len(ids) - 1))
        self.under, whole = self.ground(), self.outer_size
        for scrollbar in (0, 1):
            self.room = Size(max(whole.width - scrollbar, 1), whole.height)
            self.reshape()
            self.begins = self.rows_begin()
            lines = len(self.begins) * self.row_height
            if lines <= whole.height:
                break
        self._width = self.room.width
        self._laid_out = True
        self.forget(list(self._place))
        self._rows.clear()
        self._moving.clear()
        return lines

    def rebuild(self) -> None:
        """Lay everything out anew and draw it."""
        lines = self.lay_out()
        self.virtual_size = Size(self.room.width, lines)
        self.refresh()

    def repaint(self, rows: Iterable[int]) -> None:
        """Draw these rows again, those that can be seen at once."""
        view_rows = self._visible_rows()
        seen = []
        for row in rows:
            self._rows.pop(row, None)
            if row in view_rows:
                seen.append(row)
        width, offset = self.size.width, self.scroll_offset.y
        for first, count in _runs(seen):
            top = first * self.row_height - offset
            self.refresh(Region(0, top, width, count * self.row_height))

    def _visible_rows(self) -> range:
        offset, height = self.scroll_offset.y, self.size.height
        return range(offset // self.row_height, -(-(offset + height) // self.row_height))

    def restyle(self) -> None:
        """Draw everything again."""
        self.rebuild()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines of a region; they carry their background, there is nothing to add."""
        if not self._laid_out:
            self.lay_out()  # painted before the first resize is told, with VMs known already
        offset = self.scroll_offset.y
        strips = [self._line(y, y + offset) for y in crop.line_range]
        if self._width < crop.right and not self.show_vertical_scrollbar:
            # The scrollbar comes or goes a moment after the layout that needs it, or does not.
            strips = [strip.adjust_cell_length(crop.right, self.under) for strip in strips]
        if crop.x or crop.right < self._width:
            return [strip.crop(crop.x, crop.right) for strip in strips]
        return strips

    def render_line(self, y: int) -> Strip:
        """Return one visible line, without the scrollbar's column."""
        return self._line(y, y + self.scroll_offset.y)

    def _line(self, y: int, at: int) -> Strip:
        """Return the line that is ``y`` down the widget, and ``at`` down all there is."""
        row, line = divmod(at, self.row_height)
        strips = self._rows.get(row)
        if strips is None:
            if row >= len(self.begins) or self.begins[row] >= len(self.model.view.shown):
                return self._beyond(y)
            lines, moving = self.draw_row(row, self.model.now_ns)
            strips = self._rows[row] = [self._strip(*line) for line in lines]
            (self._moving.add if moving else self._moving.discard)(row)
        return strips[line]

    def _beyond(self, y: int) -> Strip:
        """Return a line below the last VM; where there is none at all, one line says why."""
        width = self._width
        if not self.model.view.shown and y == min(self.size.height // 3, 8):
            words = clip(self._nothing(), width, self.host.glyphs.ellipsis)
            before = " " * ((width - cell_len(words)) // 2)
            text = filled(before + words, width)
            segment = Segment(text, self.under + self.host.palette.dim)
            return Strip([segment]).adjust_cell_length(width, self.under)
        return Strip.blank(width, self.under)

    def _strip(self, parts: list[Part], used: int) -> Strip:
        """Return a line's parts, which take ``used`` cells, as a strip of the full width."""
        pieces = segments(parts, self.under)
        if used < self._width:
            pieces.append(Segment(" " * (self._width - used), self.under))
        strip = Strip(pieces, max(used, self._width))
        return strip if used <= self._width else strip.crop(0, self._width)

    def _nothing(self) -> str:
        """Return why there is no VM to be seen."""
        if self.model.fleet.vms:
            back = self.host.key_for("main.back")
            return f"No VM matches {shown(self.model.view.filter_text)}; {back} shows all"
        if self.model.fleet.state is RunState.WAITING:
            return "Starting: looking at the host, the images and the accelerator"
        return "No VM yet"

    # Events of Textual.

    def on_resize(self) -> None:
        """Lay out anew for the new size."""
        self.rebuild()
        if self.model.view.shown:
            self._show_row(self.row_of(self.cursor))

    def _index_at(self, event: events.Click) -> int | None:
        row = (event.y + self.scroll_offset.y) // self.row_height
        column = (event.x - self.left) // max(self.cell_width, 1)
        if row >= len(self.begins) or not 0 <= column < len(self.ids_of(row)):
            return None
        return self.begins[row] + column

    @property
    def cell_width(self) -> int:
        """How wide one VM is."""
        return self.room.width

    @property
    def left(self) -> int:
        """How much room there is before the first VM of a row."""
        return 0

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the click is; a second click opens, with ctrl or shift it marks."""
        index = self._index_at(event)
        if index is None:
            return
        if event.ctrl or event.shift:
            self.put_cursor(index)
            self.mark_current()
        elif index == self.cursor and self.current is not None:
            self.post_message(self.Chosen(self.current))
        else:
            self.put_cursor(index)

    def mark_current(self) -> None:
        """Mark the VM under the cursor, or take its mark away."""
        if (vm := self.current) is not None:
            self.model.view.toggle_mark(vm)
            self.forget([vm])
            self.repaint({self.row_of(self.cursor)})
            self.post_message(self.Moved())


class SignedArea(VmArea):
    """One that knows the names of the signs it is drawn with, for a legend that matches."""

    class SignsChanged(Message):
        """Rows were drawn with other signs than before."""

    def __init__(self, model: Model, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(model, id=id)
        self._signs: dict[int, frozenset[str]] = {}
        self._told: frozenset[str] = frozenset()
        self._is_telling = False

    def note_signs(self, row: int, signs: frozenset[str]) -> None:
        """Take in what a row was drawn with; told once till somebody asks."""
        if self._signs.get(row) != signs and not self._is_telling:
            self._is_telling = True
            self.post_message(self.SignsChanged())
        self._signs[row] = signs

    def take_signs(self) -> frozenset[str]:
        """Return the names of what the rows that can be seen are drawn with.

        While some of them are still to be drawn it is what it was before.
        """
        self._is_telling = False
        rows = [row for row in self._visible_rows() if row < len(self.begins)]
        if all(row in self._signs for row in rows):
            self._told = frozenset().union(*(self._signs[row] for row in rows))
        return self._told
