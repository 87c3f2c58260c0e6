"""A run to compare with, by whatever name a person has for it."""

import json
from pathlib import Path

from vmtiming_tui.errors import EventError, VmTimingError
from vmtiming_tui.history import History
from vmtiming_tui.sides import Side, side_of
from vmtiming_tui.wire import from_json


def side_named(text: str) -> Side:
    """Return the run of an id, a name, ``last``, or an exported JSON file's path.

    Raises ``VmTimingError`` where there is none, or where the file is none of ours.
    """
    path = Path(text)
    if path.suffix.lower() == ".json" or path.is_file():
        return _side_in(path)
    with History.open() as history:
        stored = history.find(text)
        return side_of(history.load(stored), stored.label)


def _side_in(path: Path) -> Side:
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        return from_json(Side, body["side"] if isinstance(body, dict) else body)
    except OSError as error:
        raise VmTimingError(
            f"{path} cannot be read ({error.strerror})", hint="give a run's id, name, or its export"
        ) from None
    except (ValueError, KeyError, EventError, RecursionError):
        raise VmTimingError(
            f"{path} is no run exported by this tool", hint="vm-timing-report export RUN FILE.json"
        ) from None
