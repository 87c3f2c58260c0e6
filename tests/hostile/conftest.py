"""What the tests of hostile images share: a folder for each, an honest system, a decoy host."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import images
import pytest
from engine_lab import Lab, make_lab

from hostile import whole
from hostile.whole import way  # noqa: F401  a fixture


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder of the test's own that everybody may enter; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(prefix="hostile-tests-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@pytest.fixture
def decoy(place: Path) -> whole.Decoy:
    """A small host beside the image."""
    return whole.make_decoy(place / "decoy")


@pytest.fixture
def system(place: Path) -> Path:
    """The tree of a small system, to be made hostile."""
    tree = images.make_tree(place / "tree")
    images.add_kernel(tree / "boot", "6.1.0-9")
    return tree


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A folder with a stand-in for QEMU, and every folder of a run's in a place of its own."""
    runtime = Path(tempfile.mkdtemp(prefix="vmt-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    for name in ("CACHE", "STATE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    yield make_lab(tmp_path, runtime)
    shutil.rmtree(runtime)
