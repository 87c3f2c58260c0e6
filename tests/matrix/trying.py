"""One image of the matrix: prepared as a person would, and booted by the printed command."""

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from support.spinning import digest, left_behind

_BOOT = ("--plain", "--accel", "tcg", "--no-history", "-o", "boot.json")
_COMMAND = "vm-timing-report "
_REFUSAL_LINES = 4


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one image; ``boot_s`` None where it did not boot."""

    image: str
    way: str
    prepared: str
    boot_s: float | None
    words: str
    unchanged: bool
    left: Sequence[str]

    def __str__(self) -> str:
        booted = "no" if self.boot_s is None else f"{self.boot_s:.0f} s"
        source = "same" if self.unchanged else "CHANGED"
        row = f"{self.image:20} {self.way:11} {self.prepared:9} {booted:>6}  {source:7}"
        return "\n".join([f"{row} {self.words}", *(f"  left behind: {each}" for each in self.left)])


HEADING = f"{'image':20} {'way':11} {'prepared':9} {'booted':>6}  source  words"


def tried(image: Path, options: Sequence[str], folder: Path, *, timeout_s: int) -> Outcome:
    """Prepare an image in an empty folder, and boot it by what is printed then.

    Without a boot where ``timeout_s`` is 0.
    """
    before = digest(image)
    way = " ".join(option.removeprefix("--") for option in options) or "copy"
    out = folder / f"{image.stem}-{way.replace(' ', '-')}"
    words = ("prepare", str(image), "--out", str(out), "-n", "1", *options)
    done = _tool(words, folder)
    prepared = "made" if done.returncode == 0 else "refused"
    told = _told(done)
    command = _printed(done)
    if command[:1] == ["prepare"]:
        done = _tool(command, folder)
        told = f"{told} / {_told(done)}"
        command = _printed(done)
    boot_s = None
    if command and timeout_s:
        started = time.monotonic()
        boot = _tool((*command, *_BOOT, "--timeout", str(timeout_s)), folder)
        boot_s = _boot_s(folder / "boot.json")
        if boot_s is None:
            lines = boot.stdout.splitlines() + boot.stderr.splitlines()
            why = next(
                (line for line in lines if "timed out" in line or "error" in line.lower()), ""
            )
            told = f"{told} / after {time.monotonic() - started:.0f} s: {why or lines[-1:]}"
    left = [each for each in left_behind(folder) if str(out) not in each]
    return Outcome(
        image=image.stem, way=way, prepared=prepared, boot_s=boot_s, words=told,
        unchanged=digest(image) == before, left=left,
    )  # fmt: skip


def _tool(words: Sequence[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "vmtiming_tui", *words]
    return subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def _printed(done: "subprocess.CompletedProcess[str]") -> list[str]:
    """Return the words of the last command that was printed for a person to run."""
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines()]
    commands = [line for line in lines if line.startswith(_COMMAND)]
    return shlex.split(commands[-1])[1:] if commands else []


def _told(done: "subprocess.CompletedProcess[str]") -> str:
    """Return what was said that matters: a refusal, or what was carried over and left out."""
    lines = [line.removeprefix("spin-from-raw: ").strip() for line in done.stderr.splitlines()]
    if done.returncode:
        return " / ".join(lines[-_REFUSAL_LINES:-1])
    kept = ("carried over", "left out", "its first boot", "comes from", "becomes")
    return "; ".join(line for line in lines if any(word in line for word in kept))


def _boot_s(report: Path) -> float | None:
    """Return how long the one boot of a run took; the report is gone then."""
    if not report.exists():
        return None
    document = json.loads(report.read_text())
    report.unlink()
    attempts = [attempt for vm in document["vms"] for attempt in vm["attempts"]]
    return attempts[-1].get("boot_s") if attempts else None
