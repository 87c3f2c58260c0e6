"""The scene every fault happens in."""

import shutil
import tempfile
from pathlib import Path

import pytest
from engine_lab import make_lab
from tool_lab import Tool

from faults.aside import aside
from faults.scene import Scene


@pytest.fixture
def lab(monkeypatch):
    """A folder with a stand-in, and run folders in a place of their own.

    Other users can read the folder, which pytest's own would not let them.
    """
    folder, runtime = (Path(tempfile.mkdtemp(prefix="vmt-")) for _ in range(2))
    folder.chmod(0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    yield make_lab(folder, runtime)
    shutil.rmtree(runtime)
    shutil.rmtree(folder)


@pytest.fixture
def scene(lab):
    """The command in its lab, with mounts of its own where a fault needs them."""
    tool = Tool(lab)
    lab.config(4)
    with aside() as place:
        yield Scene(lab, tool, place)
        tool.close()
