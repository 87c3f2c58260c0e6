"""A run to compare with, by whatever name a person has for it."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from vmtiming_tui.config import unreachable
from vmtiming_tui.errors import HistoryError
from vmtiming_tui.export.reading import read_export
from vmtiming_tui.history import History
from vmtiming_tui.sides import Side, side_of
from vmtiming_tui.store import default_path


def with_known(side: Side, history: History) -> Side:
    """Return a side with what the history keeps of runs in its circumstances.

    Where that cannot be read, less is known, and the runs are compared all the same.
    """
    settings = [sample.setting for sample in side.samples if sample.setting is not None]
    with suppress(HistoryError):
        known = history.known(dict.fromkeys(each.circumstances for each in settings))
        return replace(side, known=known)
    return side


def side_named(text: str) -> Side:
    """Return the run of an id, a name, ``last``, or an exported JSON file's path.

    Raises ``VmTimingError`` where there is none, or where the file is none of ours.
    """
    path = Path(text)
    if path.suffix.lower() == ".json" or (not unreachable(path) and path.is_file()):
        side = side_of(read_export(path), path.name)
        with suppress(HistoryError, OSError):  # a file needs no history: less is known without
            if default_path().exists():
                with History.open() as history:
                    return with_known(side, history)
        return side
    with History.open() as history:
        stored = history.find(text)
        side = side_of(history.load(stored), stored.label, name=stored.name)
        return with_known(side, history)
