"""What pictures of many VMs are made of: a sign and a style for each stage and each end; pure."""

from rich.style import Style

from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.tui.drawing.glyphs import Glyphs
from vmtiming_tui.tui.drawing.scale_bars import UNSEEN
from vmtiming_tui.tui.drawing.styled import Part
from vmtiming_tui.tui.drawing.theme import Palette

BOOTED, LOST = "booted", "lost"
"""The ends of boots, beside the names of stages and ``UNSEEN``."""


def area_style(name: str, palette: Palette) -> Style:
    """Return the style of an area."""
    match name:
        case "booted":
            return palette.states[VmState.BOOTED]
        case "lost":
            return palette.states[VmState.FAILED]
        case _:
            return palette.unseen if name == UNSEEN else palette.stages[Stage(name)]


def area_part(name: str, palette: Palette, glyphs: Glyphs) -> Part:
    """Return one cell of an area; without colour, or in ASCII, areas differ by their sign."""
    style = area_style(name, palette)
    if palette.colour and glyphs.braille:
        return "█", style
    match name:
        case "booted":
            return glyphs.states[VmState.BOOTED], style
        case "lost":
            return glyphs.states[VmState.FAILED], style
        case _:
            return (glyphs.unseen if name == UNSEEN else glyphs.stages[Stage(name)]), style
