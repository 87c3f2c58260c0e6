"""Every key of the dashboard, once: bindings, footer, help, palette and manual follow from this.

A user's keymap (``[keys]`` in ``config.toml``) names a key by its id: ``"main.rerun" = "f5"``.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from textual.binding import Binding

from vmtiming_tui.tui.state.key import (
    LIVE as LIVE,
    Key as Key,
    Need as Need,
    key_name as key_name,
    key_names as key_names,
)
from vmtiming_tui.tui.state.past_keys import (
    HISTORY as HISTORY,
    PLAYER as PLAYER,
    PLAYER_IN_DETAIL as PLAYER_IN_DETAIL,
)


class Scope(StrEnum):
    """Where a key works, as a heading says it."""

    ANYWHERE = "Anywhere"
    MAIN = "All VMs"
    DETAIL = "One VM"
    PLAYER = "A stored run"
    HISTORY = "The history"
    COMPARE = "The comparison"
    STORMS = "The storms"
    TREND = "The trend"
    UNITS = "The units"
    HOSTS = "The hosts"
    WARNINGS = "Warnings and notices"
    DIALOG = "Any dialog"
    CONFIRM = "A question"
    FORM = "Any form"
    EXPORT = "The export"
    NEW_RUN = "A new run"
    ENGINE_ERROR = "What went wrong with the engine"
    HELP = "The help"


STATE_KEYS = ("starting", "connected", "booted", "failed", "timed out", "killed")

ANYWHERE = (
    Key("help", "question_mark,f1", "app.help", "help", "Show every key", "Anywhere", 1),
    Key("palette", "ctrl+p", "command_palette", "palette", "Find any action by its name",
        "Anywhere", 90),
    Key("screenshot", "ctrl+s", "app.screenshot", "screenshot",
        "Save this screen as an SVG picture in the current folder; from a browser, download it",
        "Anywhere", 80),
    Key("theme", "ctrl+t", "app.switch_theme", "theme",
        "Switch between the dark and the light theme", "Anywhere", 85),
    Key("suspend", "ctrl+z", "suspend_process", "suspend",
        "Go back to the shell; the run goes on (fg comes back)", "Anywhere", needs=Need.TERMINAL),
    Key("quit", "q,ctrl+q,ctrl+c", "leave", "quit", "Leave; asks while VMs run", "Anywhere", 2,
        "q", needs=Need.TERMINAL),
)  # fmt: skip

MAIN = (
    Key("main.detail", "enter", "detail", "detail", "Look into the VM under the cursor", "VMs", 10),
    Key("main.rerun", "r", "rerun", "rerun", "Boot the marked VMs again, or the current one",
        "Runs", 11, needs=Need.ENGINE),
    Key("main.rerun_failed", "R", "rerun_failed", "rerun failed",
        "Boot every VM again that failed, timed out or was killed", "Runs", 22, needs=Need.ENGINE),
    Key("main.rerun_all", "ctrl+r", "rerun_all", "rerun all", "Boot every VM again", "Runs", 60,
        needs=Need.ENGINE),
    Key("main.new_run", "n", "new_run", "new run", "Start a run with other settings", "Runs", 16,
        needs=Need.ENGINE),
    Key("main.kill", "K", "kill", "kill", "Kill the marked VMs, or the current one; asks first",
        "Runs", 26, needs=Need.ENGINE),
    Key("main.export", "e", "export", "export", "Write the figures to a file", "Results", 12),
    Key("main.copy", "y", "copy", "copy cmd", "Copy the VM's QEMU command", "Results", 50),
    Key("main.history", "H", "history", "history", "Past runs, and this run beside one of them",
        "Results", 30),
    Key("main.compare", "c", "compare", "compare",
        "Hold this run beside the newest one before it", "Results", 32),
    Key("main.storms", "w", "storms", "storms",
        "The storms one by one, each setting against the first, and what is left", "Results", 33),
    Key("main.units", "u", "units", "units", "What each unit of the guests took, over all boots",
        "Results", 31),
    Key("main.hosts", "s", "hosts", "hosts",
        "The hosts of a run on several, and which of them to show the VMs of", "Results", 14,
        needs=Need.HOSTS),
    Key("main.warnings", "W", "warnings", "warnings",
        "Everything that went wrong, was warned of or noticed", "Results", 14),
    Key("main.view", "v", "toggle_view", "list/grid", "Switch between the grid and the list",
        "View", 15),
    Key("main.picture", "t", "next_picture", "picture",
        "Draw the VMs in another way: lanes on a time axis, a sign each, charts of all", "View",
        17),
    Key("main.freeze", "p", "freeze", "hold",
        "Hold the picture still; the VMs and the engine go on", "View", 28),
    Key("main.filter", "slash", "filter", "filter",
        "Show only VMs that match: a state, an id, 3-7, >20 (seconds), host:NAME, a word; "
        "! inverts", "View", 13),
    *(
        Key(f"main.state_{number}", str(number), f"by_state({number})", name,
            f"Show only VMs that are {name}; again for all", "View")
        for number, name in enumerate(STATE_KEYS, 1)
    ),
    Key("main.sort_left", "less_than_sign", "sort(-1)", "sort back", "Sort by the column before",
        "View"),
    Key("main.sort_right", "greater_than_sign", "sort(1)", "sort", "Sort by the next column",
        "View", 41),
    Key("main.reverse", "o", "reverse", "reverse", "Turn the order around", "View", 42),
    Key("main.back", "escape", "back", "back", "Drop the filter, then the marks", "View"),
    Key("main.mark", "space", "mark", "mark", "Mark the VM under the cursor", "VMs", 18),
    Key("main.mark_all", "a", "mark_all", "mark all", "Mark every VM shown; again for none",
        "VMs", 45),
    Key("main.left", "left,h", "cursor(-1, 0)", "left", "One VM to the left", "VMs"),
    Key("main.down", "down,j", "cursor(0, 1)", "down", "One row down", "VMs"),
    Key("main.up", "up,k", "cursor(0, -1)", "up", "One row up", "VMs"),
    Key("main.right", "right,l", "cursor(1, 0)", "right", "One VM to the right", "VMs"),
    Key("main.page_up", "pageup", "page(-1)", "page up", "One page up", "VMs"),
    Key("main.page_down", "pagedown", "page(1)", "page down", "One page down", "VMs"),
    Key("main.first", "g,home", "first", "first", "The first VM", "VMs"),
    Key("main.last", "G,end", "last", "last", "The last VM", "VMs"),
)  # fmt: skip

DETAIL = (
    Key("detail.back", "escape", "back", "back", "Back to all VMs", "One VM", 5),
    Key("detail.previous", "left_square_bracket", "neighbour(-1)", "previous VM",
        "The VM before, in the order shown", "One VM", 10),
    Key("detail.next", "right_square_bracket", "neighbour(1)", "next VM",
        "The next VM, in the order shown", "One VM", 11),
    Key("detail.older", "comma", "attempt(-1)", "older attempt", "Show the attempt before this one",
        "One VM", 40),
    Key("detail.newer", "full_stop", "attempt(1)", "newer attempt",
        "Show the attempt after this one", "One VM", 41),
    Key("detail.rerun", "r", "rerun", "rerun", "Boot this VM again", "One VM", 20,
        needs=Need.ENGINE),
    Key("detail.pause", "P", "pause", "pause VM", "Pause this VM, or let it go on",
        "One VM", 22, needs=Need.ENGINE),
    Key("detail.powerdown", "D", "powerdown", "power down",
        "Press this VM's power button; asks first", "One VM", 24, needs=Need.ENGINE),
    Key("detail.reset", "X", "reset", "reset", "Reset this VM; asks first", "One VM", 25,
        needs=Need.ENGINE),
    Key("detail.kill", "K", "kill", "kill", "Kill this VM; asks first", "One VM", 26,
        needs=Need.ENGINE),
    Key("detail.copy", "y", "copy", "copy cmd", "Copy the QEMU command", "One VM", 30),
    Key("detail.pane", "tab", "pane(1)", "next pane", "The next pane", "Panes", 12),
    Key("detail.pane_back", "shift+tab", "pane(-1)", "previous pane", "The pane before", "Panes"),
    *(
        Key(f"detail.pane_{number}", str(number), f"show_pane({number})", name,
            f"The pane with {what}", "Panes")
        for number, (name, what) in enumerate(
            (("guest", "what the guest said"), ("console", "the serial console"),
             ("events", "the QMP events"), ("qemu", "QEMU's command and stderr")), 1)
    ),
    Key("detail.search", "slash", "search", "search", "Search in the pane", "Panes", 14),
    Key("detail.match_next", "n", "match(1)", "next match", "The next match", "Panes"),
    Key("detail.match_back", "N", "match(-1)", "previous match", "The match before", "Panes"),
    Key("detail.follow", "f", "follow", "follow", "Stay at the console's end as it grows", "Panes",
        16),
    Key("detail.down", "down,j", "scroll_by(1)", "down", "One line down", "Panes"),
    Key("detail.up", "up,k", "scroll_by(-1)", "up", "One line up", "Panes"),
    Key("detail.page_down", "pagedown", "scroll_pages(1)", "page down", "One page down", "Panes"),
    Key("detail.page_up", "pageup", "scroll_pages(-1)", "page up", "One page up", "Panes"),
    Key("detail.top", "g,home", "to_end(-1)", "top", "The pane's first line", "Panes"),
    Key("detail.bottom", "G,end", "to_end(1)", "bottom", "The pane's last line", "Panes"),
    Key("detail.units", "u", "units", "units",
        "What each unit of this VM took, beside what is usual", "One VM", 13),
    Key("detail.export", "e", "export", "export", "Write the figures to a file", "One VM", 32),
)  # fmt: skip


def _scrolls(scope: str, group: str) -> tuple[Key, ...]:
    """Return the keys that scroll a screen of words."""
    return (
        Key(f"{scope}.down", "down,j", "scroll_by(1)", "down", "One line down", group),
        Key(f"{scope}.up", "up,k", "scroll_by(-1)", "up", "One line up", group),
        Key(f"{scope}.page_down", "pagedown,space", "scroll_pages(1)", "page down",
            "One page down", group),
        Key(f"{scope}.page_up", "pageup", "scroll_pages(-1)", "page up", "One page up", group),
        Key(f"{scope}.top", "home,g", "to_end(-1)", "top", "The first line", group),
        Key(f"{scope}.bottom", "end,G", "to_end(1)", "bottom", "The last line", group),
    )  # fmt: skip


COMPARE = (
    Key("compare.back", "escape", "back", "back", "Back to the history", "Comparison", 5),
    Key("compare.swap", "s", "swap", "swap", "Turn the comparison around", "Comparison", 10),
    Key("compare.export", "e", "export", "export", "Write the comparison to a file", "Comparison",
        20),
    *_scrolls("compare", "Comparison"),
)  # fmt: skip
STORMS = (
    Key("storms.back", "escape", "back", "back", "Back to all VMs", "Storms", 5),
    *_scrolls("storms", "Storms"),
)
WARNINGS = (
    Key("warnings.back", "escape", "back", "back", "Back to all VMs", "Warnings", 5),
    *_scrolls("warnings", "Warnings"),
)
TREND = (
    Key("trend.back", "escape", "back", "back", "Back to the history", "Trend", 5),
    *_scrolls("trend", "Trend"),
)

UNITS = (
    Key("units.back", "escape", "back", "back", "Back to where you came from", "Units", 5),
    Key("units.sort_left", "less_than_sign", "sort(-1)", "order back", "The order before", "Units"),
    Key("units.sort_right", "greater_than_sign", "sort(1)", "order",
        "Another order: as they begin, slowest first, critical chain first ...", "Units", 10),
    Key("units.down", "down,j", "move(1)", "down", "One unit down", "Units"),
    Key("units.up", "up,k", "move(-1)", "up", "One unit up", "Units"),
    Key("units.page_down", "pagedown", "page(1)", "page down", "One page down", "Units"),
    Key("units.page_up", "pageup", "page(-1)", "page up", "One page up", "Units"),
    Key("units.first", "g,home", "to_end(-1)", "first", "The first unit", "Units"),
    Key("units.last", "G,end", "to_end(1)", "last", "The last unit", "Units"),
)  # fmt: skip

HOSTS = (
    Key("hosts.back", "escape", "back", "back", "Drop the filter; then back to all VMs", "Hosts",
        5),
    Key("hosts.choose", "enter", "choose", "its VMs", "Show the VMs of the host under the cursor",
        "Hosts", 10),
    Key("hosts.filter", "slash", "filter", "filter",
        "Show only hosts with this in their name, state or address; ! inverts", "Hosts", 11),
    Key("hosts.sort_left", "less_than_sign", "sort(-1)", "sort back", "Sort by the column before",
        "Hosts"),
    Key("hosts.sort_right", "greater_than_sign", "sort(1)", "sort",
        "Sort by the next column; by their states the worst come first", "Hosts", 12),
    Key("hosts.reverse", "o", "reverse", "reverse", "Turn the order around", "Hosts", 13),
    Key("hosts.down", "down,j", "move(1)", "down", "One host down", "Hosts"),
    Key("hosts.up", "up,k", "move(-1)", "up", "One host up", "Hosts"),
    Key("hosts.page_down", "pagedown", "page(1)", "page down", "One page down", "Hosts"),
    Key("hosts.page_up", "pageup", "page(-1)", "page up", "One page up", "Hosts"),
    Key("hosts.first", "g,home", "to_end(-1)", "first", "The first host", "Hosts"),
    Key("hosts.last", "G,end", "to_end(1)", "last", "The last host", "Hosts"),
)  # fmt: skip

DIALOG = (
    Key("dialog.cancel", "escape,ctrl+c", "cancel", "back", "Leave the dialog without an answer",
        "Dialog", comes_first=True),
)  # fmt: skip

CONFIRM = (
    Key("confirm.yes", "y", "yes", "yes", "Do it", "Question"),
    Key("confirm.no", "n,q", "no", "no", "Leave it", "Question"),
    Key("confirm.switch", "left,right,h,l,up,down", "switch", "other button", "The other button",
        "Question"),
)  # fmt: skip

FORM = (
    Key("form.next", "down", "app.focus_next", "next", "The next field or button", "Form"),
    Key("form.previous", "up", "app.focus_previous", "before", "The field or button before",
        "Form"),
)  # fmt: skip

EXPORT = (
    Key("export.copy", "y", "copy", "copy path", "Copy the path of what was written", "Export"),
)  # fmt: skip

NEW_RUN = (
    Key("new_run.start", "ctrl+r", "start", "start", "Start the run; enter too", "New run",
        comes_first=True),
)  # fmt: skip

ENGINE_ERROR = (
    Key("engine_error.again", "r", "again", "try again", "Start the same run again", "Engine"),
    Key("engine_error.new_run", "n", "new_run", "new run", "Start a run with other settings",
        "Engine"),
    Key("engine_error.copy", "y", "copy", "copy", "Copy what went wrong", "Engine"),
    Key("engine_error.quit", "q", "leave", "quit", "Leave the dashboard", "Engine"),
    Key("engine_error.next", "right,l,down,j", "app.focus_next", "next", "The next button",
        "Engine"),
    Key("engine_error.previous", "left,h,up,k", "app.focus_previous", "before",
        "The button before", "Engine"),
)  # fmt: skip

HELP = (
    Key("help.close", "question_mark,f1,q,enter", "cancel", "back", "Close the help", "Help"),
    *_scrolls("help", "Help"),
)

SCOPES = {
    Scope.ANYWHERE: ANYWHERE,
    Scope.MAIN: MAIN,
    Scope.DETAIL: DETAIL,
    Scope.PLAYER: PLAYER,
    Scope.HISTORY: HISTORY,
    Scope.COMPARE: COMPARE,
    Scope.STORMS: STORMS,
    Scope.TREND: TREND,
    Scope.UNITS: UNITS,
    Scope.HOSTS: HOSTS,
    Scope.WARNINGS: WARNINGS,
    Scope.DIALOG: DIALOG,
    Scope.CONFIRM: CONFIRM,
    Scope.FORM: FORM,
    Scope.EXPORT: EXPORT,
    Scope.NEW_RUN: NEW_RUN,
    Scope.ENGINE_ERROR: ENGINE_ERROR,
    Scope.HELP: HELP,
}
ALL = tuple(key for scope in SCOPES.values() for key in scope)
BY_ID = {key.id: key for key in ALL}
IDS = frozenset(BY_ID)

EVEN_IN_DIALOGS = tuple(BY_ID[name] for name in ("help", "screenshot", "theme"))
"""A dialog lies over the app's own keys; these work all the same."""

_DIALOG = (*DIALOG, *EVEN_IN_DIALOGS)
_IN_PLAYER = tuple(key for key in MAIN if key.id not in ("main.back", "main.freeze"))
_REACH = {
    Scope.ANYWHERE: ANYWHERE,
    Scope.MAIN: (*MAIN, *ANYWHERE),
    Scope.DETAIL: (*DETAIL, *PLAYER_IN_DETAIL, *ANYWHERE),
    Scope.PLAYER: (*PLAYER, *_IN_PLAYER, *ANYWHERE),
    Scope.HISTORY: (*HISTORY, *ANYWHERE),
    Scope.COMPARE: (*COMPARE, *ANYWHERE),
    Scope.STORMS: (*STORMS, *ANYWHERE),
    Scope.TREND: (*TREND, *ANYWHERE),
    Scope.UNITS: (*UNITS, *ANYWHERE),
    Scope.HOSTS: (*HOSTS, *ANYWHERE),
    Scope.WARNINGS: (*WARNINGS, *ANYWHERE),
    Scope.DIALOG: _DIALOG,
    Scope.CONFIRM: (*CONFIRM, *_DIALOG),
    Scope.FORM: (*FORM, *_DIALOG),
    Scope.EXPORT: (*EXPORT, *FORM, *_DIALOG),
    Scope.NEW_RUN: (*NEW_RUN, *FORM, *_DIALOG),
    Scope.ENGINE_ERROR: (*ENGINE_ERROR, *_DIALOG),
    Scope.HELP: (*HELP, *(key for key in _DIALOG if key.id != "help")),
}


def reached(scope: Scope) -> tuple[Key, ...]:
    """Return every key that may work in a scope: its own first, then those that reach into it."""
    return _REACH[scope]


def useful(scope: Scope, there: frozenset[Need]) -> tuple[Key, ...]:
    """Return those keys of a scope that are of use with what is there."""
    return tuple(key for key in reached(scope) if key.needs is None or key.needs in there)


def is_useless(action: str, scope: Scope, there: frozenset[Need]) -> bool:
    """Return whether an action, by its name alone, is only of keys that are of no use here."""
    keys = [key for key in reached(scope) if key.action.partition("(")[0].endswith(action)]
    return bool(keys) and all(key.needs is not None and key.needs not in there for key in keys)


def clashes(changed: Mapping[str, str]) -> list[str]:
    """Return what is wrong with changed keys: those that another action has where both work."""
    words = []
    for scope in Scope:
        owners: dict[str, str] = {}
        for key in reached(scope):
            for one in changed.get(key.id, key.keys).split(","):
                owner = owners.setdefault(one.strip(), key.id)
                if owner != key.id and (owner in changed or key.id in changed):
                    taken, by = (key.id, owner) if owner in changed else (owner, key.id)
                    words.append(f"[keys] {by}: {one.strip()} is the key of {taken}; take another")
    return list(dict.fromkeys(words))


def bindings(keys: Iterable[Key]) -> list[Binding]:
    """Return the bindings of a screen or of the app."""
    return [key.binding() for key in keys]
