"""A guest of another architecture: a real arm64 kernel on QEMU's virt machine, emulated."""

import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from support.kept import kept
from vmtiming_tui.images.system.initrd.cpio import Entry, cpio
from vmtiming_tui.resources import resource

MODULES = ("virtio_pci", "virtio_blk", "virtio_console")
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done </order
[ -b /dev/vda ] || exit 1
sh /vm-report.sh
poweroff -f
"""


def _initrd(root: Path) -> bytes:
    """An initrd of a static busybox and the report script as it is, without a systemd."""
    version = next((root / "lib/modules").iterdir()).name
    paths: list[Path] = []
    for module in MODULES:
        shown = subprocess.run(
            ["/sbin/modprobe", "-d", root, "-S", version, "--show-depends", module],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        paths += [Path(line.split()[1]) for line in shown.splitlines() if line.startswith("insmod")]
    paths = list(dict.fromkeys(paths))
    order = "".join(f"{path.name}\n" for path in paths)
    return cpio(
        [
            *map(Entry, ("bin", "dev", "proc", "sys", "modules")),
            Entry("bin/busybox", (root / "bin/busybox").read_bytes(), 0o755),
            Entry("init", INIT.encode(), 0o755),
            Entry("order", order.encode()),
            Entry("vm-report.sh", resource("assets", "vm-report.sh").read_bytes()),
            *(Entry(f"modules/{path.name}", path.read_bytes()) for path in paths),
        ]
    )


def _unpack_arm64(folder: Path) -> None:
    """Debian's arm64 kernel and busybox, unpacked: nothing of them has to run on the host."""
    archive = folder / "root.tar"
    subprocess.run(
        ["mmdebstrap", "--quiet", "--architectures=arm64", "--variant=extract",
         "--include=linux-image-cloud-arm64,busybox-static", "bookworm", archive],
        check=True,
    )  # fmt: skip
    root = folder / "root"
    with tarfile.open(archive) as tar:
        wanted = ("./boot/vmlinuz", "./bin/busybox", "./lib/modules")
        tar.extractall(root, [m for m in tar if m.name.startswith(wanted)], filter="tar")
    archive.unlink()
    version = next((root / "lib/modules").iterdir()).name
    subprocess.run(["/sbin/depmod", "-b", root, version], check=True)


@pytest.fixture(scope="module")
def arm64(tmp_path_factory) -> Path:
    """A folder with an arm64 kernel, an initrd and an empty disk."""
    root = kept("arm64-bookworm", _unpack_arm64) / "root"
    folder = tmp_path_factory.mktemp("arm64")
    (folder / "kernel").symlink_to(next((root / "boot").glob("vmlinuz-*")))
    (folder / "initrd").write_bytes(_initrd(root))
    with (folder / "arm-0.img").open("wb") as disk:
        disk.truncate(1 << 20)
    return folder


@pytest.fixture(scope="module")
def boot(arm64, in_folder):
    """One boot of it, with nothing said about the machine."""
    return in_folder(
        "-n", 1, "-p", "arm", "-s", ".img", "-v", arm64, "-q", "qemu-system-aarch64",
        "-k", arm64 / "kernel", "-i", arm64 / "initrd", "-o", "arm.json", "--no-history",
        "--timeout", 200,
    )  # fmt: skip


def test_an_arm64_guest_boots_and_reports(boot):
    assert boot.returncode == 0, boot.stdout + boot.stderr
    assert "VM 0 reported as booted" in boot.stdout


def test_it_is_emulated_and_that_is_said_once(boot):
    assert boot.stderr.count("aarch64 guests cannot run on this x86_64 host's CPU itself") == 1


def test_its_console_is_the_machines_own(boot):
    assert "console=ttyAMA0" in boot.stdout


def test_the_guest_speaks_for_itself(boot, in_folder):
    assert re.search(r"VM 0 booted in: [\d.]+s: .* up \d", boot.stdout)
    assert "-cloud-arm64" in (in_folder.folder / "arm.json").read_text()
