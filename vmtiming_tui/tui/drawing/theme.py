"""Colours: one dark and one light theme, and every style the widgets draw with, resolved once.

Each colour that carries text has a contrast of 4.5 or more to its background (WCAG 2.1 AA), which
a test holds. Red is for failure only. Without colour there is bold, dim, underline and reverse.
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
    curve: tuple[str, ...]


DARK = Colours(
    background="#0f131a",
    surface="#171d27",
    panel="#1c2431",
    text="#dce3ee",
    dim="#9ba7b9",
    faint="#465266",
    accent="#6cb6ff",
    cursor="#26374f",
    warning="#f2b44f",
    states={
        VmState.QUEUED: "#9ba7b9",
        VmState.LAUNCHING: "#c8a6ff",
        VmState.CONNECTED: "#63b7ff",
        VmState.BOOTED: "#5dd48f",
        VmState.FAILED: "#ff8078",
        VmState.TIMED_OUT: "#f2b44f",
        VmState.KILLED: "#a9b3c2",
    },
    stages={
        Stage.FIRMWARE: "#b69cf0",
        Stage.LOADER: "#e79ac8",
        Stage.KERNEL: "#63b7ff",
        Stage.INITRD: "#45d0c5",
        Stage.USERSPACE: "#8fd66b",
        Stage.LAG: "#e8c55c",
    },
    residual="#9ba7b9",
    curve=("#2c6e4d", "#388a5f", "#46a873", "#52bf82", "#5dd48f"),
)

LIGHT = Colours(
    background="#fbfcfe",
    surface="#f0f3f8",
    panel="#e5eaf2",
    text="#1b232e",
    dim="#556173",
    faint="#b3bdcb",
    accent="#0b5cad",
    cursor="#cfe0f5",
    warning="#7d4f00",
    states={
        VmState.QUEUED: "#556173",
        VmState.LAUNCHING: "#6f35b8",
        VmState.CONNECTED: "#0b5cad",
        VmState.BOOTED: "#0b6b35",
        VmState.FAILED: "#b3202a",
        VmState.TIMED_OUT: "#7d4f00",
        VmState.KILLED: "#556173",
    },
    stages={
        Stage.FIRMWARE: "#7350bd",
        Stage.LOADER: "#a0347c",
        Stage.KERNEL: "#0b5cad",
        Stage.INITRD: "#00726c",
        Stage.USERSPACE: "#37701a",
        Stage.LAG: "#805c00",
    },
    residual="#556173",
    curve=("#9fd5b6", "#7cc39b", "#57ad7e", "#339462", "#0b7a3c"),
)


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
    residual: Style
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
            chip_live=chip(colours.states[VmState.CONNECTED]),
            chip_done=chip(colours.states[VmState.BOOTED]),
            chip_bad=chip(colours.warning),
            states={state: Style(color=name) for state, name in colours.states.items()},
            stages={stage: Style(color=name) for stage, name in colours.stages.items()},
            residual=Style(color=colours.residual),
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
            residual=text,
            curve=(text,),
            colour=False,
        )


def palette_for(*, dark: bool, colour: bool) -> Palette:
    """Return the styles for a theme of this kind."""
    if not colour:
        return Palette.plain()
    return Palette.of(DARK if dark else LIGHT)
