"""What the host sees of one boot, of which its guest is asked nothing."""

import time
from collections.abc import Callable

from vmtiming_tui.engine.boot.narrator import Narrator
from vmtiming_tui.engine.guest.boot_signs import BootSigns
from vmtiming_tui.engine.guest.console import ConsoleLog
from vmtiming_tui.engine.qemu.command_line import REPORT_ID
from vmtiming_tui.engine.qmp.controller import QmpEvent
from vmtiming_tui.model.config import BootMode
from vmtiming_tui.model.events import Event
from vmtiming_tui.model.stage import Stage


class Onlooker:
    """Tells the stages that a boot is seen in, each once, and the console's last line.

    The firmware begins with QEMU's word that the VM runs, and anew with a reset; the lag between
    the end of the boot and the report begins where the guest opens its report port. What lies
    between shows on the console.
    """

    def __init__(self, narrator: Narrator, emit: Callable[[Event], None], boot: BootMode) -> None:
        self._narrator = narrator
        self._emit = emit
        self._by_firmware = boot is BootMode.FIRMWARE
        self._signs = BootSigns(by_firmware=self._by_firmware)
        self._runs = self._has_opened = False
        self._line = ""

    def hear(self, event: QmpEvent) -> None:
        """Take in what QEMU said by itself."""
        match event:
            case QmpEvent(name="RESUME") if not self._runs:
                self._begin(event)
            case QmpEvent(name="RESET") if self._runs:
                self._signs.begin_anew()
                self._has_opened = False
                self._begin(event)
            case QmpEvent(name="VSERPORT_CHANGE", data={"id": which, "open": True}) if (
                which == REPORT_ID and not self._has_opened
            ):
                self._has_opened = True
                self._see(Stage.LAG, event.qemu_ns or event.received_ns)

    def _begin(self, event: QmpEvent) -> None:
        self._runs = True
        if self._by_firmware:
            self._see(Stage.FIRMWARE, event.qemu_ns or event.received_ns)

    def look(self, written: bytes) -> None:
        """Take in what the guest wrote on its console."""
        for stage in self._signs.look(written):
            self._see(stage, time.monotonic_ns())

    def tell_line(self, console: ConsoleLog) -> None:
        """Tell the console's last line, where it is another than was told."""
        line = console.last_line()
        if line and line != self._line:
            self._line = line
            self._emit(self._narrator.console_line(time.monotonic_ns(), line))

    def _see(self, stage: Stage, at_ns: int) -> None:
        self._emit(self._narrator.stage_seen(at_ns, stage))
