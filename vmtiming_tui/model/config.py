"""What one storm boots: frozen, validated once, every fault found at once.

The command line, the new-run form and a sweep all build a ``RunConfig`` from the same raw texts by
``build_config``, so a value is good or bad in one way only.
"""

import math
import os
import pwd
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from vmtiming_tui.errors import ConfigError, Problem
from vmtiming_tui.images.gate.formats import KNOWN_FORMATS

MAX_VMS = 100_000
_MOST_NAMED = 60
MAX_KERNEL_ARGUMENTS = 2000  # x86 Linux takes a command line of 2048 bytes, ours included

Raw = str | bool | int | float | Sequence[str] | None
E = TypeVar("E", bound=StrEnum)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """The settings of a storm.

    ``memory_mib`` per VM; ``timeout_s`` per VM from its start; ``stagger_s`` between two starts;
    ``parallel`` is how many may be booting at once (None: all). Images are
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
    persist: bool = False
    append: str = ""
    base: str = ""
    boot: BootMode = BootMode.KERNEL
    inject: Inject = Inject.OFF
    machine: str = ""
    cpu: str = ""
    force: bool = False
    format: str = ""
    allow_backing: tuple[str, ...] = ()
    allow_device: bool = False
    run_as: str = ""
    qemu_args: tuple[str, ...] = ()

    def image(self, vm: int) -> Path:
        """Return where VM ``vm``'s disk image is."""
        return Path(self.vmdir) / f"{self.prefix}-{vm}{self.suffix}"


FLAGS: Mapping[str, str] = {
    "number": "-n/--number",
    "memory_mib": "-m/--memory",
    "prefix": "-p/--prefix",
    "suffix": "-s/--suffix",
    "vmdir": "-v/--vmdir",
    "kernel": "-k/--kernel",
    "initrd": "-i/--initrd",
    "qemu": "-q/--qemu",
    "timeout_s": "--timeout",
    "stagger_s": "--stagger",
} | {
    name: f"--{name.replace('_', '-')}"
    for name in (
        "accel",
        "smp",
        "start",
        "parallel",
        "persist",
        "append",
        "base",
        "boot",
        "inject",
        "machine",
        "cpu",
        "force",
        "format",
        "allow_backing",
        "allow_device",
        "run_as",
    )
}


def _brief(raw: object) -> str:
    """Return a value as it is named in a complaint: its begin says which it is."""
    text = str(raw)
    return text if len(text) <= _MOST_NAMED else f"{text[:_MOST_NAMED]}..."


def _whole(low: int, high: int, example: str) -> Callable[[Raw], int]:
    def read(raw: Raw) -> int:
        try:
            value = int(str(raw).strip(), 10)
        except ValueError:
            raise ValueError(
                f"{_brief(raw)!r} is no whole number; give one such as {example}"
            ) from None
        if not low <= value <= high:
            raise ValueError(
                f"{_brief(value)} is out of range; give {low} to {high}, such as {example}"
            )
        return value

    return read


def _seconds(low: float, example: str) -> Callable[[Raw], float]:
    def read(raw: Raw) -> float:
        try:
            value = float(str(raw).strip())
        except ValueError:
            raise ValueError(f"{_brief(raw)!r} is no number of seconds; try {example}") from None
        if not math.isfinite(value) or value < low or value > 1e7:
            raise ValueError(
                f"{_brief(raw)} is out of range; give seconds from {low:g}, such as {example}"
            )
        return value

    return read


def _choice(kind: type[E]) -> Callable[[Raw], E]:
    def read(raw: Raw) -> E:
        try:
            return kind(str(raw).strip().lower())
        except ValueError:
            raise ValueError(f"{_brief(raw)!r} is none of {', '.join(kind)}") from None

    return read


def _text(raw: Raw) -> str:
    text = str(raw)
    if "\0" in text:
        raise ValueError("a zero byte cannot be passed to QEMU; remove it")
    return text


def _arguments(raw: Raw) -> str:
    text = _text(raw)
    if len(text.encode(errors="surrogateescape")) > MAX_KERNEL_ARGUMENTS:
        raise ValueError(
            f"the kernel takes a command line of 2048 bytes; keep this under {MAX_KERNEL_ARGUMENTS}"
        )
    if "\n" in text:
        raise ValueError("kernel arguments are one line; replace the line break by a space")
    return text


def _prefix(raw: Raw) -> str:
    if not (text := _text(raw)):
        raise ValueError("no prefix set; images are named VMDIR/PREFIX-<i>SUFFIX, try -p your-os")
    return text


def _format(raw: Raw) -> str:
    if (text := str(raw).strip().lower()) and text not in KNOWN_FORMATS:
        raise ValueError(f"{raw!r} is none of {', '.join(sorted(KNOWN_FORMATS))}")
    return text


def _user(raw: Raw) -> str:
    text = str(raw).strip()
    if text:
        try:
            pwd.getpwuid(int(text)) if text.isdecimal() else pwd.getpwnam(text)
        except (KeyError, ValueError, OverflowError):
            raise ValueError(f"there is no user {raw!r} on this host") from None
    return text


_READERS: Mapping[str, Callable[[Raw], Any]] = {
    "number": _whole(1, MAX_VMS, "8"),
    "memory_mib": _whole(1, 1 << 24, "340 (MiB)"),
    "prefix": _prefix,
    "suffix": _text,
    "vmdir": _text,
    "kernel": _text,
    "initrd": _text,
    "qemu": _text,
    "accel": _choice(Accel),
    "smp": _whole(1, 4096, "1"),
    "timeout_s": _seconds(0.001, "300"),
    "start": _choice(StartMode),
    "stagger_s": _seconds(0, "0.5"),
    "parallel": lambda raw: None if raw in (None, "") else _whole(1, MAX_VMS, "4")(raw),
    "persist": bool,
    "append": _arguments,
    "base": _text,
    "boot": _choice(BootMode),
    "inject": _choice(Inject),
    "machine": _text,
    "cpu": _text,
    "force": bool,
    "format": _format,
    "allow_backing": lambda raw: tuple(map(_text, raw)) if isinstance(raw, (list, tuple)) else (),
    "allow_device": bool,
    "run_as": _user,
    "qemu_args": lambda raw: tuple(map(_text, raw)) if isinstance(raw, (list, tuple)) else (),
}


def field_problem(name: str, raw: Raw) -> str:
    """Return what is wrong with one raw value, or an empty text; for validating while typing."""
    try:
        _READERS[name](raw)
    except ValueError as error:
        return str(error)
    return ""


def build_config(raw: Mapping[str, Raw], *, files: bool = True) -> RunConfig:
    """Return the config that raw texts describe; raise ``ConfigError`` with every fault.

    Absent names take their default. With ``files`` the paths must exist as well.
    """
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, text in raw.items():
        try:
            values[name] = _READERS[name](text)
        except ValueError as error:
            problems.append(Problem(name, f"{FLAGS.get(name, name)}: {error}"))
    broken = {problem.field for problem in problems}
    config = RunConfig(**values)
    problems += [problem for problem in _missing(config) if problem.field not in broken]
    if files:
        found = {problem.field for problem in problems}
        problems += [problem for problem in file_problems(config) if problem.field not in found]
    if problems:
        raise ConfigError(problems)
    return config


def _missing(config: RunConfig) -> list[Problem]:
    problems = []
    if not config.prefix:
        problems.append(Problem("prefix", f"{FLAGS['prefix']}: no prefix set; try -p your-os"))
    if config.boot is BootMode.KERNEL and not config.kernel:
        problems.append(
            Problem(
                "kernel",
                f"{FLAGS['kernel']}: no kernel set; give -k BFILES/vmlinuz (vm-timing-report "
                "prepare IMAGE takes it out), or --boot firmware for an image that boots itself",
            )
        )
    if config.parallel and config.start is StartMode.TOGETHER and config.parallel < config.number:
        problems.append(
            Problem(
                "parallel",
                "--parallel: --start together lets all VMs go at once; leave one of the two out",
            )
        )
    return problems


def unreachable(path: Path) -> str:
    """Return why the host will not even look for a path (a right missing, a name too long)."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        return error.strerror or str(error)
    except ValueError:  # a zero byte, or a letter no file name can hold
        return "not a path"
    return ""


def _unreadable(name: str, path: str) -> Problem | None:
    flag = FLAGS[name]
    if why := unreachable(Path(path)):
        return Problem(name, f"{flag}: {path!r} cannot be read: {why}; check the path")
    if not Path(path).is_file():
        return Problem(name, f"{flag}: there is no file {path!r}; check the path")
    if not os.access(path, os.R_OK):
        return Problem(name, f"{flag}: {path!r} cannot be read; check its permissions")
    return None


def file_problems(config: RunConfig) -> list[Problem]:
    """Return what is missing on this host: paths, images (all of them), and QEMU itself."""
    problems = [
        problem
        for name, path in (
            ("kernel", config.kernel),
            ("initrd", config.initrd),
            ("base", config.base),
        )
        if path
        and not (name == "base" and _is_device(Path(path), config))
        and (problem := _unreadable(name, path))
    ]
    if shutil.which(config.qemu) is None:
        problems.append(
            Problem(
                "qemu",
                f"{FLAGS['qemu']}: {config.qemu!r} is not an executable on this host; "
                "install QEMU (apt-get install qemu-system-x86) or give its path",
            )
        )
    if why := unreachable(Path(config.vmdir)):
        problems.append(
            Problem("vmdir", f"{FLAGS['vmdir']}: {config.vmdir!r} cannot be read: {why}")
        )
    elif not Path(config.vmdir).is_dir():
        if not config.base:
            problems.append(
                Problem(
                    "vmdir",
                    f"{FLAGS['vmdir']}: there is no folder {config.vmdir!r}; "
                    "give the folder of the images, or --base ROOTFS to make them",
                )
            )
    else:
        problems += _missing_images(config)
    return problems


def _is_device(path: Path, config: RunConfig) -> bool:
    """Whether a path leads to a block device that is taken for an image."""
    return config.allow_device and path.is_block_device()


def _is_image(path: Path, config: RunConfig) -> bool:
    return path.is_file() or _is_device(path, config)


def _missing_images(config: RunConfig) -> list[Problem]:
    if config.base:
        return []
    last = config.image(config.number - 1)
    if why := unreachable(last):
        text = f"image {str(last)!r} cannot be read: {why}; check -p, -s and -v"
        return [Problem("prefix", text)]
    missing = [vm for vm in range(config.number) if not _is_image(config.image(vm), config)]
    if not missing:
        return []
    first = config.image(missing[0])
    if first.exists():
        hint = "; --allow-device takes it" if first.is_block_device() else "; check -p, -s and -v"
        return [Problem("prefix", f"image {str(first)!r} is no regular file{hint}")]
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return [
        Problem(
            "number",
            f"image {str(first)!r}{more} not found; make {'them' if more else 'it'} with "
            "--base ROOTFS, or check -p, -s, -v and -n",
        )
    ]
