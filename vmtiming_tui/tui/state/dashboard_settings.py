"""How the dashboard looks and which keys it obeys: the command line's and the user's wishes."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vmtiming_tui.session.preferences import read_preferences, section
from vmtiming_tui.tui.state import keymap

_THEMES = ("dark", "light")


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardSettings:
    """``clock`` gives now on the engine's clock in ns; ``problems`` are faults of the file."""

    ascii_only: bool = False
    colour: bool = True
    theme: str = "dark"
    keys: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    clock: Callable[[], int] = time.monotonic_ns


def _keys(given: Mapping[str, Any], known: frozenset[str], problems: list[str]) -> dict[str, str]:
    keys = {}
    for name, value in given.items():
        if name not in known:
            problems.append(f"[keys] knows no {name!r}; the help (?) and the manual list the names")
        elif not isinstance(value, str) or not value.strip():
            problems.append(f'[keys] {name} takes keys as a text, such as "f5,ctrl+l"')
        else:
            keys[name] = value
    return keys


def load_settings(path: Path, *, ascii_only: bool = False) -> DashboardSettings:
    """Return the settings of the user's file; its faults come as ``problems``, never as an error.

    ``NO_COLOR`` in the environment, when not empty, turns colour off (no-color.org).
    """
    body, problems = read_preferences(path)
    look = section(body, "ui", problems)
    theme = look.get("theme", "dark")
    if theme not in _THEMES:
        problems.append(f"[ui] theme is {theme!r}; give dark or light")
        theme = "dark"
    plain = look.get("ascii", False)
    if not isinstance(plain, bool):
        problems.append("[ui] ascii is true or false")
        plain = False
    keys = _keys(section(body, "keys", problems), keymap.IDS, problems)
    if clashes := keymap.clashes(keys):
        problems += clashes
        keys = {}
    return DashboardSettings(
        ascii_only=ascii_only or plain,
        colour=not os.environ.get("NO_COLOR"),
        theme=theme,
        keys=keys,
        problems=tuple(f"{path}: {problem}" for problem in problems),
    )
