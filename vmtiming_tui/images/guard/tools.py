"""The few tools that work on copies of an image: run with nothing of the image in their words."""

import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.quoting import shown

TIME_LIMIT_S = 3600.0
_KEPT_BYTES = 1 << 16
_LEAST_FREE_BYTES = 1 << 20
_SYSTEM_PATH = "/usr/sbin:/sbin"
NO_ROOM = "no room is left for the new files"


@dataclass(frozen=True, slots=True)
class Done:
    """How a tool ended (as ``subprocess`` counts: negative for a signal), and its last words."""

    code: int
    said: bytes

    @property
    def lines(self) -> list[str]:
        """Its last words, made safe to show, without empty lines."""
        return [shown(line.strip()) for line in self.said.split(b"\n") if line.strip()]

    @property
    def last_word(self) -> str:
        """Its last line, or how it ended where it said nothing."""
        if self.lines:
            return self.lines[-1]
        if self.code < 0:
            return f"it was ended by a signal ({signal.strsignal(-self.code)})"
        return f"it ended with status {self.code} and without a word"


def run(argv: Sequence[str], cwd: Path, *, limit_s: float = TIME_LIMIT_S) -> Done:
    """Run a tool to its end in a folder, with no input; keep the last 64 KiB of what it says.

    Raises ``ImageError`` where it is missing, takes longer than ``limit_s``, or fails for want of
    room on the folder's disk.
    """
    environment = {
        "PATH": f"{os.environ.get('PATH', '/usr/bin:/bin')}:{_SYSTEM_PATH}",
        "LC_ALL": "C",
        "DEBUGFS_PAGER": "__none__",
    }
    try:
        with subprocess.Popen(  # noqa: S603  every word of it is ours
            argv,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as child:
            try:
                said = _last_words(child.stdout, time.monotonic() + limit_s)
                code = child.wait(limit_s)
            except (TimeoutError, subprocess.TimeoutExpired):
                raise ImageError(f"{argv[0]} took longer than {limit_s:.0f} s") from None
            finally:
                child.kill()
    except FileNotFoundError:
        raise ImageError(
            f"tools are missing: {argv[0]}", hint="apt-get install e2fsprogs qemu-utils"
        ) from None
    if code and free_bytes(cwd) < _LEAST_FREE_BYTES:
        raise ImageError(f"{argv[0]} failed: {NO_ROOM}; use --out elsewhere")
    return Done(code, said)


def succeed(argv: Sequence[str], cwd: Path, what: str) -> Done:
    """Run a tool that must not fail; ``what`` says to a person what it does."""
    done = run(argv, cwd)
    if done.code:
        raise ImageError(f"{what} failed: {done.last_word}")
    return done


def free_bytes(folder: Path | int) -> int:
    """Return how much a user may still write on the disk of a folder, by its path or open."""
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize


def number_in(text: bytes, pattern: bytes) -> int | None:
    """Return the one number a pattern finds, of 18 digits at most."""
    found = re.search(pattern + rb"(\d{1,18})\b", text)
    return int(found[1]) if found else None


def _last_words(pipe: IO[bytes] | None, deadline: float) -> bytes:
    assert pipe is not None  # noqa: S101  it was asked for
    kept = b""
    while True:
        ready, _, _ = select.select([pipe], [], [], max(deadline - time.monotonic(), 0))
        if not ready:
            raise TimeoutError
        data = os.read(pipe.fileno(), _KEPT_BYTES)
        if not data:
            return kept
        kept = (kept + data)[-_KEPT_BYTES:]
