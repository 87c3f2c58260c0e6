"""The lab every engine test works in."""

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
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    yield make_lab(tmp_path, runtime)
    shutil.rmtree(runtime)
