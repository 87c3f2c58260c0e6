"""What a run could leave: processes, run folders, mounts, temporary files, changed images."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine_lab import processes_naming


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _mounts(runtime: Path) -> list[str]:
    """Return the mounts that may be ours; others come and go on a host."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [line for line in lines if "timing" in line or str(runtime) in line]


def _ours_in(folder: Path) -> set[str]:
    return {entry.name for entry in folder.glob("vm*timing*")} if folder.is_dir() else set()


@contextmanager
def nothing_left(runtime: Path, *images: Path) -> Iterator[None]:
    """Fail where what runs inside leaves something behind, or changes an image.

    ``runtime`` is where the run folders are made (``XDG_RUNTIME_DIR``).
    """
    sums = {image: _digest(image) for image in images}
    places = {Path(tempfile.gettempdir()), Path("/var/tmp"), Path("/dev/shm")}
    files = {place: _ours_in(place) for place in places}
    mounts = _mounts(runtime)
    before = set(runtime.iterdir())
    yield
    assert set(runtime.iterdir()) - before == set()
    assert processes_naming(str(runtime)) == []
    assert {place: _ours_in(place) - files[place] for place in places} == {
        place: set() for place in places
    }
    assert _mounts(runtime) == mounts
    assert {image: _digest(image) for image in images} == sums
