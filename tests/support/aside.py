"""Mounts that nobody else on the host sees: full disks and read-only folders for one command."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Aside:
    """A mount namespace, held by process ``pid``; its mounts are gone when that is."""

    pid: int
    user: tuple[str, ...]

    def prefix(self, folder: Path) -> list[str]:
        """Return what runs a command line in here, in a folder."""
        return ["nsenter", *self.user, f"--target={self.pid}", "--mount", f"--wdns={folder}"]

    def do(self, *words: object) -> None:
        """Run a command in here, such as ``mount``."""
        command = [*self.prefix(Path("/")), *map(str, words)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def seen(self, path: Path) -> Path:
        """Return where we see what is at a path in here."""
        return Path(f"/proc/{self.pid}/root{path}")

    def disk(
        self, place: Path, *, size: str = "4k", full: bool = False, settings: str = ""
    ) -> None:
        """Mount a small disk; a ``full`` one has no byte left for anything."""
        self.do("mount", "-t", "tmpfs", "-o", f"size={size},mode=0700{settings}", "tmpfs", place)
        if full:
            self.fill(place)

    def fill(self, place: Path) -> None:
        """Leave no byte of a disk."""
        filler = self.seen(place) / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError:
                return

    def read_only(self, place: Path) -> None:
        """Let nobody write below a folder any more."""
        self.do("mount", "--bind", place, place)
        self.do("mount", "-o", "remount,bind,ro", place)


@contextmanager
def aside() -> Iterator[Aside]:
    """Make such a namespace: as root, or as a user who is root in it alone."""
    is_root = os.geteuid() == 0
    new = () if is_root else ("--user", "--map-root-user")
    holder = subprocess.Popen(
        ["unshare", *new, "--mount", "sh", "-c", "echo; exec sleep 600"], stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline()
        yield Aside(holder.pid, () if is_root else ("--user", "--preserve-credentials"))
    finally:
        holder.kill()
        holder.communicate()
