"""A lab of stand-ins, for guests that want the engine's time and memory."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_lab import Lab, make_lab


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A folder with a stand-in, and run folders in a place of their own."""
    runtime = Path(tempfile.mkdtemp(prefix="vmt-"))
    for name in ("CACHE", "STATE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    yield make_lab(tmp_path, runtime)
    shutil.rmtree(runtime)
