"""The original's workflow: a raw Debian, spun, overlays made by qemu-img in a loop, booted."""

import os
import re
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import disk_images as images
from support.debians import plain_debian, repack
from support.spinning import SPIN, left_behind, opened, spin

GENERATOR = SPIN.with_name("gen-debian-rawfs.sh")
LOOP = "for i in {0..2}; do qemu-img create your-os-$i.img -b ../rootfs.img -f qcow2 -F raw; done"


@pytest.fixture(scope="module")
def debian():
    """A folder with a Debian of the generator, which built it without root where it can."""
    return plain_debian()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("debian")
    yield folder
    images.sh("rm", "-rf", folder)


# An initrd as dracut makes it for one machine alone, whose disk is no virtio one and has an xfs.
LEAN = (
    r"find . -name 'virtio_*.ko*' -delete; "
    "depmod -b . $(ls usr/lib/modules); mkdir -p etc/cmdline.d; "
    "echo ' rootfstype=xfs rootflags=rw,noquota' >etc/cmdline.d/95root-dev.conf"
)


@pytest.fixture(scope="module")
def spun(debian, place):
    """It spun, and its twin from an xfs whose initrd was made for another machine."""
    original = place / "original.img"
    original.symlink_to(debian / "vm-0.img")
    with images.mounted(original, "ro,loop,noload") as root:
        twin = images.mounted_fs(place / "twin.raw", "xfs", root, 1200)
    repack(debian / "initrd.dracut", place / "lean.initrd", LEAN)
    with images.mounted(twin) as root:
        (installed,) = (root / "boot").glob("initrd.img-*")
        shutil.copy(place / "lean.initrd", installed)
    return {"plain": spin(original, place / "plain"), "lean": spin(twin, place / "lean")}


@pytest.fixture(scope="module")
def boots(spun):
    """Each of them booted from an overlay of the original's loop, both at once."""

    def boot(name: str):
        out = spun[name].out
        (out / "vms").mkdir()
        images.sh("bash", "-c", f"cd {out}/vms && {LOOP}")
        return subprocess.run(
            [
                sys.executable, "-m", "vmtiming_tui", "--plain", "--no-history", "--accel", "tcg",
                "-n", "1", "-m", "340", "-p", "your-os", "-s", ".img", "-k", "BFILES/vmlinuz",
                "-i", "BFILES/initrd", "-v", "vms/", "--timeout", "900",
            ],
            cwd=out, capture_output=True, text=True, check=False,
        )  # fmt: skip

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(spun, pool.map(boot, spun), strict=True))


@pytest.mark.real
def test_the_generator_makes_what_was_asked_for(debian, spun):
    assert (debian / "vm-0.img").stat().st_size == 640 * images.MIB
    with opened(spun["plain"]) as root:
        assert (root / "usr/bin/less").exists()
        assert (
            (root / "etc/fstab").read_text().startswith("/dev/vda / ext4 errors=remount-ro 0 1\n")
        )


@pytest.mark.real
def test_only_an_initrd_of_another_machine_is_added_to(spun):
    assert "added" not in spun["plain"].said
    assert re.search(r"added virtio_pci .*virtio_blk from its modules", spun["lean"].said)


@pytest.mark.real
@pytest.mark.parametrize("name", ["plain", "lean"])
def test_it_boots_and_reports(name, boots):
    done = boots[name]

    assert done.returncode == 0, done.stdout + done.stderr
    assert "VM 0 booted in: " in done.stdout
    assert "Startup finished in " in done.stdout


def test_a_user_without_ids_of_their_own_is_told_how_to_get_some(public_folder):
    done = subprocess.run(
        ["bash", GENERATOR, public_folder / "theirs/debian.raw"],
        capture_output=True, text=True, check=False, user="nobody", group="nogroup",
        extra_groups=[],
    )  # fmt: skip

    assert done.returncode == 1
    assert "nobody has none in /etc/subuid and /etc/subgid: usermod --add-subuids" in done.stderr
    assert list((public_folder / "theirs").iterdir()) == []


STEERING = r"\033[2J\302\233"


@pytest.fixture
def failing(tmp_path):
    """Let a tool fail that a generator runs; returns how to run one with it."""

    def run(script: str, tool: str, body: str) -> "subprocess.CompletedProcess[str]":
        path = tmp_path / "bin" / tool
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return subprocess.run(
            ["bash", SPIN.with_name(script), tmp_path / "out"],
            env=os.environ | {"PATH": f"{path.parent}:{os.environ['PATH']}"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


@pytest.mark.parametrize("script", ["gen-demo-guest.sh", "gen-debian-rawfs.sh"])
def test_what_a_failing_tool_said_last_is_said_and_acts_on_no_terminal(script, failing, tmp_path):
    words = f"I: a step\\ndpkg: error: no space{STEERING}\\n{'x' * 5000}"
    done = failing(script, "mmdebstrap", f"printf '{words}\\n' >&2; exit 25")

    last = done.stderr.splitlines()
    assert done.returncode == 1
    assert last[0].endswith(": mmdebstrap failed. Its last words:")
    assert last[1] == "    dpkg: error: no space[2J"
    assert last[2] == f"    {'x' * 300}"
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


def test_a_tool_that_fails_without_a_word_is_named(failing):
    done = failing("gen-demo-guest.sh", "mmdebstrap", "exit 1")

    assert done.stderr == "gen-demo-guest: mmdebstrap failed without a word\n"


def test_package_sources_that_cannot_be_read_are_not_taken_for_none(failing):
    done = failing("gen-demo-guest.sh", "apt-get", "echo E: Malformed entry 3 >&2; exit 100")

    assert done.returncode == 1
    assert "which names the host's package sources, failed. Its last words:" in done.stderr
    assert "E: Malformed entry 3" in done.stderr


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
