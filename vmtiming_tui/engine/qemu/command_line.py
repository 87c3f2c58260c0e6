"""The QEMU command line of one VM: a list of words, never a shell's line."""

from collections.abc import Sequence
from pathlib import Path

from vmtiming_tui.engine.qemu.launch import Launch
from vmtiming_tui.engine.qemu.machine import Machine, machine_of
from vmtiming_tui.engine.qemu.option_words import option
from vmtiming_tui.model.config import Accel, AfterReport, BootMode, KernelDetail, RunConfig

QMP_FD = 3
CONSOLE_FD = 4
REPORT_PORT = "serial0"
REPORT_ID = "report"
PHASES = "vmreport.protocol=3"
# Its lines are of the level of debugging, which ``quiet`` keeps off the console; the buffer holds
# some 10,000 initcalls.
KERNEL_DETAIL = ("initcall_debug", "log_buf_len=2M")


def _wants_phases(config: RunConfig) -> bool:
    """Return whether a guest is to wait for our word after its report."""
    return config.after_report is not AfterReport.OFF


def kernel_arguments(vm: int, config: RunConfig, machine: Machine) -> str:
    """Return the guest kernel's command line: ours, then the user's, who thereby wins.

    ``panic=1`` turns a kernel panic into a reboot, which ``-no-reboot`` turns into an end.
    """
    words = [f"root={machine.root}", "quiet", f"VMREPORTID:{vm}"]
    words += [PHASES] * _wants_phases(config)
    words += KERNEL_DETAIL if config.kernel_detail is KernelDetail.ON else ()
    words += [f"console={machine.console}", "panic=1", config.append]
    return " ".join(words).strip()


def _identity(vm: int, config: RunConfig, machine: Machine) -> tuple[str, ...]:
    """Return what tells a VM its number where its own loader gives the kernel's arguments.

    The guest reads it as ``product_serial`` in ``/sys/class/dmi/id``, and whether it is to wait
    for our word as ``product_family``.
    """
    if not machine.smbios and machine.uefi is None:
        return ()
    family = {"family": PHASES} if _wants_phases(config) else {}
    return "-smbios", option(type=1, serial=f"VMREPORTID:{vm}", **family)


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
        words += _identity(vm, config, machine)
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
