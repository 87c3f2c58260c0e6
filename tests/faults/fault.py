"""One row of the tables of faults: what is done, how it ends, and in which words."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

How = TypeVar("How")


@dataclass(frozen=True)
class Fault(Generic[How]):
    """A fault: ``what`` in the README's words, ``how`` it is injected, and what must be seen.

    ``ends`` is a VM's state or the tool's exit ("failed", "exit code 2"); ``words`` stand in what
    the user is told, letter for letter; ``kept`` says what is there afterwards that matters. That
    nothing is left behind (processes, sockets, mounts, files, changed images) holds for every row
    and is checked around every one.
    """

    what: str
    how: How
    ends: str
    words: str = ""
    kept: str = ""

    def __str__(self) -> str:
        return self.what

    @property
    def cells(self) -> tuple[str, str, str]:
        """The README's row: what happens, what is seen, what is kept."""
        seen = f"{self.ends}: “{self.words}”" if self.words else self.ends
        return self.what, seen, self.kept


def markdown(faults: Iterable[Fault[object]]) -> str:
    """Return a Markdown table of faults, a row each; what two rows say alike is said once."""
    lines = ["| What happens | What you see | What is kept |", "|---|---|---|"]
    for cells in dict.fromkeys(fault.cells for fault in faults):
        escaped = (cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells)
        lines.append("| " + " | ".join(escaped) + " |")
    return "\n".join(lines) + "\n"
