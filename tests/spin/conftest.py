"""The trees and folders images are spun in."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import disk_images as images


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small tree every image is made from, with three kernels in /boot."""
    root = images.make_tree(tmp_path_factory.mktemp("tree") / "root")
    for version in ("6.1.0-9", "6.1.0-56", "0-rescue-1234"):
        images.add_kernel(root / "boot", version)
    return root


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of the test's own, emptied afterwards: images are large."""
    path = tmp_path_factory.mktemp("spin")
    yield path
    images.sh("rm", "-rf", path)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that `nobody` may use, too; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(prefix="spin-tests-") as name:
        path = Path(name)
        path.chmod(0o755)
        (path / "theirs").mkdir()
        shutil.chown(path / "theirs", "nobody")
        yield path


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory, tree: Path) -> Path:
    """An ext4 on the whole image, the simplest case; no test may change it."""
    return images.ext4(tmp_path_factory.mktemp("bare") / "bare.img", tree, 64)
