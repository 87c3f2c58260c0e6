"""What a run could leave: processes, run folders, mounts, temporary files, changed images."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.engine_lab import processes_naming


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _ours_in(folder: Path) -> set[str]:
    return {entry.name for entry in folder.glob("vm*timing*")} if folder.is_dir() else set()


def _mounts_below(folders: set[Path]) -> list[str]:
    """Return the mounts in some folders; elsewhere others may mount what they like meanwhile."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [line for line in lines if folders & set(Path(line.split()[1]).parents)]


@contextmanager
def nothing_left(runtime: Path, *images: Path) -> Iterator[None]:
    """Fail where what runs inside leaves something behind, or changes an image.

    ``runtime`` is where the run folders are made (``XDG_RUNTIME_DIR``); it and the temporary folder
    are the lab's own, and nobody else's runs are looked at.
    """
    sums = {image: _digest(image) for image in images}
    temp = Path(tempfile.gettempdir())
    files = _ours_in(temp)
    folders = {runtime, *(image.parent for image in images)}
    mounts = _mounts_below(folders)
    before = set(runtime.iterdir())
    yield
    assert set(runtime.iterdir()) - before == set()
    assert processes_naming(str(runtime)) == []
    assert _ours_in(temp) - files == set()
    assert _mounts_below(folders) == mounts
    assert {image: _digest(image) for image in images} == sums
