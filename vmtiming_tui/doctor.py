"""Whether runs can work on this host: one line a check, and the command that mends each miss."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import humanize

from vmtiming_tui.config import Accel, RunConfig
from vmtiming_tui.demo import Variant, cached_guest
from vmtiming_tui.engine import rundir
from vmtiming_tui.engine.accel import KVM, Choice, choose_accel, trial_kernel
from vmtiming_tui.engine.children import start_warden
from vmtiming_tui.engine.host import host_facts, memory_bytes, qemu_version
from vmtiming_tui.engine.preflight import raise_descriptor_limit, shortages, vm_memory_bytes
from vmtiming_tui.errors import QemuError, VmTimingError


class Verdict(StrEnum):
    """What a check found; only ``MISSING`` means that a run could not work."""

    FINE = "ok"
    NOTE = "note"
    MISSING = "MISSING"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what was found, and the command that mends it."""

    name: str
    verdict: Verdict
    found: str
    mend: str = ""


MIN_QEMU = (5, 2)
QEMU_PACKAGE = "apt-get install qemu-system-x86 qemu-utils"

# What each tool is for in spin/, and the Debian package that has it.
SPIN_TOOLS = {
    "mmdebstrap": ("building Debian images", "mmdebstrap"),
    "mke2fs": ("making file systems", "e2fsprogs"),
    "cpio": ("making initrds", "cpio"),
    "qemu-img": ("overlays, and qcow2, vmdk, vdi and vhdx images", "qemu-utils"),
    "sfdisk": ("partitioned images", "fdisk"),
    "debugfs": ("reading ext4 images without root", "e2fsprogs"),
    "mcopy": ("EFI system partitions", "mtools"),
    "objcopy": ("unified kernel images", "binutils"),
    "mkfs.xfs": ("xfs images", "xfsprogs"),
    "btrfs": ("btrfs images", "btrfs-progs"),
    "pvck": ("LVM images", "lvm2"),
    "mkfs.f2fs": ("f2fs images", "f2fs-tools"),
}
FIRMWARE = Path("/usr/share/OVMF/OVMF_CODE.fd")
OTHER_TARGETS = {"qemu-system-aarch64": "qemu-system-arm"}


def tool(name: str) -> str | None:
    """Return where a tool is; those for root may be outside a user's path."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


async def _ask_qemu(config: RunConfig) -> tuple[str, Choice | None]:
    with rundir.run_dir() as folder:
        async with start_warden(folder) as children:
            version = await qemu_version(config.qemu, children)
            if config.accel is Accel.AUTO and not config.kernel and os.access(KVM, os.R_OK):
                return version, None
            return version, await choose_accel(config, version, children)


def _too_old(version: str) -> bool:
    numbers = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    return tuple(numbers) < MIN_QEMU


def _qemu_checks(config: RunConfig) -> Iterator[Check]:
    path = shutil.which(config.qemu)
    if path is None:
        yield Check("QEMU", Verdict.MISSING, f"there is no {config.qemu}", QEMU_PACKAGE)
        return
    try:
        version, choice = asyncio.run(_ask_qemu(config))
    except QemuError as error:
        yield Check("QEMU", Verdict.MISSING, error.message, error.hint or QEMU_PACKAGE)
        return
    needed = ".".join(map(str, MIN_QEMU))
    if _too_old(version):
        yield Check(
            "QEMU", Verdict.MISSING, f"{version} at {path}; {needed} is needed", QEMU_PACKAGE
        )
    else:
        yield Check("QEMU", Verdict.FINE, f"{version} at {path}")
    yield Check("TCG", Verdict.FINE, "emulation needs nothing of the host; a boot takes longer")
    yield _kvm_check(choice)


def _kvm_check(choice: Choice | None) -> Check:
    if choice is None:
        return Check(
            "KVM", Verdict.NOTE, "/dev/kvm opens; no kernel at hand to prove that it boots one",
            "vm-timing-report doctor -k BFILES/vmlinuz",
        )  # fmt: skip
    if choice.accel is Accel.KVM:
        return Check("KVM", Verdict.FINE, choice.reason)
    mend = "" if not KVM.exists() or os.access(KVM, os.W_OK) else "sudo usermod -aG kvm $USER"
    return Check("KVM", Verdict.NOTE, choice.reason, mend)


def _capacity_checks(config: RunConfig) -> Iterator[Check]:
    facts = host_facts()
    accel = config.accel if config.accel is not Accel.AUTO else Accel.TCG
    raise_descriptor_limit()
    vms = f"{config.number} VMs of {config.memory_mib} MiB"
    found = list(shortages(config, accel))
    for shortage in found:
        yield Check("room", Verdict.MISSING, shortage.text, shortage.hint)
    if not found:
        available = memory_bytes("MemAvailable")
        fit = available // vm_memory_bytes(config, accel)
        yield Check(
            "room", Verdict.FINE,
            f"{vms} fit: {humanize.naturalsize(available, binary=True)} of memory is available, "
            f"room for {fit}",
        )  # fmt: skip
    wanted = config.number * config.smp
    if wanted > facts.cores:
        yield Check(
            "cores", Verdict.NOTE,
            f"{facts.cores} cores for {wanted} vCPUs: the VMs will wait for each other",
            f"--parallel {max(facts.cores // config.smp, 1)} times them without a crowd",
        )  # fmt: skip
    else:
        yield Check("cores", Verdict.FINE, f"{facts.cores} cores for {wanted} vCPUs")


def _image_checks() -> Iterator[Check]:
    guest = cached_guest(Variant.DEMO)
    if guest.is_whole:
        yield Check("demo guest", Verdict.FINE, f"built, in {guest.folder}")
    else:
        yield Check("demo guest", Verdict.NOTE, "not built yet", "vm-timing-report demo")
    for name, (purpose, package) in SPIN_TOOLS.items():
        if path := tool(name):
            yield Check(name, Verdict.FINE, f"{path} ({purpose})")
        else:
            mend = f"apt-get install {package}"
            yield Check(name, Verdict.NOTE, f"missing: needed for {purpose}", mend)
    if FIRMWARE.exists():
        yield Check("UEFI", Verdict.FINE, f"{FIRMWARE} (--boot firmware with UEFI images)")
    else:
        yield Check(
            "UEFI", Verdict.NOTE, "no OVMF: UEFI images do not boot", "apt-get install ovmf"
        )
    for name, package in OTHER_TARGETS.items():
        if path := shutil.which(name):
            yield Check(name, Verdict.FINE, f"{path} (-q {name})")
        else:
            mend = f"apt-get install {package}"
            yield Check(name, Verdict.NOTE, "missing: needed for guests of that kind", mend)


def examine(config: RunConfig) -> list[Check]:
    """Return every check for runs like ``config``; each host fact is looked at now."""
    proving = replace(config, kernel=config.kernel or trial_kernel())
    checks: list[Check] = []
    try:
        checks += _qemu_checks(proving)
    except VmTimingError as error:
        checks.append(Check("engine", Verdict.MISSING, error.message, error.hint))
    return [*checks, *_capacity_checks(config), *_image_checks()]


def can_run(checks: list[Check]) -> bool:
    """Return whether nothing is missing that a run needs."""
    return all(check.verdict is not Verdict.MISSING for check in checks)


def report(checks: list[Check]) -> str:
    """Return one line a check, with the command that mends it."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        mend = f"  ->  {check.mend}" if check.mend else ""
        lines.append(f"{check.verdict:<7}  {check.name:<{width}}  {check.found}{mend}")
    return "\n".join(lines)
