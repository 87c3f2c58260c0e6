"""The keys that are for runs of the past: the history's, and those that play a stored run.

Where they clash with no other key they are those that mpv and asciinema have for the same.
"""

from vmtiming_tui.tui.state.key import Key, Need


def _plays(how: str, keys: str, label: str, help: str, rank: int = 0) -> Key:  # noqa: A002  Key's
    name = f"player.{how.replace(' ', '_')}"
    return Key(name, keys, f"play('{how}')", label, help, "Playing", rank, needs=Need.PLAYER)


PLAYER_IN_DETAIL = (
    _plays("pause", "p", "pause", "Stand still, or go on; at its end begin anew", 6),
    _plays("slower", "left_curly_bracket", "slower", "Half as fast", 9),
    _plays("faster", "right_curly_bracket", "faster", "Twice as fast", 8),
    _plays("usual", "backspace", "as it went", "As fast as it went"),
    _plays("back", "shift+left,left_parenthesis", "back 5 s", "Back by 5 s"),
    _plays("forth", "shift+right,right_parenthesis", "on 5 s", "On by 5 s"),
    _plays("far back", "ctrl+left", "back 5 %", "Back by 5 % of the run"),
    _plays("far forth", "ctrl+right", "on 5 %", "On by 5 % of the run"),
    _plays("start", "0,ctrl+home", "its begin", "To the run's begin"),
    _plays("end", "dollar_sign,ctrl+end", "its end", "To the run's end"),
)
"""They work beside one VM's own keys as well."""

PLAYER = (
    Key("player.leave", "escape", "back", "back",
        "Drop the filter, then the marks; then go back to where this run was opened", "Playing", 5),
    *PLAYER_IN_DETAIL,
    _plays("step back", "comma", "step back", "Back to where something was seen before"),
    _plays("step", "full_stop", "step", "On to where something is seen next", 7),
)  # fmt: skip

HISTORY = (
    Key("history.back", "escape", "back", "back", "Drop the filter; then back to all VMs",
        "History", 5),
    Key("history.open", "enter", "open", "open", "Look at the run under the cursor as it ended",
        "One run", 10),
    Key("history.replay", "r", "replay", "replay", "Play it from its begin, as it went", "One run",
        11),
    Key("history.compare", "c", "compare", "compare",
        "Hold this run, or the marked one, beside the one under the cursor", "One run", 12),
    Key("history.export", "e", "export", "export", "Write its figures to a file", "One run", 14),
    Key("history.name", "n", "name", "name", "Give it a name, or take its name away", "One run", 15,
        needs=Need.TERMINAL),
    Key("history.note", "N", "note", "notes", "Write notes to it", "One run", 18,
        needs=Need.TERMINAL),
    Key("history.delete", "d,delete", "delete", "delete", "Forget it; asks first", "One run", 17,
        needs=Need.TERMINAL),
    Key("history.mark", "space", "mark", "mark", "Mark a run to hold the next one beside it",
        "One run", 19),
    Key("history.trend", "t", "trend", "trend",
        "How boot times went over the runs like this one, and where they stepped", "One run", 16),
    Key("history.filter", "slash", "filter", "filter",
        "Show only runs that match every word: label:key=value, nightly*, a state, any other; "
        "! inverts", "History", 13),
    Key("history.down", "j", "move(1)", "down", "One run down", "History"),
    Key("history.up", "k", "move(-1)", "up", "One run up", "History"),
    Key("history.first", "g", "to_end(-1)", "first", "The newest run", "History"),
    Key("history.last", "G", "to_end(1)", "last", "The oldest run", "History"),
)  # fmt: skip
