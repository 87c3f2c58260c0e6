"""Which version a QEMU says it is, and whether that is new enough for what is asked of it."""

import re

from vmtiming_tui.errors import QemuError
from vmtiming_tui.escape import one_line

VERSION_LIMIT_S = 20.0
_OLDEST = (6, 0)  # set-action and pvpanic-pci came with it; SHUTDOWN's reason with 4.0


def version_in(words: str, qemu: str) -> str:
    """Return the version that QEMU's words tell; empty where they tell none.

    Raises ``QemuError`` for one that lacks what the engine asks of it.
    """
    match = re.search(r"version (([0-9]{1,4})(?:\.([0-9]{1,4}))?[^\s,]*)", words)
    if match is None:
        return ""
    if (int(match[2]), int(match[3] or 0)) >= _OLDEST:
        return match[1]
    needed = ".".join(map(str, _OLDEST))
    raise QemuError(
        f"{qemu!r} is QEMU {match[1]}, which is too old: {needed} or newer is needed",
        hint="install a newer QEMU, or give the path of one with -q",
    )


def version_trouble(qemu: str, code: int | None, words: str) -> QemuError:
    """Return why a program that told no version is no QEMU; ``code`` is None for no answer."""
    if code is None:
        return QemuError(
            f"{qemu!r} did not say its version within {VERSION_LIMIT_S:g} s",
            hint="check -q: try it by hand with -version",
        )
    said = one_line(words.strip().rpartition("\n")[2], 200)
    return QemuError(
        f"{qemu!r} does not answer like QEMU" + (f": {said}" if said else f" (exit code {code})"),
        hint="check -q: it must be a qemu-system program, or run one",
    )
