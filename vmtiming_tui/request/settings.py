"""The settings of a storm as a person gives them: raw texts, each read in one way only.

The command line, the new-run form and a sweep all build a ``RunConfig`` by ``build_config``, so a
value is good or bad in one way only, and every fault is found at once.
"""

import math
import pwd
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from vmtiming_tui.errors import ConfigError, Problem
from vmtiming_tui.images.gate.formats import KNOWN_FORMATS
from vmtiming_tui.model.config import (
    Accel,
    AfterReport,
    BootMode,
    End,
    Inject,
    KernelDetail,
    RunConfig,
    StartMode,
)
from vmtiming_tui.request.flags import FLAGS
from vmtiming_tui.request.paths import file_problems

MAX_VMS = 100_000
_MOST_NAMED = 60
_LEAST_RATE = 0.001
MAX_KERNEL_ARGUMENTS = 2000  # x86 Linux takes a command line of 2048 bytes, ours included

Raw = str | bool | int | float | Sequence[str] | None
E = TypeVar("E", bound=StrEnum)


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


def _rate(raw: Raw) -> float:
    """Return how far apart so many VMs a second are."""
    try:
        value = float(str(raw).strip())
    except ValueError:
        raise ValueError(f"{_brief(raw)!r} is no number of VMs a second; try 2 or 2/host") from None
    if not _LEAST_RATE <= value <= MAX_VMS:
        raise ValueError(
            f"{_brief(raw)} is out of range; give {_LEAST_RATE:g} to {MAX_VMS} VMs a second, "
            "such as 2 or 2/host"
        )
    return 1 / value


def _of_each_host(raw: Raw) -> tuple[Raw, bool]:
    """Return a value, and whether it is of each host for itself (``4/host``), not of all."""
    value, bar, host = str(raw).partition("/")
    is_each = bool(value.strip() and bar) and host.strip().lower() == "host"
    return (value, True) if is_each else (raw, False)


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
    "stagger_s": _seconds(0, "0.5 or 0.5/host"),
    "rate": _rate,
    "parallel": lambda raw: None if raw in (None, "") else _whole(1, MAX_VMS, "4 or 4/host")(raw),
    "persist": bool,
    "append": _arguments,
    "base": _text,
    "boot": _choice(BootMode),
    "inject": _choice(Inject),
    "machine": _text,
    "cpu": _text,
    "after_report": _choice(AfterReport),
    "end": _choice(End),
    "shutdown_timeout_s": _seconds(0.001, "120 (--end quit waits for no shutdown)"),
    "force": bool,
    "format": _format,
    "allow_backing": lambda raw: tuple(map(_text, raw)) if isinstance(raw, (list, tuple)) else (),
    "allow_device": bool,
    "run_as": _user,
    "kernel_detail": _choice(KernelDetail),
    "qemu_args": lambda raw: tuple(map(_text, raw)) if isinstance(raw, (list, tuple)) else (),
}


_OVER_HOSTS: Mapping[str, tuple[str, str]] = {
    "parallel": ("parallel", "parallel_per_host"),
    "stagger_s": ("stagger_s", "stagger_per_host"),
    "rate": ("stagger_s", "stagger_per_host"),
}
SETTINGS = frozenset(_READERS)
"""What can be given of a storm, by name."""


def _read(name: str, raw: Raw) -> dict[str, Any]:
    """Return what a raw value settles; raise ``ValueError`` where it is bad."""
    if name not in _OVER_HOSTS:
        return {name: _READERS[name](raw)}
    setting, per_host = _OVER_HOSTS[name]
    value, is_each = _of_each_host(raw)
    return {setting: _READERS[name](value), per_host: is_each}


def raw_of(config: RunConfig) -> dict[str, Raw]:
    """Return a config as raw values, of which ``build_config`` makes the same again."""
    raw: dict[str, Raw] = {name: getattr(config, name) for name in SETTINGS - {"rate"}}
    for name in ("parallel", "stagger_s"):
        if getattr(config, _OVER_HOSTS[name][1]):
            raw[name] = f"{raw[name]:g}/host"
    return raw


def field_problem(name: str, raw: Raw) -> str:
    """Return what is wrong with one raw value, or an empty text; for validating while typing."""
    try:
        _read(name, raw)
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
            values |= _read(name, text)
        except ValueError as error:
            problems.append(Problem(name, f"{FLAGS.get(name, name)}: {error}"))
    broken = {problem.field for problem in problems}
    config = RunConfig(**values)
    problems += [problem for problem in _missing(config) if problem.field not in broken]
    if {"rate", "stagger_s"} <= raw.keys():
        problems.append(
            Problem(
                "rate",
                "--rate: so many VMs a second are so far apart, which --stagger says too; leave "
                "one of the two out",
            )
        )
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
    if config.persist and config.end is End.QUIT:
        problems.append(
            Problem(
                "end",
                "--end: quit is a power cut to a guest, and --persist keeps what that leaves on "
                "the images; leave one of the two out",
            )
        )
    if config.kernel_detail is not KernelDetail.OFF:
        problems += _without_kernel_detail(config)
    return problems


def _without_kernel_detail(config: RunConfig) -> list[Problem]:
    """Return why a kernel cannot be asked for details."""
    problems = []
    if config.boot is BootMode.FIRMWARE:
        problems.append(
            Problem(
                "kernel_detail",
                "--kernel-detail: with --boot firmware the image's own loader gives the kernel its "
                "arguments; boot it by -k and -i (vm-timing-report prepare takes them out)",
            )
        )
    if config.after_report is AfterReport.OFF:
        problems.append(
            Problem(
                "kernel_detail",
                "--kernel-detail: a guest that is off at once after its report is not asked for "
                "its kernel's log; leave one of the two out",
            )
        )
    return problems
