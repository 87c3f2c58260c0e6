"""The sign beside a VM's seconds: what was done to its boot, or how it differs from the last."""

from vmtiming_tui.model.attempt import Vm
from vmtiming_tui.tui.drawing.glyphs import Glyphs
from vmtiming_tui.tui.state.dashboard import differs


def boot_sign(vm: Vm, glyphs: Glyphs) -> str:
    """Return the sign of a VM's newest boot; empty where nothing is to be said of it."""
    attempt = vm.attempts[-1]
    if attempt.paused:
        return glyphs.paused
    if attempt.resets:
        return glyphs.reset
    return ("", glyphs.slower, glyphs.faster)[differs(vm)]
