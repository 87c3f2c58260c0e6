"""Which firmware boots an image that boots itself."""

import os
from collections.abc import Callable

from vmtiming_tui.engine.qemu.machine import Firmware, Machine
from vmtiming_tui.errors import EngineError
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.events import Level

Say = Callable[[Level, str], None]


def brings_firmware(config: RunConfig) -> bool:
    """Whether the user's own QEMU arguments name a firmware, which then is left to them."""
    words = (*config.qemu_args, config.machine)
    return any(word == "-bios" or "pflash" in word for word in words)


def installed(firmware: Firmware) -> tuple[str, str] | None:
    """Return where the code and the variables of a UEFI are on this host, if they are."""
    for code, variables in firmware.pairs:
        if os.access(code, os.R_OK) and os.access(variables, os.R_OK):
            return code, variables
    return None


def choose_firmware(machine: Machine, *, esp: bool, say: Say) -> tuple[str, str] | None:
    """Return the files of the UEFI, None for the machine's own; tell by ``say`` which one it is.

    UEFI where the disk has an EFI system partition, or the machine knows no other. Raises
    ``EngineError`` where the one needed is not installed.
    """
    if machine.bios and not esp:
        say(Level.INFO, "the images boot by the BIOS (SeaBIOS): no EFI system partition is on them")
        return None
    if machine.uefi and (pair := installed(machine.uefi)):
        say(Level.INFO, f"the images boot by UEFI ({pair[0]})")
        return pair
    package = machine.uefi.package if machine.uefi else ""
    if machine.bios:
        install = f" (apt-get install {package})" if package else ""
        say(
            Level.WARNING,
            "the images have an EFI system partition, but no UEFI firmware is installed on this "
            f"host{install}: they boot by the BIOS, if they can",
        )
        return None
    raise EngineError(
        f"no firmware for {machine.arch} guests is installed on this host",
        hint=f"apt-get install {package}" if package else "choose one yourself: -- -bios FILE",
    )
