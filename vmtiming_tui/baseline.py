"""A run to compare with, by whatever name a person has for it."""

from pathlib import Path

from vmtiming_tui.config import unreachable
from vmtiming_tui.export.reading import read_export
from vmtiming_tui.history import History
from vmtiming_tui.sides import Side, side_of


def side_named(text: str) -> Side:
    """Return the run of an id, a name, ``last``, or an exported JSON file's path.

    Raises ``VmTimingError`` where there is none, or where the file is none of ours.
    """
    path = Path(text)
    if path.suffix.lower() == ".json" or (not unreachable(path) and path.is_file()):
        return side_of(read_export(path), path.name)
    with History.open() as history:
        stored = history.find(text)
        return side_of(history.load(stored), stored.label, name=stored.name)
