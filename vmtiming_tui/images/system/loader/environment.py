"""GRUB's environment block: variables that it keeps from one boot to the next.

Format: GRUB's manual, "The GRUB environment block".
"""

import re
from collections.abc import Iterable

from vmtiming_tui.images.system.loader.menu import Place

_FILES = ("grub2/grubenv", "grub/grubenv")
_MAX_VENDORS = 16
_LINE = re.compile(r"([A-Za-z_]\w{0,63})=((?:[^\n\\]|\\.){0,8192})", re.ASCII | re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def environment(places: Iterable[Place]) -> dict[str, str]:
    """Return the variables of the first environment block that has any."""
    for place in places:
        vendors = [f"EFI/{name}/grubenv" for name in place.names("EFI")[:_MAX_VENDORS]]
        for name in (*_FILES, *vendors):
            if found := variables(place.text(name)):
                return found
    return {}


def variables(text: str) -> dict[str, str]:
    """Return the variables of an environment block."""
    return {name: _ESCAPE.sub(r"\1", value) for name, value in _LINE.findall(text)}
