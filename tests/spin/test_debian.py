"""The original's workflow: a raw Debian, spun, overlays made by qemu-img in a loop, booted."""

import os
import signal
import subprocess
import sys

import images
import pytest
from conftest import SPIN, left_behind, opened, spin

GENERATOR = SPIN.with_name("gen-debian-rawfs.sh")


@pytest.mark.real
def test_from_nothing_to_a_booted_vm(folder):
    raw = folder / "debian.raw"
    images.sh("bash", GENERATOR, "--packages", "less", "--size", "900M", raw)
    assert raw.stat().st_size == 900 * images.MIB
    assert [path.name for path in folder.iterdir()] == ["debian.raw"]

    spun = spin(raw, folder / "out")
    with opened(spun) as root:
        assert (root / "usr/bin/less").exists()
        assert (
            (root / "etc/fstab").read_text().startswith("/dev/vda / ext4 errors=remount-ro 0 1\n")
        )
    (spun.out / "vms").mkdir()
    loop = (
        "for i in {0..2}; do qemu-img create your-os-$i.img -b ../rootfs.img -f qcow2 -F raw; done"
    )
    images.sh("bash", "-c", f"cd {spun.out}/vms && {loop}")

    done = subprocess.run(
        [
            sys.executable, "-m", "vmtiming_tui", "--plain", "--no-history", "--accel", "tcg",
            "-n", "1", "-m", "340", "-p", "your-os", "-s", ".img", "-k", "BFILES/vmlinuz",
            "-i", "BFILES/initrd", "-v", "vms/",
        ],
        cwd=spun.out, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert "VM 0 booted in: " in done.stdout
    assert "Startup finished in " in done.stdout


def test_interrupted_it_leaves_nothing(folder):
    process = subprocess.Popen(
        ["stdbuf", "-oL", "bash", GENERATOR, folder / "debian.raw"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert "building" in process.stdout.readline()
    # mmdebstrap is at work as soon as its folder has something in it.
    while not any(folder.glob("debian.raw.*/tmp/*")):
        assert process.poll() is None
    os.kill(process.pid, signal.SIGTERM)
    process.communicate()

    assert process.returncode == 143
    assert list(folder.iterdir()) == []
    assert left_behind(folder) == []


@pytest.mark.parametrize("arguments", [[], ["--size", "x", "a.raw"], ["a", "b"], ["--what"]])
def test_bad_usage_exits_2(arguments, tmp_path):
    done = subprocess.run(
        ["bash", GENERATOR, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "usage: gen-debian-rawfs.sh" in done.stderr
    assert list(tmp_path.iterdir()) == []
