"""``vm-timing-report prepare``: one call from a disk image to overlays ready to boot."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from readers.kernel_files import ALL_DRIVERS, arm64_image, bz_image
from support import disk_images as images
from support.spinning import digest, left_behind
from vmtiming_tui.images.gate.ask_qemu_img import QemuImg
from vmtiming_tui.images.gate.format_ledger import Ledger, ledger_path
from vmtiming_tui.images.gate.permission import Rules, take


@pytest.fixture
def prepare(bare, folder):
    """Call it in a folder of the test's own; the source must be the same afterwards."""

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        before = digest(bare)
        done = subprocess.run(
            [sys.executable, "-m", "vmtiming_tui", "prepare", bare, *words],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert digest(bare) == before
        assert left_behind(folder) == []
        return done

    return call


def backing_of(overlay: Path) -> str:
    return images.sh("qemu-img", "info", "--output=json", overlay)


def test_it_leaves_root_kernel_initrd_and_overlays_and_says_how_to_boot_them(prepare, folder):
    done = prepare("--out", "out", "-n", "3", "-p", "your-os", "-m", "340")

    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (folder / "out/vms").iterdir()) == [
        "your-os-0.img", "your-os-1.img", "your-os-2.img",
    ]  # fmt: skip
    assert str(folder / "out/rootfs.img") in backing_of(folder / "out/vms/your-os-2.img")
    assert "copying the whole image" in done.stderr
    assert done.stdout.splitlines()[0] == "Made 3 overlays. Now boot them:"
    command = shlex.split(done.stdout.splitlines()[-1])
    assert command[0] == "vm-timing-report"
    for flag in ("-k", "-i", "-v"):
        assert (folder / command[command.index(flag) + 1]).exists()


def test_a_dry_run_says_all_and_writes_nothing(prepare, folder):
    done = prepare("--out", "out", "--dry-run")

    assert done.returncode == 0
    assert "nothing was written" in done.stderr
    assert done.stdout == ""
    assert list(folder.iterdir()) == []


def test_size_and_kernel_reach_the_script(prepare, folder):
    assert prepare("--size", "700M", "--kernel-version", "6.1.0-9").returncode == 0

    assert (folder / "rootfs.img").stat().st_size == 700 * images.MIB
    assert (folder / "BFILES/vmlinuz").read_bytes().startswith(b"kernel 6.1.0-9")


def test_a_root_that_is_there_is_replaced_by_force_only_and_its_overlays_with_it(prepare, folder):
    assert prepare("-n", "2").returncode == 0
    root, overlay = folder / "rootfs.img", folder / "vms/vm-0.img"
    before = digest(root), overlay.stat().st_ino

    again = prepare("-n", "2")

    assert again.returncode == 1
    assert "--force replaces it" in again.stderr
    assert (digest(root), overlay.stat().st_ino) == before

    (folder / "vms/vm-9.img").write_text("somebody's, and no overlay")
    forced = prepare("-n", "1", "--force", "--size", "700M")

    assert forced.returncode == 0, forced.stderr
    assert root.stat().st_size == 700 * images.MIB
    assert sorted(path.name for path in (folder / "vms").iterdir()) == ["vm-0.img", "vm-9.img"]
    assert "700 MiB" in images.sh("qemu-img", "info", overlay)


def test_what_the_script_refuses_is_refused_with_its_words(prepare, folder):
    done = prepare("--out", "out", "--size", "1M")

    assert done.returncode == 1
    assert "too small" in done.stderr
    assert "could not be prepared" in done.stderr
    assert list(folder.iterdir()) == []


def test_untouched_the_overlays_stand_on_the_image_itself(prepare, bare, folder):
    done = prepare("--out", "out", "-n", "2", "--untouched")

    assert done.returncode == 0, done.stderr
    assert str(bare) in backing_of(folder / "out/vms/vm-1.img")
    assert not (folder / "out/rootfs.img").exists()
    command = shlex.split(done.stdout.splitlines()[-1])
    assert command[-3:] == ["--inject", "--append", "root=/dev/vda"]


def test_untouched_an_image_whose_format_qemu_alone_tells_is_said_to_be_that(bare, folder):
    images.sh("qemu-img", "convert", "-O", "vdi", bare, folder / "disk.vdi")
    done = subprocess.run(
        [sys.executable, "-m", "vmtiming_tui", "prepare", "disk.vdi", "-n", "1", "--untouched"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "backing file format: vdi" in images.sh("qemu-img", "info", folder / "vms/vm-0.img")


def test_what_an_overlay_of_ours_stands_on_elsewhere_needs_no_flag(prepare, bare, folder):
    assert prepare("--out", "out", "-n", "1", "--untouched").returncode == 0

    overlay = str(folder / "out/vms/vm-0.img")
    with take(overlay, Rules(), Ledger(ledger_path()), QemuImg()) as taken:
        assert [layer.file.path for layer in taken.image.layers] == [overlay, str(bare)]


def test_what_the_image_itself_stands_on_is_in_the_command(bare, folder):
    (folder / "far/vms").mkdir(parents=True)
    image = folder / "far/vms/disk.qcow2"
    images.sh("qemu-img", "create", "-q", "-f", "qcow2", "-b", bare, "-F", "raw", image)
    words = ["prepare", image, "-n", "1", "--untouched", "--allow-backing", bare.parent]
    done = subprocess.run(
        [sys.executable, "-m", "vmtiming_tui", *words],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert f"--allow-backing {bare.parent}" in done.stdout


@pytest.mark.parametrize(("kernel", "qemu"), [(bz_image, []), (arm64_image, ["aarch64"])])
def test_a_kernel_of_ones_own_is_booted_by_the_qemu_it_is_for(kernel, qemu, prepare, folder):
    images.write(folder / "own", kernel("6.9.1"))
    images.write(folder / "their initrd", b"070701" + bytes(200))

    done = prepare("--out", "out", "-n", "1", "-k", "own", "-i", "their initrd")

    assert done.returncode == 0, done.stderr
    assert "kernel 6.9.1 (your own)" in done.stderr
    assert (folder / "out/BFILES/vmlinuz").read_bytes() == kernel("6.9.1")
    assert (folder / "out/BFILES/initrd").read_bytes().startswith(b"070701")
    command = shlex.split(done.stdout.splitlines()[-1])
    assert [word.removeprefix("qemu-system-") for word in command if "qemu-" in word] == qemu


def test_what_needs_no_initrd_is_booted_without_one(prepare, folder):
    images.write(folder / "own", bz_image("6.9.1", ALL_DRIVERS))

    assert prepare("--out", "out", "-n", "1").returncode == 0
    done = prepare("--out", "out", "-n", "1", "--force", "--kernel=own")

    assert done.returncode == 0, done.stderr
    assert "and boots without an initrd" in done.stderr
    assert [path.name for path in (folder / "out/BFILES").iterdir()] == ["vmlinuz"]
    assert "-i" not in shlex.split(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (["-k", "."], "--kernel: '.' is a folder; give a regular file"),
        (["-i", "nowhere"], "--initrd nowhere: No such file or directory"),
        (["-k", "x", "--kernel-version", "6"], "one of the image's, --kernel your own; say one"),
    ],
)
def test_what_is_no_file_is_no_kernel(words, refusal, prepare, folder):
    done = prepare("--out", "out", *words)

    assert done.returncode == 1
    assert refusal in done.stderr
    assert list(folder.iterdir()) == []
