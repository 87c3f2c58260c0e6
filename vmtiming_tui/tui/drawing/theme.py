"""Colours: one dark and one light theme, and every style the widgets draw with, resolved once.

Each colour that carries text has a contrast of 4.5 or more to its background (WCAG 2.1 AA), which
a test holds. Red is for failure only, and no state has the colour of a stage. Without colour there
is bold, dim, underline and reverse.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.style import Style
from textual.theme import Theme

from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.stage import Stage

DARK_NAME, LIGHT_NAME, PLAIN_NAME = "vmtiming-dark", "vmtiming-light", "ansi-dark"


@dataclass(frozen=True, slots=True)
class Colours:
    """A theme's colours as ``#rrggbb``."""

    background: str
    surface: str
    panel: str
    text: str
    dim: str
    faint: str
    accent: str
    cursor: str
    warning: str
    states: Mapping[VmState, str]
    stages: Mapping[Stage, str]
    residual: str
    unseen: str
    curve: tuple[str, ...]


DARK = Colours(
    background="#0f131a",
    surface="#171d27",
    panel="#1c2431",
    text="#dce3ee",
    dim="#9ba7b9",
    faint="#465266",
    accent="#9cc9ff",
    cursor="#26374f",
    warning="#ffa95c",
    states={
        VmState.QUEUED: "#9ba7b9",
        VmState.LAUNCHING: "#b9c4d4",
        VmState.CONNECTED: "#dce3ee",
        VmState.BOOTED: "#5dd48f",
        VmState.FAILED: "#ff8078",
        VmState.TIMED_OUT: "#ffa95c",
        VmState.KILLED: "#a9b3c2",
    },
    stages={
        Stage.FIRMWARE: "#b294fa",
        Stage.LOADER: "#e08fd0",
        Stage.KERNEL: "#669ffb",
        Stage.INITRD: "#2fc3cf",
        Stage.USERSPACE: "#dfd45e",
        Stage.LAG: "#f5ecc4",
    },
    residual="#b59a83",
    unseen="#97a3b7",
    curve=("#2c6e4d", "#388a5f", "#46a873", "#52bf82", "#5dd48f"),
)

LIGHT = Colours(
    background="#fbfcfe",
    surface="#f0f3f8",
    panel="#e5eaf2",
    text="#1b232e",
    dim="#556173",
    faint="#b3bdcb",
    accent="#2a5488",
    cursor="#cfe0f5",
    warning="#9a4700",
    states={
        VmState.QUEUED: "#556173",
        VmState.LAUNCHING: "#3d4858",
        VmState.CONNECTED: "#1b232e",
        VmState.BOOTED: "#0b6b35",
        VmState.FAILED: "#b3202a",
        VmState.TIMED_OUT: "#8f4300",
        VmState.KILLED: "#556173",
    },
    stages={
        Stage.FIRMWARE: "#6b3fc9",
        Stage.LOADER: "#a0347c",
        Stage.KERNEL: "#1a56c4",
        Stage.INITRD: "#00697a",
        Stage.USERSPACE: "#6a5d00",
        Stage.LAG: "#655c3c",
    },
    residual="#75563f",
    unseen="#525e6e",
    curve=("#9fd5b6", "#7cc39b", "#57ad7e", "#339462", "#0b7a3c"),
)


_GHOST = 0.5


def _mixed(colour: str, ground: str) -> str:
    """Return a colour with as much of the ground in it as makes it faint."""
    pairs = ((int(each[at : at + 2], 16) for each in (colour, ground)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(a * _GHOST + b * (1 - _GHOST)):02x}" for a, b in pairs)


def _theme(name: str, colours: Colours, *, dark: bool) -> Theme:
    return Theme(
        name=name,
        primary=colours.accent,
        secondary=colours.stages[Stage.FIRMWARE],
        accent=colours.accent,
        warning=colours.warning,
        error=colours.states[VmState.FAILED],
        success=colours.states[VmState.BOOTED],
        foreground=colours.text,
        background=colours.background,
        surface=colours.surface,
        panel=colours.panel,
        dark=dark,
        variables={
            "text-muted": colours.dim,
            "foreground-muted": colours.dim,
            "border": colours.accent,
            "border-blurred": colours.faint,
            "block-cursor-background": colours.cursor,
            "block-cursor-foreground": colours.text,
            "block-cursor-text-style": "none",
            "scrollbar": colours.faint,
            "scrollbar-background": colours.background,
            "scrollbar-background-hover": colours.background,
            "scrollbar-background-active": colours.background,
            "scrollbar-corner-color": colours.background,
            "scrollbar-hover": colours.dim,
            "scrollbar-active": colours.accent,
            "input-selection-background": f"{colours.accent} 35%",
            "dim": colours.dim,
            "faint": colours.faint,
        },
    )


THEMES = (_theme(DARK_NAME, DARK, dark=True), _theme(LIGHT_NAME, LIGHT, dark=False))


@dataclass(frozen=True, slots=True)
class Palette:
    """Styles by what they are for; widgets look nothing up while they draw.

    One value for all widgets, and not Textual's component classes: matching so many of them for
    each widget would double the time to the first picture.
    """

    text: Style
    strong: Style
    dim: Style
    faint: Style
    accent: Style
    warning: Style
    error: Style
    key: Style
    cursor: Style
    match: Style
    chip_live: Style
    chip_done: Style
    chip_bad: Style
    states: Mapping[VmState, Style]
    stages: Mapping[Stage, Style]
    ghosts: Mapping[Stage, Style]
    residual: Style
    unseen: Style
    curve: tuple[Style, ...]
    colour: bool

    @classmethod
    def of(cls, colours: Colours) -> "Palette":
        """Return the styles of a theme's colours."""

        def chip(colour: str) -> Style:
            return Style(color=colours.background, bgcolor=colour, bold=True)

        return cls(
            text=Style(color=colours.text),
            strong=Style(color=colours.text, bold=True),
            dim=Style(color=colours.dim),
            faint=Style(color=colours.faint),
            accent=Style(color=colours.accent, bold=True),
            warning=Style(color=colours.warning),
            error=Style(color=colours.states[VmState.FAILED]),
            key=Style(color=colours.accent, bold=True),
            cursor=Style(bgcolor=colours.cursor, bold=True),
            match=Style(color=colours.background, bgcolor=colours.warning),
            chip_live=chip(colours.accent),
            chip_done=chip(colours.states[VmState.BOOTED]),
            chip_bad=chip(colours.warning),
            states={state: Style(color=name) for state, name in colours.states.items()},
            stages={stage: Style(color=name) for stage, name in colours.stages.items()},
            ghosts={
                stage: Style(color=_mixed(name, colours.background))
                for stage, name in colours.stages.items()
            },
            residual=Style(color=colours.residual),
            unseen=Style(color=colours.unseen),
            curve=tuple(Style(color=name) for name in colours.curve),
            colour=True,
        )

    @classmethod
    def plain(cls) -> "Palette":
        """Return styles without any colour, for ``NO_COLOR``."""
        text, bold, dim = Style(), Style(bold=True), Style(dim=True)
        reverse = Style(reverse=True)
        states = dict.fromkeys(VmState, text) | {
            VmState.QUEUED: dim,
            VmState.FAILED: bold,
            VmState.TIMED_OUT: bold,
        }
        return cls(
            text=text,
            strong=bold,
            dim=text,
            faint=dim,
            accent=bold,
            warning=bold,
            error=bold,
            key=bold,
            cursor=reverse,
            match=reverse,
            chip_live=reverse + bold,
            chip_done=reverse + bold,
            chip_bad=reverse + bold,
            states=states,
            stages=dict.fromkeys(Stage, text),
            ghosts=dict.fromkeys(Stage, dim),
            residual=text,
            unseen=dim,
            curve=(text,),
            colour=False,
        )


def palette_for(*, dark: bool, colour: bool) -> Palette:
    """Return the styles for a theme of this kind."""
    if not colour:
        return Palette.plain()
    return Palette.of(DARK if dark else LIGHT)
