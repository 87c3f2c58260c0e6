"""Figures and foreign words as the preparation of an image says them."""

import math

from vmtiming_tui.escape import printable, shell_line

MAX_SHOWN = 200


def human(count: int) -> str:
    """Return so many bytes in the unit that fits, rounded up, as ``numfmt --to=iec`` has it."""
    if count < 1024:
        return f"{count}B"
    value = float(count)
    for unit in "KMGTP":
        value /= 1024
        if math.ceil(value * 10) < 100:
            return f"{math.ceil(value * 10) / 10:.1f}{unit}B"
        if math.ceil(value) < 1024:
            return f"{math.ceil(value)}{unit}B"
    return f"{math.ceil(value / 1024)}EB"


def shown(foreign: str | bytes) -> str:
    """Return foreign words fit for a line of ours: nothing unseen in them, and not without end."""
    text = printable(foreign[: MAX_SHOWN + 1], keep="")
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def for_image(hint: str, path: str) -> str:
    """Return a hint to be pasted, with ``{image}`` and the ``{folder}`` it is in filled in.

    The folder goes before the name of a file; it is nothing where the image is in the current one.
    """
    name = path if not path.startswith("-") else f"./{path}"
    folder, slash, _ = path.rpartition("/")
    beside = shell_line([folder + slash]) if slash else ""
    return hint.replace("{image}", shell_line([name])).replace("{folder}", beside)
