"""Two real guests booted at once: the report's lines, the files, the exit code, nothing left."""

import csv
import re

import psutil
import pytest

from support.checksums import sha256
from support.schema import exported_file


def qemus():
    return [
        process.pid
        for process in psutil.process_iter(["name", "cmdline"])
        if "qemu-system" in (process.info["name"] or "")
        and any("vms/storm-" in word for word in process.info["cmdline"] or [])
    ]


@pytest.fixture(scope="module")
def storm(quick_guest, in_folder):
    """One storm of two guests with every export, run once for all tests of this module."""
    before = sha256(quick_guest.rootfs)
    result = in_folder(
        "-n", 2, "-m", 340, "-p", "storm", "-s", ".img", "-v", "vms/", "--fail-over", 200,
        "-k", quick_guest.kernel, "-i", quick_guest.initrd, "--base", quick_guest.rootfs,
        "-o", "run.json", "-o", "run.csv", "-o", "run.md", "-o", "run.txt", "-o", "run.html",
    )  # fmt: skip
    assert sha256(quick_guest.rootfs) == before
    return in_folder.folder, result


def test_all_boot_and_the_exit_code_says_so(storm):
    _, result = storm

    assert result.returncode == 0, result.stdout + result.stderr


def test_kvm_that_hangs_is_found_out_and_said_in_one_sentence(storm):
    _, result = storm

    kvm_or_not = "-accel kvm" in result.stdout
    assert kvm_or_not or result.stderr.count("(TCG)") == 1


def test_the_report_reads_as_the_original_wrote_it(storm):
    _, result = storm
    lines = result.stdout.splitlines()

    assert sum(line.startswith("qemu-system-x86_64 ") for line in lines) == 2
    assert "All machines booted" in lines
    assert sum(bool(re.fullmatch(r"Got a connection: \d+", line)) for line in lines) == 2
    assert {line for line in lines if "reported as" in line} == {
        "VM 0 reported as booted",
        "VM 1 reported as booted",
    }
    tail = lines[-4:]
    for vm in (0, 1):
        assert re.fullmatch(
            rf"VM {vm} booted in: [\d.]+s: Startup finished in .*\(kernel\) \+ .*\(initrd\)"
            r" \+ .*\(userspace\) = .*s",
            tail[vm],
        )
    assert re.fullmatch(r"Average boot: [\d.]+s", tail[2])
    assert re.fullmatch(r"It took [\d.]+s to boot all VMs", tail[3])


def test_stages_add_up_to_the_host_figure(storm):
    folder, _ = storm
    body = exported_file(folder / "run.json")

    assert len(body["vms"]) == 2
    for vm in body["vms"]:
        attempt = vm["attempts"][-1]
        stages = attempt["stages"]
        names = ("firmware_s", "kernel_s", "initrd_s", "userspace_s", "lag_s")
        parts = [stages[name] for name in names]
        assert all(part >= 0 for part in parts)
        assert sum(parts) == pytest.approx(attempt["boot_s"], abs=0.005)


def test_every_export_is_written(storm):
    folder, result = storm

    rows = list(csv.DictReader((folder / "run.csv").open()))
    assert [row["vm"] for row in rows] == ["0", "1"]
    assert (folder / "run.txt").read_text().splitlines()[:4] == result.stdout.splitlines()[-4:]
    assert "| VM |" in (folder / "run.md").read_text()
    assert "<svg" in (folder / "run.html").read_text()


def test_nothing_is_left_behind(storm, in_folder):
    assert qemus() == []
    assert not list(in_folder.runtime.iterdir())


def test_images_are_untouched_so_that_every_rerun_starts_alike(storm):
    folder, _ = storm
    images = sorted((folder / "vms").iterdir())
    assert [image.name for image in images] == ["storm-0.img", "storm-1.img"]
    # An overlay nobody has written to is a few hundred kilobytes of tables.
    assert all(image.stat().st_size < 1 << 20 for image in images)
