"""A decoy of a host, and a system that can be spun, for images of hostile words."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hostile.words.spun import VERSION, Host, digest
from support import disk_images as images


@pytest.fixture
def host(tmp_path) -> Iterator[Host]:
    found = Host(tmp_path / "host")
    for name in ("etc/passwd", "usr/bin/vm-report", "etc/fstab", "boot/vmlinuz-1"):
        images.write(found.decoy / name, f"the host's own {name}")
    before = digest(found.decoy), sorted(Path("/").iterdir()), digest(Path("/etc/systemd"))
    yield found
    after = digest(found.decoy), sorted(Path("/").iterdir()), digest(Path("/etc/systemd"))
    assert after == before
    assert not found.marker.exists()


@pytest.fixture
def system(tmp_path) -> Path:
    """A small system that can be spun."""
    root = tmp_path / "tree"
    for folder in ("dev", "proc", "sys", "run", "tmp", "var", "usr/bin", "usr/sbin"):
        (root / folder).mkdir(parents=True)
    for name in ("bin", "sbin", "lib"):
        (root / name).symlink_to(f"usr/{name}")
    images.write(root / "etc/os-release", "ID=tiny\n")
    images.write(root / "etc/fstab", "")
    images.write(root / "etc/machine-id", "1\n")
    images.write(root / "etc/passwd", "the image's own")
    images.write(root / "usr/lib/systemd/systemd", "")
    (root / "usr/lib/systemd/system").mkdir()
    images.write(root / f"boot/vmlinuz-{VERSION}", "kernel")
    images.write(root / f"boot/initrd.img-{VERSION}", "initrd")
    return root
