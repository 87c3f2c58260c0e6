"""The machines QEMU can be: what of a VM differs from one architecture to another."""

import platform
import re
from dataclasses import dataclass, replace
from pathlib import PurePath

from vmtiming_tui.model.config import RunConfig

_EMULATOR = re.compile(r"qemu-system-([a-z0-9_]+)")
_SAME = {"amd64": "x86_64", "arm64": "aarch64", "i686": "i386", "i586": "i386"}
_RUNS_TOO = {"x86_64": "i386"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """UEFI for a machine: the code's and the variables' files, by place; the first pair counts."""

    pairs: tuple[tuple[str, str], ...]
    package: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """How the parts of a machine are named.

    ``type`` and ``cpu`` are what QEMU is given where the user names none; empty leaves it to QEMU.
    ``panic`` makes QEMU tell of a guest's panic. ``bios`` says whether it boots without UEFI, and
    ``smbios`` whether a guest started by ``-kernel`` sees SMBIOS tables.
    """

    arch: str
    type: str = ""
    cpu: str = ""
    block: str = "virtio-blk-pci"
    serial_bus: str = "virtio-serial-pci"
    panic: tuple[str, ...] = ()
    console: str = "ttyS0"
    root: str = "/dev/vda"
    bios: bool = False
    smbios: bool = False
    uefi: Firmware | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """The words that choose machine type and CPU."""
        kind = ("-machine", self.type) if self.type else ()
        cpu = ("-cpu", self.cpu) if self.cpu else ()
        return kind + cpu


_OVMF = Firmware(
    pairs=(
        ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
        ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
        ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
        ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
    ),
    package="ovmf",
)
_AAVMF = Firmware(
    pairs=(
        ("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
        (
            "/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw",
            "/usr/share/edk2/aarch64/vars-template-pflash.raw",
        ),
    ),
    package="qemu-efi-aarch64",
)
_PANIC = ("-device", "pvpanic")
_PCI_PANIC = ("-device", "pvpanic-pci")
_VIRT = "virt,gic-version=max"

MACHINES = {
    machine.arch: machine
    for machine in (
        Machine(arch="x86_64", panic=_PANIC, bios=True, smbios=True, uefi=_OVMF),
        Machine(arch="i386", panic=_PANIC, bios=True, smbios=True),
        Machine(
            arch="aarch64", type=_VIRT, cpu="max", console="ttyAMA0", panic=_PCI_PANIC, uefi=_AAVMF
        ),
        Machine(arch="arm", type=_VIRT, cpu="max", console="ttyAMA0", panic=_PCI_PANIC),
        Machine(arch="riscv64", type="virt", panic=_PCI_PANIC),
    )
}


def host_arch() -> str:
    """Return the host's architecture by QEMU's name for it."""
    found = platform.machine()
    return _SAME.get(found, found)


def emulated_arch(qemu: str) -> str:
    """Return what a QEMU emulates, by its name; what tells nothing is the host's own kind."""
    found = _EMULATOR.search(PurePath(qemu).name)
    return found[1].removesuffix("_microvm") if found else host_arch()


def runs_natively(qemu: str) -> bool:
    """Whether this host's CPU runs the guest's code, so that KVM can be of use."""
    guest, host = emulated_arch(qemu), host_arch()
    return guest in (host, _RUNS_TOO.get(host))


def machine_of(config: RunConfig) -> Machine:
    """Return the machine a config asks for: its architecture's usual one, or the user's choice.

    A ``microvm`` has no PCI: its devices sit on virtio-mmio, and it knows no UEFI.
    """
    arch = emulated_arch(config.qemu)
    machine = MACHINES.get(arch) or Machine(arch=arch)
    if config.machine:
        machine = replace(machine, type=config.machine)
    if config.cpu:
        machine = replace(machine, cpu=config.cpu)
    if config.machine.split(",")[0] == "microvm":
        machine = replace(
            machine,
            block="virtio-blk-device",
            serial_bus="virtio-serial-device",
            panic=(),
            smbios=False,
            uefi=None,
        )
    return machine
