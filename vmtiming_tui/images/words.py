"""Figures and foreign words as the preparation of an image says them."""

import math

from vmtiming_tui.text import printable

MAX_SHOWN = 200


def human(count: int) -> str:
    """Return so many bytes in the unit that fits, rounded up, as ``numfmt --to=iec`` has it."""
    value = float(count)
    for unit in ("", "K", "M", "G", "T", "P"):
        if not unit and value < 1024:
            return f"{count}B"
        tenths = math.ceil(value * 10)
        if unit and tenths < 100:
            return f"{tenths / 10:.1f}{unit}B"
        if unit and math.ceil(value) < 1024:
            return f"{math.ceil(value)}{unit}B"
        value /= 1024
    return f"{math.ceil(value)}EB"


def shown(foreign: str | bytes) -> str:
    """Return foreign words fit for a line of ours: nothing unseen in them, and not without end."""
    text = printable(foreign[: MAX_SHOWN + 1])
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
