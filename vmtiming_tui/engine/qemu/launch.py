"""What the launches of a storm need besides their config: settled once, the same for each VM."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from vmtiming_tui.engine.children.children import Children
from vmtiming_tui.engine.children.rundir import RunDir
from vmtiming_tui.engine.inject.report_service import credentials, smbios_credential
from vmtiming_tui.engine.inject.user_initrd import extended
from vmtiming_tui.engine.qemu.firmware import Say, brings_firmware, choose_firmware
from vmtiming_tui.engine.qemu.machine import Machine, machine_of
from vmtiming_tui.engine.qemu.option_words import option
from vmtiming_tui.errors import EngineError
from vmtiming_tui.escape import one_line
from vmtiming_tui.images.system.initrd.contents import InitrdKind
from vmtiming_tui.images.system.way_in import MIN_SYSTEMD
from vmtiming_tui.model.config import BootMode, Inject, RunConfig
from vmtiming_tui.model.events import Level

_COPY_LIMIT_S = 60.0
GIVE_BOTH = (
    "give the image's own by -k and -i (vm-timing-report prepare --untouched IMAGE takes them out)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """``kernel`` and ``initrd`` take the place of the user's; ``credentials`` are QEMU's words.

    ``firmware`` is the code and the variables of a UEFI, by place; ``injected`` says how the report
    service comes in, where it does.
    """

    injected: str = ""
    kernel: str = ""
    initrd: str = ""
    firmware: tuple[str, str] | None = None
    credentials: tuple[str, ...] = ()

    def files(self, config: RunConfig) -> Iterator[tuple[str, str]]:
        """Yield which files of the config QEMU is to load itself, by the field's name."""
        for name, path, instead in (
            ("kernel", config.kernel, self.kernel),
            ("initrd", config.initrd, self.initrd),
        ):
            if path and not instead:
                yield name, path

    def loading(self, name: str, path: str) -> "Launch":
        """Return the same with a path for the kernel or the initrd."""
        return replace(self, kernel=path) if name == "kernel" else replace(self, initrd=path)


async def prepare_launch(
    config: RunConfig, *, has_esp: bool, folder: RunDir, children: Children, say: Say
) -> Launch:
    """Settle how VMs of a config boot; tell it by ``say``.

    ``has_esp`` says whether a UEFI finds something to boot on their images.

    Writes to the run's own folder only. Raises ``EngineError``.
    """
    machine = machine_of(config)
    firmware = None
    if config.boot is BootMode.FIRMWARE and not brings_firmware(config):
        firmware = choose_firmware(machine, esp=has_esp, say=say)
    way = chosen_way(config, machine)
    if way is Inject.INITRD:
        if launch := await _by_initrd(config, folder, children, say):
            return replace(launch, firmware=firmware)
        way = Inject.CREDENTIALS
    match way:
        case Inject.CREDENTIALS:
            say(
                Level.INFO,
                "the report service is brought in by SMBIOS credentials, and nothing is written "
                f"to the images; the guest's systemd must be {MIN_SYSTEMD} or newer",
            )
            return Launch(
                injected="SMBIOS credentials",
                firmware=firmware,
                credentials=credential_words(folder),
            )
        case _:
            return Launch(firmware=firmware)


def chosen_way(config: RunConfig, machine: Machine) -> Inject:
    """Return how the report service comes in; raise ``EngineError`` where it cannot.

    An initrd of ours to append to is the way that works in any guest, so ``auto`` prefers it.
    """
    by_initrd = config.boot is BootMode.KERNEL and bool(config.initrd)
    by_smbios = _takes_credentials(config, machine)
    match config.inject:
        case Inject.AUTO if by_initrd:
            return Inject.INITRD
        case Inject.AUTO if by_smbios:
            return Inject.CREDENTIALS
        case Inject.INITRD if not by_initrd:
            raise EngineError(
                "--inject initrd adds to an initrd, and none is given",
                hint=GIVE_BOTH,
            )
        case Inject.AUTO | Inject.CREDENTIALS if not by_smbios:
            raise EngineError(
                f"nothing can be brought into {machine.arch} guests booted this way: QEMU gives "
                "them no SMBIOS tables, and there is no initrd to add to",
                hint=GIVE_BOTH,
            )
        case way:
            return way


def _takes_credentials(config: RunConfig, machine: Machine) -> bool:
    return machine.smbios or (config.boot is BootMode.FIRMWARE and machine.uefi is not None)


def credential_words(folder: RunDir) -> tuple[str, ...]:
    """Return QEMU's words for the report service's credentials, which it reads from files there.

    Raises ``EngineError``.
    """
    words: list[str] = []
    try:
        for name, text in credentials().items():
            path = folder.path / f"credential-{name}"
            path.write_text(smbios_credential(name, text))
            words += ["-smbios", option(type=11, path=str(folder.qemus / path.name))]
    except OSError as error:
        raise _no_room(folder.path, error) from None
    return tuple(words)


async def copy_file(path: str, folder: RunDir, name: str, children: Children) -> str:
    """Copy a file into the run's folder; return where QEMUs find the copy.

    Raises ``EngineError``.
    """
    digest = hashlib.sha256(path.encode(errors="surrogateescape")).hexdigest()[:8]
    copy = folder.path / f"{name}-{digest}"
    code, words = await children.output(["cp", "--", path, str(copy)], _COPY_LIMIT_S)
    if code != 0:
        said = one_line(words.strip()) or "it takes too long"
        raise EngineError(f"{path!r} cannot be copied for QEMU: {said}", hint="check its disk")
    return str(folder.qemus / copy.name)


def _no_room(folder: Path, error: OSError) -> EngineError:
    return EngineError(
        f"cannot put the report service into {str(folder)!r}: {error.strerror}",
        hint="free some space on the disk of the run's folder",
    )


async def _by_initrd(
    config: RunConfig, folder: RunDir, children: Children, say: Say
) -> Launch | None:
    """Return how VMs boot by an initrd of ours; None where credentials are to do it instead.

    Raises ``EngineError`` where neither can.
    """
    name = hashlib.sha256(config.initrd.encode(errors="surrogateescape")).hexdigest()[:8]
    path = folder.path / f"initrd-{name}"
    try:
        found = await extended(config.initrd, path, children)
    except OSError as error:
        raise _no_room(folder.path, error) from None
    if found.kind.is_served:
        way = f"the initrd ({found.kind})"
        say(
            Level.INFO,
            f"the report service is brought in by {way}; nothing is written to the images",
        )
        return Launch(injected=way, initrd=str(folder.qemus / path.name))
    what = (
        f"{os.path.basename(config.initrd)!r} is none of the initrds the report service can be "  # noqa: PTH119
        "brought in by (initramfs-tools, dracut, systemd with a shell)"
    )
    what += f": it is {found.fault}" if found.fault else ""
    takes_credentials = _takes_credentials(config, machine_of(config))
    goes_by_it = config.inject is Inject.INITRD or found.kind is InitrdKind.UNREADABLE
    if goes_by_it or not takes_credentials:
        hint = "prepare the image without --untouched"
        if takes_credentials:
            hint = (
                f"--inject=credentials brings it into guests with systemd {MIN_SYSTEMD} or newer; "
                "prepare any other without --untouched"
            )
        raise EngineError(what, hint=hint)
    say(Level.WARNING, what)
    return None
