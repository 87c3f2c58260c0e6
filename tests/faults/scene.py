"""The scene of a fault: the command in its lab, what it is to be asked, and what came of it."""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from faults.fault import Fault
from support.aside import Aside
from support.engine_lab import Lab, processes_naming
from support.tool_lab import Ended, Tool
from support.traces import nothing_left

How: TypeAlias = Callable[["Scene"], AbstractContextManager[None]]


@dataclass
class Scene:
    """What a fault's ``how`` may change before the run, and look into after it.

    ``words`` go to the command beside the usual ones; ``unforced`` leaves out ``--force``;
    ``settings`` are for its process.
    """

    lab: Lab
    tool: Tool
    aside: Aside
    number: int = 2
    script: str = "boot=0.1"
    words: list[str] = field(default_factory=list)
    unforced: bool = False
    settings: dict[str, object] = field(default_factory=dict)
    ended: Ended = field(default_factory=lambda: Ended(0, "", ""))

    @property
    def folder(self) -> Path:
        return self.lab.folder

    @property
    def images(self) -> list[Path]:
        return [self.folder / f"vm-{vm}.img" for vm in range(4)]

    @property
    def line(self) -> list[str]:
        given = self.tool.arguments(self.number, self.script, *self.words)
        return [word for word in given if not (self.unforced and word == "--force")]

    def go_aside(self) -> Aside:
        """Have the command run where mounts are nobody else's business."""
        self.tool.prefix = self.aside.prefix(self.folder)
        return self.aside

    def run(self) -> Ended:
        self.ended = self.tool.run(*self.line, **self.settings)
        return self.ended

    def suffers(self, fault: Fault[How]) -> None:
        """Run with a fault, and see that it ends as the row says and leaves nothing."""
        with nothing_left(self.lab.runtime, *self.images), fault.how(self):
            self.run()

            assert f"exit code {self.ended.code}" == fault.ends, self.said
            assert fault.words in self.said
            self.makes_no_noise()

    @property
    def said(self) -> str:
        return self.ended.out + self.ended.err

    @property
    def history(self) -> list[tuple[str, int]]:
        """State and number of booted VMs of every run in the history."""
        path = self.folder / "state" / "vmtiming-tui" / "history.db"
        with sqlite3.connect(path) as connection:
            return connection.execute("SELECT state, booted FROM runs").fetchall()

    def leftovers(self) -> list[object]:
        """Return what still runs here, and the run folders that are there."""
        return [*self.lab.leftovers(), *processes_naming(str(self.lab.runtime))]

    def makes_no_noise(self) -> None:
        """Nobody is shown what only we can read."""
        assert "Traceback" not in self.said
        assert "Exception" not in self.said
