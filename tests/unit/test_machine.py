"""Which machine a QEMU's name stands for, and which firmware a disk needs."""

import subprocess
from pathlib import Path

import pytest

from vmtiming_tui.engine.qemu import machine
from vmtiming_tui.engine.qemu.command_line import command_line
from vmtiming_tui.engine.qemu.firmware import brings_firmware, choose_firmware
from vmtiming_tui.engine.qemu.launch import Launch
from vmtiming_tui.engine.qemu.machine import (
    Firmware,
    Machine,
    emulated_arch,
    machine_of,
    runs_natively,
)
from vmtiming_tui.errors import EngineError
from vmtiming_tui.images.disk.boot_sectors import HEAD_BYTES, has_esp
from vmtiming_tui.model.config import Accel, BootMode, RunConfig
from vmtiming_tui.model.events import Level


def words(vm: int = 0, launch: Launch | None = None, **settings) -> list[str]:
    return command_line(
        vm,
        RunConfig(prefix="p", **{"kernel": "k", "qemu": "qemu-system-x86_64"} | settings),
        accel=Accel.TCG,
        disks=("-blockdev", "{}"),
        report_socket=Path("/r"),
        launch=launch,
    )


def after(found: list[str], flag: str) -> list[str]:
    return [found[at + 1] for at, word in enumerate(found) if word == flag]


@pytest.mark.parametrize(
    ("qemu", "arch"),
    [
        ("qemu-system-x86_64", "x86_64"),
        ("/opt/qemu/bin/qemu-system-aarch64", "aarch64"),
        ("qemu-system-x86_64-microvm", "x86_64"),
        ("/builds/riscv64/qemu-system-riscv64.sh", "riscv64"),
    ],
)
def test_a_qemu_is_known_by_its_name(qemu, arch):
    assert emulated_arch(qemu) == arch


@pytest.mark.parametrize("qemu", ["/usr/libexec/qemu-kvm", "./wrapper.sh"])
def test_a_name_that_tells_nothing_is_the_hosts_own_kind(qemu, monkeypatch):
    monkeypatch.setattr(machine.platform, "machine", lambda: "arm64")

    assert emulated_arch(qemu) == "aarch64"
    assert runs_natively(qemu)


@pytest.mark.parametrize(
    ("host", "guest", "natively"),
    [
        ("x86_64", "x86_64", True),
        ("x86_64", "i386", True),
        ("x86_64", "aarch64", False),
        ("aarch64", "aarch64", True),
        ("aarch64", "x86_64", False),
    ],
)
def test_kvm_is_for_guests_of_the_hosts_own_kind(host, guest, natively, monkeypatch):
    monkeypatch.setattr(machine.platform, "machine", lambda: host)

    assert runs_natively(f"qemu-system-{guest}") is natively


def test_a_pc_is_left_to_qemu_as_ever():
    found = words()

    assert "-machine" not in found
    assert "-cpu" not in found
    assert "pvpanic" in after(found, "-device")


def test_an_arm_guest_gets_the_virt_machine_with_its_console():
    found = words(qemu="qemu-system-aarch64")

    assert after(found, "-machine") == ["virt,gic-version=max"]
    assert after(found, "-cpu") == ["max"]
    assert "console=ttyAMA0" in after(found, "-append")[0]
    assert "pvpanic-pci" in after(found, "-device")


def test_the_users_machine_and_cpu_take_the_place_of_the_usual_ones():
    found = words(qemu="qemu-system-aarch64", machine="virt,gic-version=2", cpu="cortex-a53")

    assert after(found, "-machine") == ["virt,gic-version=2"]
    assert after(found, "-cpu") == ["cortex-a53"]


def test_a_microvm_has_no_pci():
    found = words(machine="microvm,rtc=on")

    assert not [word for word in after(found, "-device") if "pci" in word or "pvpanic" in word]


def test_an_architecture_not_known_here_gets_plain_virtio():
    found = words(qemu="qemu-system-loongarch64")

    assert "-machine" not in found
    assert "virtio-blk-pci,drive=root" in after(found, "-device")
    assert "pvpanic" not in after(found, "-device")


def test_where_the_image_boots_itself_the_serial_number_holds_the_vms_own():
    found = words(7, boot=BootMode.FIRMWARE)

    assert not {"-kernel", "-initrd", "-append"} & set(found)
    assert after(found, "-smbios") == ["type=1,serial=VMREPORTID:7,family=vmreport.protocol=3"]


def test_a_firmware_is_not_given_to_kernels_that_qemu_boots():
    assert "-smbios" not in words(launch=Launch(firmware=("-bios", "f")))
    assert "-bios" not in words(launch=Launch(firmware=("-bios", "f")))


def disk(folder: Path, table: str) -> bytes:
    path = folder / "disk"
    with path.open("wb") as file:
        file.truncate(64 << 20)
    if table:
        subprocess.run(["sfdisk", "-q", path], input=table.encode(), check=True)
    return path.read_bytes()[:HEAD_BYTES]


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ("", False),
        ("label: gpt\nsize=10M, type=L\n", False),
        ("label: gpt\nsize=10M, type=L\nsize=10M, type=U\n", True),
        (
            "label: gpt\ntable-length: 32\nsize=1M\nsize=1M\nsize=1M\nsize=1M\nsize=9M, type=U\n",
            True,
        ),
        ("label: dos\nsize=10M, type=83\n", False),
        ("label: dos\nsize=10M, type=83\nsize=10M, type=ef\n", True),
    ],
)
def test_an_efi_system_partition_is_found_in_real_tables(table, found, tmp_path):
    assert has_esp(disk(tmp_path, table)) is found


@pytest.mark.parametrize("cut", [0, 1, 511, 512, 600, 1024, 1039])
def test_a_disk_cut_short_has_none(cut, tmp_path):
    head = disk(tmp_path, "label: gpt\nsize=10M, type=U\n")

    assert has_esp(head[:cut]) is False


class Said:
    def __init__(self) -> None:
        self.levels: list[Level] = []

    def __call__(self, level: Level, text: str) -> None:
        self.levels.append(level)


@pytest.fixture
def uefi(tmp_path) -> Firmware:
    pair = (tmp_path / "CODE,1.fd", tmp_path / "VARS.fd")
    for path in pair:
        path.touch()
    return Firmware(pairs=(("/none", "/none"), tuple(map(str, pair))), package="ovmf")


def test_uefi_is_for_disks_with_a_system_partition(uefi, tmp_path):
    pc = Machine(arch="x86_64", bios=True, uefi=uefi)
    assert choose_firmware(pc, esp=True, say=Said()) == (
        f"{tmp_path}/CODE,1.fd",
        f"{tmp_path}/VARS.fd",
    )
    assert choose_firmware(pc, esp=False, say=Said()) is None


def test_a_pc_without_uefi_files_falls_back_to_the_bios_and_warns():
    said = Said()

    assert choose_firmware(Machine(arch="x86_64", bios=True), esp=True, say=said) is None
    assert said.levels == [Level.WARNING]


def test_a_machine_that_needs_uefi_names_the_package_that_has_it():
    firmware = Firmware(pairs=(("/none", "/none"),), package="qemu-efi-aarch64")

    with pytest.raises(EngineError) as caught:
        choose_firmware(Machine(arch="aarch64", uefi=firmware), esp=False, say=Said())
    assert "qemu-efi-aarch64" in caught.value.hint


@pytest.mark.parametrize(
    "settings",
    [{"qemu_args": ("-bios", "x")}, {"qemu_args": ("-drive", "if=pflash,file=x")}],
)
def test_a_firmware_of_the_users_own_is_left_to_them(settings):
    assert brings_firmware(RunConfig(**settings))
    assert not brings_firmware(RunConfig(qemu_args=("-device", "x")))


def test_every_machine_known_here_has_a_name_of_its_own():
    assert {
        machine_of(RunConfig(qemu=f"qemu-system-{arch}")).arch for arch in machine.MACHINES
    } == (set(machine.MACHINES))
