"""Whether runs can work on this host: one line a check, and the command that mends each miss."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec

import humanize

from vmtiming_tui.engine.children import rundir
from vmtiming_tui.engine.children.children import start_warden
from vmtiming_tui.engine.host.capacity import raise_descriptor_limit, room_for, vm_memory_bytes
from vmtiming_tui.engine.host.watch import host_facts, memory_bytes
from vmtiming_tui.engine.qemu.accel import ChosenAccel, choose_accel, trial_kernel
from vmtiming_tui.engine.qemu.confinement import KVM, settle_powers
from vmtiming_tui.engine.qemu.machine import emulated_arch
from vmtiming_tui.errors import QemuError, VmTimingError
from vmtiming_tui.escape import plural
from vmtiming_tui.images.guard.box import own_uid
from vmtiming_tui.model.config import Accel, RunConfig
from vmtiming_tui.setup.checks import Check, Fitness
from vmtiming_tui.setup.image_support import ability_checks, qemu_package


async def _ask_qemu(config: RunConfig) -> tuple[str, ChosenAccel | None]:
    with rundir.run_dir() as folder, own_uid() as uid:
        async with start_warden(folder) as children:
            powers = await settle_powers(config, uid, children)
            version = powers.version
            if config.accel is Accel.AUTO and not config.kernel and os.access(KVM, os.R_OK):
                return version, None
            return version, await choose_accel(config, powers, children)


def _qemu_checks(config: RunConfig) -> Iterator[Check]:
    path = shutil.which(config.qemu)
    install = f"apt-get install {qemu_package(emulated_arch(config.qemu))} qemu-utils"
    if path is None:
        yield Check("QEMU", Fitness.MISSING, f"there is no {config.qemu}", install)
        return
    try:
        version, choice = asyncio.run(_ask_qemu(config))
    except QemuError as error:
        yield Check("QEMU", Fitness.MISSING, error.message, error.hint or install)
        return
    yield Check("QEMU", Fitness.FINE, f"{version} at {path}")
    yield Check("TCG", Fitness.FINE, "emulation needs nothing of the host; a boot takes longer")
    yield _kvm_check(choice)


def _kvm_check(choice: ChosenAccel | None) -> Check:
    if choice is None:
        return Check(
            "KVM", Fitness.NOTE, "/dev/kvm opens; no kernel at hand to prove that it boots one",
            "vm-timing-report doctor -k BFILES/vmlinuz",
        )  # fmt: skip
    if choice.accel is Accel.KVM:
        return Check("KVM", Fitness.FINE, choice.reason)
    mend = "" if not KVM.exists() or os.access(KVM, os.W_OK) else "sudo usermod -aG kvm $USER"
    return Check("KVM", Fitness.NOTE, choice.reason, mend)


def capacity_checks(config: RunConfig) -> Iterator[Check]:
    """Yield whether the host holds a storm's VMs, and has cores for those that boot at once."""
    facts = host_facts()
    accel = config.accel if config.accel is not Accel.AUTO else Accel.TCG
    raise_descriptor_limit()
    vms = f"{plural(config.number, 'VM')} of {config.memory_mib} MiB"
    room = room_for(config, accel)
    for shortage in room.lacking if not room.vms else ():
        yield Check("room", Fitness.MISSING, shortage.text, shortage.hint)
    if room.vms and room.lacking:
        yield Check(
            "room", Fitness.NOTE,
            f"{vms} do not fit at once: a storm goes in rounds of {room.vms}",
            "less memory each (-m) makes it one round",
        )  # fmt: skip
    if not room.lacking:
        available = memory_bytes("MemAvailable")
        fit = available // vm_memory_bytes(config, accel)
        yield Check(
            "room", Fitness.FINE,
            f"{vms} {'fits' if config.number == 1 else 'fit'}: "
            f"{humanize.naturalsize(available, binary=True)} of memory is available, "
            f"room for {fit} at once",
        )  # fmt: skip
    wanted = config.at_once(config.number) * config.smp
    cores = f"{plural(facts.cores, 'core')} for {plural(wanted, 'vCPU')}"
    if wanted > facts.cores:
        yield Check(
            "cores", Fitness.NOTE,
            f"{cores}: the VMs will wait for each other",
            f"--parallel {max(facts.cores // config.smp, 1)} times them without a crowd",
        )  # fmt: skip
    else:
        yield Check("cores", Fitness.FINE, cores)


def serving_check() -> Check:
    """Return whether runs can be shown in browsers; nothing but ``serve`` needs it."""
    if find_spec("textual_serve") is None:
        return Check(
            "serve", Fitness.NOTE, "no run can be shown in a browser: textual-serve is missing",
            "pip install 'vmtiming-tui[web]'",
        )  # fmt: skip
    return Check("serve", Fitness.FINE, "runs can be shown in browsers")


def examine(config: RunConfig) -> list[Check]:
    """Return every check for runs like ``config``; each host fact is looked at now."""
    proving = replace(config, kernel=config.kernel or trial_kernel())
    checks: list[Check] = []
    try:
        checks += _qemu_checks(proving)
    except VmTimingError as error:
        checks.append(Check("engine", Fitness.MISSING, error.message, error.hint))
    return [*checks, *capacity_checks(config), *ability_checks(), serving_check()]


def can_run(checks: list[Check]) -> bool:
    """Return whether nothing is missing that a run needs."""
    return all(check.fitness is not Fitness.MISSING for check in checks)


def report(checks: list[Check]) -> str:
    """Return one line a check, with the command that mends it."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        mend = f"  ->  {check.mend}" if check.mend else ""
        lines.append(f"{check.fitness:<7}  {check.name:<{width}}  {check.found}{mend}")
    return "\n".join(lines)
