"""A run's folder where the temporary folder is another user's, who can swap its name at will."""

from pathlib import Path

import pytest

from hostile.whole import Decoy
from vmtiming_tui.engine.children.rundir import run_dir
from vmtiming_tui.engine.children.warden import remove_folder


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch, place: Path) -> Path:
    """A temporary folder, and no folder of the session's that would come first."""
    folder = place / "theirs"
    folder.mkdir()
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def swap(path: Path, target: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to(target)


def test_the_end_of_a_run_empties_no_other_folder(temporary: Path, decoy: Decoy):
    before = decoy.facts()

    with run_dir() as made:
        assert made.path.parent == temporary
        swap(made.path, decoy.path)

    assert decoy.facts() == before


def test_neither_does_the_warden(place: Path, decoy: Decoy):
    (place / "run").mkdir()
    swap(place / "run", decoy.path)
    before = decoy.facts()

    remove_folder(str(place / "run"))

    assert decoy.facts() == before
