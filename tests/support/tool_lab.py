"""The command ``vm-timing-report`` in a process of its own, on stand-ins, in folders of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from support.engine_lab import Lab


@dataclass(frozen=True)
class Ended:
    """What a command left its caller with."""

    code: int
    out: str
    err: str


@dataclass
class Tool:
    """Starts the command in the lab's folder; no test sees or touches a person's own folders.

    ``prefix`` is what a command line begins with, to run it elsewhere or as someone else.
    """

    lab: Lab
    prefix: Sequence[str] = ()
    extra: Mapping[str, str] = field(default_factory=dict)
    running: list["subprocess.Popen[str]"] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | self.lab.environment | self.extra

    def arguments(self, number: int = 2, script: str = "", *more: object) -> list[str]:
        """Return the original's own line, for stand-ins: ``arguments(4, "boot=0.1")``."""
        self.lab.config(number)
        words = ["-n", number, "-m", 1, "-p", "vm", "-s", ".img", "-k", "vmlinuz", "-v", "."]
        words += ["-q", self.lab.qemu, "--accel", "tcg", "--force"]
        words += ["--append", " ".join(f"standin.{word}" for word in script.split())]
        return [str(word) for word in (*words, *more)]

    def command(self, *words: object) -> list[str]:
        return [*self.prefix, sys.executable, "-m", "vmtiming_tui", *map(str, words)]

    def start(self, *words: object, **how: object) -> "subprocess.Popen[str]":
        """Start the command; ``how`` goes to ``Popen``."""
        usual = {
            "cwd": self.lab.folder,
            "env": self.environment,
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
        }
        process = subprocess.Popen(self.command(*words), **usual | how)
        self.running.append(process)
        return process

    def run(self, *words: object, **how: object) -> Ended:
        """Run the command to its end."""
        process = self.start(*words, **how)
        out, err = process.communicate(timeout=120)
        return Ended(process.returncode, out or "", err or "")

    def close(self) -> None:
        """End what is still running."""
        for process in self.running:
            process.kill()
            process.communicate()
