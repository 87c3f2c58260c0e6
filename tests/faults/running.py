"""A run that something is done to while it goes on, and what came of it."""

import signal
from dataclasses import dataclass
from pathlib import Path

from faults.scene import Scene
from support.engine_lab import child_naming, warden_of
from support.schema import exported_file


@dataclass(frozen=True)
class Outcome:
    """How it ended, what was said, and the VMs' states in the export; None where none was made."""

    ends: str
    said: str
    states: tuple[str, ...] | None = None


def states_in(path: Path) -> tuple[str, ...]:
    """Return the states an export has, sorted."""
    vms = exported_file(path)["vms"]
    return tuple(sorted(vm["attempts"][-1]["state"] for vm in vms))


def in_words(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


class Running:
    """A run of which VM 0 has booted and others are under way; its export goes to ``kept.json``."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.process = scene.tool.start(*scene.line, "-o", "kept.json")
        self.seen = ""
        self.till("VM 0 reported as booted")

    def till(self, words: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.seen += line
            if words in line:
                return
        raise AssertionError(self.seen)

    @property
    def engine(self) -> int:
        return child_naming(self.process.pid, "engine.__main__")

    @property
    def warden(self) -> int:
        return warden_of(self.engine)

    def end(self) -> Outcome:
        """Wait for the end."""
        out, err = self.process.communicate(timeout=60)
        said = self.seen + (out or "") + err
        kept = self.scene.folder / "kept.json"
        states = states_in(kept) if kept.exists() else None
        return Outcome(in_words(self.process.returncode), said, states)


# Real QEMUs, of a disk without a system: they start, open their images, and stay.


def real_line(folder: Path, *words: str, prefix: str = "real", number: int = 2) -> list[str]:
    """Return the command's words for empty disks in a folder, which are made."""
    for vm in range(number):
        with (folder / f"{prefix}-{vm}.img").open("wb") as image:
            image.truncate(1 << 20)
    line = ["-n", str(number), "-m", "16", "-p", prefix, "-s", ".img", "-v", str(folder)]
    line += ["--boot", "firmware", "--accel", "tcg", "--force", "--no-history"]
    return [*line, *words]
