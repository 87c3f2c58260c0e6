"""One row of the tables of faults: what is done, how it ends, and in which words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

How = TypeVar("How")


@dataclass(frozen=True)
class Fault(Generic[How]):
    """A fault: ``what`` in the manual's words, ``how`` it is injected, and what must be seen.

    ``ends`` is a VM's state or the tool's exit ("failed", "exit code 2"); ``words`` stand in what
    the user is told, letter for letter; ``kept`` says what is there afterwards that matters. That
    nothing is left behind (processes, sockets, mounts, files, changed images) holds for every row
    and is checked around every one.

    Rows of one ``line`` are one line of the manual, told of the first; ``seen`` is what it says
    there where ends and words would say too little.
    """

    what: str
    how: How
    ends: str
    words: str = ""
    kept: str = ""
    line: str = ""
    seen: str = ""

    def __str__(self) -> str:
        return self.what

    @property
    def cells(self) -> tuple[str, str, str]:
        """The manual's row: what happens, what is seen, what is kept."""
        return self.line or self.what, self.seen or self._outcome, self.kept

    @property
    def _outcome(self) -> str:
        words = " ".join(self.words.split())
        more = " ..." if self.words.endswith(" ") else ""
        return f"{self.ends}: “{words.rstrip(':')}{more}”" if words else self.ends


def as_one(line: str, faults: Sequence[Fault[How]], *, seen: str = "") -> list[Fault[How]]:
    """Return faults as trials of one line of the manual."""
    return [replace(fault, line=line, seen=seen) for fault in faults]


def markdown(faults: Iterable[Fault[object]]) -> str:
    """Return a Markdown table of faults, a row a line."""
    lines: dict[str, tuple[str, ...]] = {}
    for fault in faults:
        lines.setdefault(fault.cells[0], fault.cells)
    rows = ["| What happens | What you see | What is kept |", "|---|---|---|"]
    for cells in lines.values():
        escaped = (cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells)
        rows.append("| " + " | ".join(escaped) + " |")
    return "\n".join(rows) + "\n"
