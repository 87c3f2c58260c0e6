"""Whole disks that boot themselves, made of the quick guest without a mount or a loop device."""

import subprocess
from pathlib import Path

from vmtiming_tui.guests.demo_guest import Guest

MIB = 1 << 20
BOOT_MIB = 64
STUB = Path("/usr/lib/systemd/boot/efi/linuxx64.efi.stub")
LOADER = Path("/usr/lib/systemd/boot/efi/systemd-bootx64.efi")
MBR_CODE = Path("/usr/lib/syslinux/mbr/mbr.bin")
ARGUMENTS = "root=/dev/vda2 quiet console=ttyS0 panic=1"


def run(*words: object, **given: object) -> None:
    subprocess.run(list(map(str, words)), check=True, capture_output=True, **given)


def _table(disk: Path, guest: Guest, kind: str, boot: str, root: str) -> None:
    root_mib = -(-guest.rootfs.stat().st_size // MIB)
    with disk.open("wb") as file:
        file.truncate((1 + BOOT_MIB + root_mib + 1) * MIB)
    table = (
        f"label: {kind}\n"
        f"start=1MiB, size={BOOT_MIB}MiB, type={boot}, bootable\n"
        f"start={1 + BOOT_MIB}MiB, size={root_mib}MiB, type={root}\n"
    )
    run("sfdisk", "--quiet", disk, input=table.encode())
    run(
        "dd", f"if={guest.rootfs}", f"of={disk}", "bs=1M", f"seek={1 + BOOT_MIB}",
        "conv=notrunc,sparse", "status=none",
    )  # fmt: skip


def _fat(disk: Path, files: dict[str, Path]) -> None:
    """Put files into the first partition; those named with a folder get it."""
    at = f"{disk}@@1M"
    run("mformat", "-i", at, "-F", "-T", BOOT_MIB * MIB // 512, "::")
    for folder in sorted(
        {str(up) for name in files for up in Path(name).parents if str(up) != "."}
    ):
        run("mmd", "-i", at, f"::{folder}")
    for name, path in files.items():
        run("mcopy", "-i", at, path, f"::{name}")


def uki(guest: Guest, folder: Path) -> Path:
    """Return a unified kernel image: the stub with kernel, initrd and arguments as its sections."""
    (folder / "cmdline").write_text(ARGUMENTS)
    (folder / "os-release").write_text('ID=debian\nVERSION_ID=12\nPRETTY_NAME="Debian 12"\n')
    sections = {
        ".osrel": (folder / "os-release", 0x20000),
        ".cmdline": (folder / "cmdline", 0x30000),
        ".linux": (guest.kernel, 0x2000000),
        ".initrd": (guest.initrd, 0x4000000),
    }
    words: list[object] = ["objcopy"]
    for name, (path, address) in sections.items():
        words += ["--add-section", f"{name}={path}"]
        words += ["--change-section-vma", f"{name}={address:#x}"]
    run(*words, STUB, folder / "linux.efi")
    return folder / "linux.efi"


def uefi_disk(guest: Guest, disk: Path) -> Path:
    """Return a GPT disk with an EFI system partition: systemd-boot, which starts a UKI at once."""
    _table(disk, guest, "gpt", "U", "L")
    _fat(
        disk,
        {
            "EFI/BOOT/BOOTX64.EFI": LOADER,
            "EFI/Linux/linux.efi": uki(guest, disk.parent),
        },
    )
    return disk


def bios_disk(guest: Guest, disk: Path) -> Path:
    """Return an MBR disk that SYSLINUX boots from a FAT partition."""
    _table(disk, guest, "dos", "c", "83")
    config = disk.parent / "syslinux.cfg"
    config.write_text(
        f"DEFAULT linux\nPROMPT 0\nLABEL linux\n KERNEL vmlinuz\n INITRD initrd\n"
        f" APPEND {ARGUMENTS}\n"
    )
    _fat(disk, {"vmlinuz": guest.kernel, "initrd": guest.initrd, "syslinux.cfg": config})
    run("syslinux", "--install", "--offset", MIB, disk)
    run("dd", f"if={MBR_CODE}", f"of={disk}", "bs=440", "count=1", "conv=notrunc", "status=none")
    return disk
