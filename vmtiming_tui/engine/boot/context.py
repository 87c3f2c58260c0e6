"""What every boot of an engine works with, and what is to be booted in one of them."""

from collections.abc import Callable
from dataclasses import dataclass

from vmtiming_tui.engine.children.children import Children
from vmtiming_tui.engine.children.rundir import RunDir
from vmtiming_tui.engine.guest.limits import Limits
from vmtiming_tui.engine.guest.report_socket import GuestReportServer
from vmtiming_tui.engine.image.gate_client import Refusal
from vmtiming_tui.engine.qemu.confinement import Powers
from vmtiming_tui.engine.qemu.launch import Launch
from vmtiming_tui.engine.qemu.locked_images import Holders
from vmtiming_tui.engine.qmp.event_stamps import StampReader
from vmtiming_tui.images.gate.permission import Image
from vmtiming_tui.model.config import Accel, RunConfig
from vmtiming_tui.model.events import Event


@dataclass(frozen=True, slots=True)
class BootContext:
    """What every boot of an engine works with."""

    emit: Callable[[Event], None]
    children: Children
    server: GuestReportServer
    folder: RunDir
    stamps: StampReader
    limits: Limits


@dataclass(frozen=True, slots=True)
class BootSpec:
    """Which boot this is, with which settings and which image; or why not with its image."""

    vm: int
    attempt: int
    storm: int
    config: RunConfig
    accel: Accel
    launch: Launch
    image: Image | Refusal
    powers: Powers
    holders: Holders

    @property
    def disk_bytes(self) -> int:
        """How large the guest's disk is."""
        return 0 if isinstance(self.image, Refusal) else self.image.virtual_bytes
