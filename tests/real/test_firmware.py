"""Images that boot themselves, by SeaBIOS and by UEFI, timed from outside as any other."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from support.checksums import sha256
from support.disks import bios_disk, uefi_disk
from support.schema import exported_file


@pytest.fixture(scope="module")
def storms(quick_guest, in_folder):
    """One storm of two VMs from a qcow2 overlay of a UEFI disk, and one VM of a BIOS disk."""
    (in_folder.folder / "u").mkdir()
    (in_folder.folder / "b").mkdir()
    disks = {
        "uefi": uefi_disk(quick_guest, in_folder.folder / "u" / "disk.img"),
        "bios": bios_disk(quick_guest, in_folder.folder / "b" / "disk.img"),
    }
    before = {name: sha256(disk) for name, disk in disks.items()}

    def boot(name: str):
        number = {"uefi": 2, "bios": 1}[name]
        return in_folder(
            "-n", number, "-p", name, "-s", ".img", "-v", f"{name}s", "--base", disks[name],
            "--boot", "firmware", "--accel", "tcg", "-o", f"{name}.json", "--name", name,
            "--no-history",
        )  # fmt: skip

    with ThreadPoolExecutor() as pool:
        results = dict(zip(disks, pool.map(boot, disks), strict=True))
    assert {name: sha256(disk) for name, disk in disks.items()} == before
    return in_folder.folder, results


@pytest.mark.parametrize(("name", "number"), [("uefi", 2), ("bios", 1)])
def test_every_vm_reports_under_its_own_number_without_a_kernel_argument(storms, name, number):
    _, results = storms

    assert results[name].returncode == 0, results[name].stdout + results[name].stderr
    for vm in range(number):
        assert f"VM {vm} reported as booted" in results[name].stdout


@pytest.mark.parametrize("name", ["uefi", "bios"])
def test_the_stages_begin_with_firmware_and_loader_and_add_up(storms, name):
    folder, _ = storms
    attempts = [vm["attempts"][-1] for vm in exported_file(folder / f"{name}.json")["vms"]]
    # On a busy host a guest's clock may jump, while its kernel has not found one to go by.
    believed = [attempt for attempt in attempts if not attempt["stages"]["doubts"]]

    assert believed
    for attempt in believed:
        stages = attempt["stages"]
        parts = ("firmware_s", "kernel_s", "initrd_s", "userspace_s", "lag_s")
        assert stages["firmware_s"] > 0
        assert sum(stages[part] for part in parts) == pytest.approx(attempt["boot_s"], abs=0.005)


def test_the_disk_tells_which_firmware_it_needs(storms):
    _, results = storms

    assert "pflash0=flash0" in results["uefi"].stdout
    assert "pflash0" not in results["bios"].stdout
