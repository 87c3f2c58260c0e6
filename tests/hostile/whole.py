"""A whole run on a hostile image: what it says, what it leaves, and a decoy host beside it."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPIN = ROOT / "spin" / "spin-from-raw.sh"
MARKER = "somebody-was-here"
TIMEOUT_S = 300


@dataclass(frozen=True)
class Ran:
    """How a command ended, and its words as bytes."""

    code: int
    said: bytes
    complaint: bytes

    @property
    def words(self) -> bytes:
        return self.said + self.complaint


def run(command: Sequence[str | Path], folder: Path, **more: object) -> Ran:
    """Run it in a folder; whatever it says is fit for a terminal."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, check=False, timeout=TIMEOUT_S, **more
    )
    ran = Ran(done.returncode, done.stdout, done.stderr)
    text = ran.words.decode()
    assert all(char == "\n" or char.isprintable() for char in text), text
    return ran


def spin(image: Path, folder: Path, *options: str, **more: object) -> Ran:
    """Run spin-from-raw.sh; what is ready is said once at most, in its own last line."""
    ran = run([SPIN, image, "--out", folder / "out", *options], folder, **more)
    ready = [line for line in ran.words.splitlines() if line.startswith(b"spin-from-raw: ready")]
    assert len(ready) == (ran.code == 0 and "--dry-run" not in options)
    if ready:
        assert ran.said.splitlines()[-1] == ready[0]
        assert ready[0].startswith(
            b"spin-from-raw: ready: " + os.fsencode((folder / "out").resolve())
        )
    return ran


def prepare(image: Path, folder: Path, *options: str) -> Ran:
    """Run ``vm-timing-report prepare``."""
    command = [sys.executable, "-m", "vmtiming_tui", "prepare", image, "--out", folder / "out"]
    return run([*command, "-n", "1", *options], folder, env=os.environ | {"PYTHONPATH": str(ROOT)})


# Each way an image comes in: a name, and how to run it.
WAYS = {
    "spin": spin,
    "spin --dry-run": lambda image, folder: spin(image, folder, "--dry-run"),
    "spin --boot-files": lambda image, folder: spin(image, folder, "--boot-files"),
    "prepare --dry-run": lambda image, folder: prepare(image, folder, "--dry-run"),
    "prepare --untouched": lambda image, folder: prepare(image, folder, "--untouched"),
}


@pytest.fixture(params=WAYS)
def way(request):
    """Every way an image is read, one after the other."""
    return WAYS[request.param]


@dataclass(frozen=True)
class Decoy:
    """A folder of files that no image may have read, changed or added to."""

    path: Path
    secret: bytes

    def facts(self) -> dict[str, object]:
        return dict(_facts(self.path))


def _facts(top: Path) -> Iterator[tuple[str, object]]:
    for path in sorted([top, *top.rglob("*")]):
        state = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        yield str(path.relative_to(top)), (state.st_mode, state.st_uid, state.st_ino, content)


def make_decoy(path: Path) -> Decoy:
    """A small host: files of root's, under the very names a result has."""
    secret = os.urandom(24).hex().encode()
    path.mkdir(mode=0o755)
    (path / "BFILES").mkdir()
    for name in ("passwd", "rootfs.img", "vmlinuz", "initrd", "cmdline", "BFILES/vmlinuz"):
        (path / name).write_bytes(secret + name.encode())
        (path / name).chmod(0o600)
    return Decoy(path, secret)


def holds(folder: Path, secret: bytes) -> bool:
    """Whether any file below a folder has these bytes."""
    done = subprocess.run(
        ["grep", "-rqaF", secret.decode(), folder], capture_output=True, check=False
    )
    return done.returncode == 0
