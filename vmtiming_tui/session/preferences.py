"""The user's own file of wishes, ``config.toml``: where it is, and what its sections hold."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = "config.toml"
HISTORY_BYTES = 1 << 30

_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


def config_path() -> Path:
    """Return where the user's wishes are: ``~/.config/vmtiming-tui/config.toml`` on Linux."""
    import platformdirs  # noqa: PLC0415  the first paint waits for it otherwise

    return platformdirs.user_config_path("vmtiming-tui") / FILE


def read_preferences(path: Path) -> tuple[Mapping[str, Any], list[str]]:
    """Return the file's sections and its faults, in words; a missing file is no fault."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")), []
    except FileNotFoundError:
        return {}, []
    except (OSError, UnicodeDecodeError) as error:
        return {}, [f"cannot be read: {error}"]
    except (ValueError, RecursionError) as error:  # numbers too long and nesting too deep as well
        return {}, [f"is not TOML: {error}"]


def section(body: Mapping[str, Any], name: str, problems: list[str]) -> Mapping[str, Any]:
    """Return a section; what is no section is a problem and empty."""
    found = body.get(name, {})
    if isinstance(found, dict):
        return found
    problems.append(f"[{name}] is no table; write [{name}] on a line of its own")
    return {}


def size_bytes(text: str) -> int:
    """Return a size such as ``500M`` or ``1 GiB`` in bytes, units by 1024; raise ``ValueError``."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no size; try 500M or 1G")
    return int(float(found[1]) * (1 << _UNITS[found[2].upper()]))


def history_bytes(path: Path) -> tuple[int, list[str]]:
    """Return how large the history may grow (``max_size`` of ``[history]``) and faults in words."""
    body, problems = read_preferences(path)
    asked = section(body, "history", problems).get("max_size")
    limit = HISTORY_BYTES
    if asked is not None:
        try:
            limit = size_bytes(str(asked))
        except ValueError as error:
            problems.append(f"[history] max_size: {error}")
    return limit, [f"{path}: {problem}" for problem in problems]
