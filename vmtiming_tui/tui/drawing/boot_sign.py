"""The signs beside a VM's seconds: where it is after its report, and what marks its boot."""

from vmtiming_tui.model.attempt import Phase, Vm
from vmtiming_tui.tui.drawing.glyphs import Glyphs
from vmtiming_tui.tui.drawing.styled import Part
from vmtiming_tui.tui.drawing.theme import Palette
from vmtiming_tui.tui.state.dashboard import differs

AFTER_GLYPH, AFTER_WORD = 1, 9
"""Where a blank is in a booted VM's state, with its sign alone and with its word."""


def boot_sign(vm: Vm, glyphs: Glyphs) -> str:
    """Return what was done to a VM's newest boot, or how it differs; empty where there is nothing.

    It is one character.
    """
    attempt = vm.attempts[-1]
    if attempt.paused:
        return glyphs.paused
    if attempt.resets:
        return glyphs.reset
    if attempt.was_resumed:
        return glyphs.resumed
    return ("", glyphs.slower, glyphs.faster)[differs(vm)]


def phase_part(phase: Phase | None, palette: Palette, glyphs: Glyphs) -> Part | None:
    """Return the sign of where a VM is after its report, small beside its state."""
    return None if phase is None else (glyphs.phases[phase], palette.dim)
