"""How states and stages are drawn: a glyph and a word for each, or plain ASCII."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from vmtiming_tui.model.attempt import Phase, VmState
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.report.wording import STATE_SIGNS


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Every character the dashboard draws with that is no letter; each is one cell wide.

    ``here`` is what a block is drawn as under the cursor; empty where it is no block.
    """

    states: Mapping[VmState, str]
    phases: Mapping[Phase, str]
    stages: Mapping[Stage, str]
    residual: str
    unseen: str
    shadow: str
    under: str
    beyond: str
    bar: str
    median: str
    mark: str
    here: str
    slower: str
    faster: str
    paused: str
    reset: str
    resumed: str
    ascending: str
    descending: str
    live: str
    rule: str
    at_most: str
    ellipsis: str
    times: str
    dot: str
    blocks: str
    braille: bool


UNICODE = Glyphs(
    states=STATE_SIGNS,
    phases={
        Phase.UP: "↑",
        Phase.FROZEN: "❅",
        Phase.COLLECTING: "»",
        Phase.ENDING: "↓",
        Phase.OFF: "∘",
    },
    stages=dict.fromkeys(Stage, "▆"),
    residual="▆",
    unseen="▆",
    shadow="▁",
    under="▀",
    beyond="→",
    bar="━",
    median="╎",
    mark="▌",
    here="◆",
    slower="▲",
    faster="▼",
    paused="‖",
    reset="↻",
    resumed="▸",
    ascending="↑",
    descending="↓",
    live="●",
    rule="─",
    at_most="≤",
    ellipsis="…",
    times="×",
    dot="·",
    blocks="▁▂▃▄▅▆▇█",
    braille=True,
)

_TEXTURES = {
    Stage.FIRMWARE: "┄",
    Stage.LOADER: "╍",
    Stage.KERNEL: "░",
    Stage.INITRD: "▒",
    Stage.USERSPACE: "█",
    Stage.LAG: "▌",
}

_LETTERS = {
    Stage.FIRMWARE: "f",
    Stage.LOADER: "b",
    Stage.KERNEL: "k",
    Stage.INITRD: "i",
    Stage.USERSPACE: "u",
    Stage.LAG: "l",
}

ASCII = Glyphs(
    states={
        VmState.QUEUED: ".",
        VmState.LAUNCHING: "o",
        VmState.CONNECTED: "c",
        VmState.BOOTED: "+",
        VmState.FAILED: "x",
        VmState.TIMED_OUT: "!",
        VmState.KILLED: "-",
    },
    phases={phase: phase[0] for phase in Phase},
    stages=_LETTERS,
    residual="=",
    unseen="?",
    shadow="-",
    under="-",
    beyond=">",
    bar="=",
    median=":",
    mark="*",
    here="",
    slower="^",
    faster="v",
    paused="P",
    reset="R",
    resumed=">",
    ascending="^",
    descending="v",
    live="*",
    rule="-",
    at_most="<=",
    ellipsis="~",
    times="x",
    dot="-",
    blocks="._-=+*%#",
    braille=False,
)


def glyphs_for(*, ascii_only: bool, colour: bool) -> Glyphs:
    """Return what to draw with; without colour the stages differ by their texture."""
    if ascii_only:
        return ASCII
    if colour:
        return UNICODE
    return replace(UNICODE, stages=_TEXTURES, residual="═", unseen="·", here="")
