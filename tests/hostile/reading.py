"""Hostile images, read by a child whose memory and time are bounded."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 60


@dataclass(frozen=True)
class Reading:
    """What the child found; ``volumes`` has (name, type, uuid, label)."""

    refused: str
    said: list[str]
    volumes: list[list[str]]
    names: int
    complaints: list[str]

    @property
    def types(self) -> list[str]:
        return [volume[1] for volume in self.volumes]


def read(image: Path) -> Reading:
    """Read an image to the end; nothing of it may be run, and no word of it steer a terminal."""
    [found] = read_each([image])
    return found


def read_each(images: Sequence[Path]) -> list[Reading]:
    """Read images of one folder, one after the other, in one child."""
    folder = images[0].parent
    before = set(folder.iterdir())
    done = subprocess.run(
        [sys.executable, "-m", "hostile.read_all", *images],
        cwd=folder, capture_output=True, text=True, check=False, timeout=TIMEOUT_S,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert set(folder.iterdir()) == before
    readings = [Reading(**json.loads(line)) for line in done.stdout.splitlines()]
    assert len(readings) == len(images)
    for found in readings:
        names = [word for volume in found.volumes for word in volume]
        words = [found.refused, *found.said, *found.complaints, *names]
        assert all(word.isprintable() for word in words)
        assert all(len(word) < 1000 for word in words)
    return readings
