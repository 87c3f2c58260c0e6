"""A run to compare with, by whatever name a person has for it."""

import re
from contextlib import suppress
from pathlib import Path

from vmtiming_tui.analysis.comparison.parts import part_of
from vmtiming_tui.analysis.comparison.samples import Side, side_of
from vmtiming_tui.errors import HistoryError, VmTimingError
from vmtiming_tui.history.database import default_path
from vmtiming_tui.history.runs import History
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export.from_json import read_export
from vmtiming_tui.request.labels import SEARCH
from vmtiming_tui.request.paths import unreachable

_SETTING = re.compile(r"[a-z][a-z_-]*=")


def side_named(text: str) -> Side:
    """Return the run of an id, a name, ``last``, a label, or an exported JSON file's path.

    ``RUN:smp=2`` is the part of it that booted so. Raises ``VmTimingError`` where there is no such
    run or part, or where the file is none of ours.
    """
    readings = [(text, ""), *_divided(text)]
    for run, setting in readings:
        try:
            side = _whole(run)
        except VmTimingError:
            if (run, setting) == readings[-1]:
                raise
        else:
            return part_of(side, setting) if setting else side
    raise AssertionError("the last reading returns or raises")


def _divided(text: str) -> list[tuple[str, str]]:
    """Return what may be a run and its setting; a setting's value may have colons of its own."""
    colons = [at for at, sign in enumerate(text) if sign == ":"]
    divided = ((text[:at], text[at + 1 :]) for at in reversed(colons))
    return [
        (run, setting)
        for run, setting in divided
        if run and f"{run}:" != SEARCH and _SETTING.match(setting)
    ]


def _whole(text: str) -> Side:
    path = Path(text)
    if not text.startswith(SEARCH) and _is_export(path):  # a label may look like a path
        side = side_of(read_export(path), path.name)
        with suppress(HistoryError, OSError):  # a file needs no history: less is known without
            if default_path().exists():
                with History.open() as history:
                    return history.with_known(side)
        return side
    with History.open() as history:
        stored = history.find(text)
        side = side_of(history.load(stored), stored.label, name=stored.name)
        return history.with_known(side)


def fleet_named(text: str) -> Fleet:
    """Return the run itself of an id, a name, ``last``, a label, or an exported file's path."""
    path = Path(text)
    if not text.startswith(SEARCH) and _is_export(path):
        return read_export(path)
    with History.open() as history:
        return history.load(history.find(text))


def _is_export(path: Path) -> bool:
    return path.suffix.lower() == ".json" or (not unreachable(path) and path.is_file())
