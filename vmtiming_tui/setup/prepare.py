"""From a disk image to a folder ready to boot, in one go: spin, then an overlay for each VM."""

import asyncio
import contextlib
import os
import re
import shlex
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vmtiming_tui.engine.children import rundir
from vmtiming_tui.engine.children.children import start_warden
from vmtiming_tui.engine.image.overlays import make_overlays
from vmtiming_tui.errors import VmTimingError
from vmtiming_tui.guests.scripts import STDERR, run_to_the_end
from vmtiming_tui.images.gate.formats import PROBED_BYTES, format_by_mark
from vmtiming_tui.images.guard.isolated import isolated
from vmtiming_tui.images.guard.opening import open_file
from vmtiming_tui.images.guard.out_folder import open_folder
from vmtiming_tui.images.spin.unpack import packed_how
from vmtiming_tui.images.spin.wanted import MAX_CMDLINE_BYTES
from vmtiming_tui.images.system.kernel.file import KernelForm, form_of
from vmtiming_tui.model.config import RunConfig

_FORM_BYTES = 1024
_EMULATORS = {
    KernelForm.ARM64: "qemu-system-aarch64", KernelForm.ARM: "qemu-system-arm",
    KernelForm.RISCV64: "qemu-system-riscv64",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was made: how many overlays are new, and the command that boots them."""

    overlays: int
    command: str


def _spin(image: str, out: Path, options: Sequence[str], *, said_to: int = STDERR) -> None:
    # A name may begin with a dash, which an option's does; a path never does.
    name = image if not image.startswith("-") else f"./{image}"
    command = isolated("spin.outside", name, "--out", str(out), *options)
    if run_to_the_end(command, said_to):
        raise VmTimingError("the image could not be prepared; spin-from-raw.sh says why above")


def _unpacked(image: str, out: Path, options: Sequence[str]) -> str:
    """Return the path of the disk in a packed image, unpacked now where it never was."""
    with os.fdopen(os.memfd_create("path", os.MFD_CLOEXEC), "rb") as said:
        _spin(image, out, [*options, "--unpack"], said_to=said.fileno())
        said.seek(0)
        return os.fsdecode(said.read().removesuffix(b"\n"))


def _drop_overlays(config: RunConfig) -> None:
    """Remove the overlays of a root that has been replaced: they would make nonsense of the new."""
    name = re.compile(f"{re.escape(config.prefix)}-[0-9]+{re.escape(config.suffix)}")
    if not Path(config.vmdir).is_dir():
        return
    with contextlib.closing(open_folder(config.vmdir)) as folder:
        for found in os.listdir(folder.fd):  # noqa: PTH208
            if name.fullmatch(found) and _is_overlay(folder.fd, found):
                os.unlink(found, dir_fd=folder.fd)


def _is_overlay(folder: int, name: str) -> bool:
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return False
    with os.fdopen(fd, "rb") as file:
        is_file = stat.S_ISREG(os.fstat(fd).st_mode)
        return is_file and format_by_mark(file.read(PROBED_BYTES)) == "qcow2"


@contextlib.contextmanager
def _as_readable_as(path: str) -> Iterator[None]:
    """Let no file made in the block be more readable than an image: an overlay shows all of it."""
    mask = os.umask(0o077)
    # Folders made meanwhile can be entered by who made them: the box's user has to.
    os.umask(mask | ~Path(path).stat().st_mode & 0o066)
    try:
        yield
    finally:
        os.umask(mask)


def arguments_in(path: Path) -> str:
    """Read what the kernel is to be told; the folder's owner may have put another file there."""
    file, fd = open_file(str(path))
    with os.fdopen(fd, "rb") as opened:
        return os.fsdecode(opened.read(min(file.size, MAX_CMDLINE_BYTES))).strip()


def _emulator(kernel: str) -> list[str]:
    """Return the words that choose a QEMU, where the kernel is for another than the usual one."""
    _, fd = open_file(kernel)
    with os.fdopen(fd, "rb") as opened:
        qemu = _EMULATORS.get(form_of(opened.read(_FORM_BYTES)))
    return ["-q", qemu] if qemu else []


async def _overlays(config: RunConfig) -> int:
    with rundir.run_dir() as folder:
        async with start_warden(folder) as children:
            return await make_overlays(config, range(config.number), children)


def prepare(image: str, out: Path, config: RunConfig, options: Sequence[str] = ()) -> Prepared:
    """Spin ``image`` into ``out`` and make ``config.number`` overlays in ``out/vms``.

    ``config`` brings the number, the names, the memory and what the overlays stand on; ``options``
    go to spin-from-raw.sh, whose words go to standard error. A packed image is unpacked first, and
    overlays that stand on the image stand on what came of that. Raises ``VmTimingError`` when a
    step fails.
    """
    if packed_how(image):
        disk = _unpacked(image, out, options)
        config = replace(config, base=disk) if config.base == image else config
        options = [option for option in options if not option.startswith("--member=")]
        image = disk
    had_kernel = Path(config.kernel).exists()
    storm = ["-n", str(config.number), "-m", str(config.memory_mib), "-p", config.prefix]
    storm += ["-s", config.suffix] if config.suffix else []
    _spin(image, out, [*options, f"--storm={shlex.join(storm)}"])
    if "--dry-run" in options:
        return Prepared(0, "")
    if had_kernel:
        _drop_overlays(config)
    with _as_readable_as(config.base or image):
        made = asyncio.run(_overlays(config))
    words = ["vm-timing-report", *storm, *_emulator(config.kernel), "-k", config.kernel]
    words += ["-i", config.initrd] if Path(config.initrd).exists() else []
    words += ["-v", config.vmdir]
    if "--boot-files" in options:
        words += [word for folder in config.allow_backing for word in ("--allow-backing", folder)]
        words += ["--allow-device"] if config.allow_device else []
        words += ["--inject"]
    if (cmdline := Path(config.kernel).with_name("cmdline")).exists():
        words += ["--append", arguments_in(cmdline)]
    return Prepared(made, shlex.join(words))
