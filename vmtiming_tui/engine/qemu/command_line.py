"""The QEMU command line of one VM: a list of words, never a shell's line."""

from collections.abc import Sequence
from pathlib import Path

from vmtiming_tui.engine.qemu.launch import Launch
from vmtiming_tui.engine.qemu.machine import Machine, machine_of
from vmtiming_tui.engine.qemu.option_words import option
from vmtiming_tui.model.config import Accel, BootMode, RunConfig

QMP_FD = 3
CONSOLE_FD = 4
REPORT_PORT = "serial0"
REPORT_ID = "report"


def kernel_arguments(vm: int, config: RunConfig, machine: Machine) -> str:
    """Return the guest kernel's command line: ours, then the user's, who thereby wins.

    ``panic=1`` turns a kernel panic into a reboot, which ``-no-reboot`` turns into an end.
    """
    ours = f"root={machine.root} quiet VMREPORTID:{vm} vmreport.protocol=3 console={machine.console} panic=1"
    return f"{ours} {config.append}".strip()


def _identity(vm: int, machine: Machine) -> tuple[str, ...]:
    """Return what tells a VM its number where its own loader gives the kernel's arguments.

    The guest reads it as ``/sys/class/dmi/id/product_serial``.
    """
    has_tables = machine.smbios or machine.uefi is not None
    return ("-smbios", option(type=1, serial=f"VMREPORTID:{vm}")) if has_tables else ()


def command_line(
    vm: int,
    config: RunConfig,
    *,
    accel: Accel,
    disks: Sequence[str],
    report_socket: Path,
    launch: Launch | None = None,
    sandbox: Sequence[str] = (),
) -> list[str]:
    """Return the command that boots a VM, stopped till ``cont``.

    Its QMP and console sockets are inherited as descriptors ``QMP_FD`` and ``CONSOLE_FD``; its
    report port is connected to ``report_socket``. ``disks`` are the words for its disks, of which
    the node ``root`` is the guest's. The user's own arguments come last.
    """
    machine, launch = machine_of(config), launch or Launch()
    words = [config.qemu]
    words += ["-name", option(guest=f"{config.prefix}-{vm}", debug_threads=True)]
    words += sandbox
    words += ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-S"]
    words += machine.options
    words += ["-accel", accel.value, "-m", str(config.memory_mib), "-smp", str(config.smp)]
    if config.boot is BootMode.FIRMWARE:
        words += _identity(vm, machine)
    elif config.kernel:
        words += ["-kernel", launch.kernel or config.kernel]
        if initrd := launch.initrd or config.initrd:
            words += ["-initrd", initrd]
        words += ["-append", kernel_arguments(vm, config, machine)]
    words += launch.credentials
    words += [
        *disks,
        *("-device", option(machine.block, drive="root")),
        *("-chardev", option("socket", id="reports", path=str(report_socket))),
        *("-device", machine.serial_bus),
        *("-device", option("virtserialport", chardev="reports", name=REPORT_PORT, id=REPORT_ID)),
        *("-chardev", option("socket", id="qmp", fd=QMP_FD)),
        *("-mon", option(chardev="qmp", mode="control")),
        *("-chardev", option("socket", id="console", fd=CONSOLE_FD)),
        *("-serial", "chardev:console"),
        *machine.panic,
    ]
    return [*words, *config.qemu_args]
