"""What one storm boots: the settings, frozen. ``request.settings`` reads and checks them."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from vmtiming_tui.model.codec import absent


class Accel(StrEnum):
    """Which accelerator QEMU is given; ``auto`` proves KVM before it trusts it."""

    AUTO = "auto"
    KVM = "kvm"
    TCG = "tcg"


class StartMode(StrEnum):
    """When VMs are let go: each as soon as it is ready, or all together."""

    EACH = "each"
    TOGETHER = "together"


class BootMode(StrEnum):
    """What loads the kernel: QEMU itself, or the image through its firmware."""

    KERNEL = "kernel"
    FIRMWARE = "firmware"


class Inject(StrEnum):
    """Whether the report service is brought in from outside, and by which way."""

    OFF = "off"
    AUTO = "auto"
    INITRD = "initrd"
    CREDENTIALS = "credentials"


class AfterReport(StrEnum):
    """What a VM does once its guest has reported, while others are still being timed.

    ``freeze`` has it stand still, ``run`` leaves it up and running, ``off`` has it gather its
    details and power off at once, as the original tool's guests do.
    """

    FREEZE = "freeze"
    RUN = "run"
    OFF = "off"


class End(StrEnum):
    """How a VM ends once its details are in: its guest shuts down, or QEMU quits at once."""

    POWEROFF = "poweroff"
    QUIT = "quit"


class KernelDetail(StrEnum):
    """Whether kernels log what their initcalls take, which slows their boots.

    ``on`` is for the boots that count, ``extra`` for one more storm, which counts in nothing.
    """

    OFF = "off"
    ON = "on"
    EXTRA = "extra"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """The settings of a storm.

    ``memory_mib`` per VM; ``timeout_s`` per VM from its start; ``stagger_s`` between two starts;
    ``parallel`` is how many may be booting at once (None: all); of several hosts both are over all
    of them, or of each for itself (``_per_host``). ``shutdown_timeout_s`` is how long a guest may
    take to shut down. Images are
    ``vmdir/prefix-<i>suffix``, of the ``format`` told (empty: found out once); their backing files
    may also be below the ``allow_backing`` folders. ``run_as`` is QEMU's user (empty: one of its
    own, where we are root).
    """

    number: int = 1
    memory_mib: int = 512
    prefix: str = ""
    suffix: str = ""
    vmdir: str = "."
    kernel: str = ""
    initrd: str = ""
    qemu: str = "qemu-system-x86_64"
    accel: Accel = Accel.AUTO
    smp: int = 1
    timeout_s: float = 300.0
    start: StartMode = StartMode.EACH
    stagger_s: float = 0.0
    parallel: int | None = None
    parallel_per_host: bool = False
    stagger_per_host: bool = False
    persist: bool = False
    append: str = ""
    base: str = ""
    boot: BootMode = BootMode.KERNEL
    inject: Inject = Inject.OFF
    machine: str = ""
    cpu: str = ""
    after_report: AfterReport = field(default=AfterReport.FREEZE, metadata=absent(AfterReport.OFF))
    end: End = End.POWEROFF
    shutdown_timeout_s: float = 120.0
    force: bool = False
    format: str = ""
    allow_backing: tuple[str, ...] = ()
    allow_device: bool = False
    run_as: str = ""
    kernel_detail: KernelDetail = KernelDetail.OFF
    qemu_args: tuple[str, ...] = ()

    def at_once(self, count: int) -> int:
        """Return how many of so many VMs boot at once."""
        return min(count, self.parallel or count)

    @property
    def held(self) -> int:
        """How many VMs of a storm are there at once: those that have reported stay, or are off."""
        return self.at_once(self.number) if self.after_report is AfterReport.OFF else self.number

    def image(self, vm: int) -> Path:
        """Return where VM ``vm``'s disk image is."""
        return Path(self.vmdir) / f"{self.prefix}-{vm}{self.suffix}"
