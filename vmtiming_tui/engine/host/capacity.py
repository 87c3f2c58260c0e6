"""Whether this host can hold the VMs asked for, and how many at once: before any is started."""

import contextlib
import os
import resource
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vmtiming_tui.engine.host.watch import memory_bytes
from vmtiming_tui.errors import EngineError
from vmtiming_tui.escape import are, plural
from vmtiming_tui.model.config import Accel, RunConfig

_OUR_FDS = 64
_FDS_PER_VM = 6  # QMP, console, stderr, report, and two more while its QEMU starts
_LEAST_FDS = 96  # the warden keeps its own above those a child is given by number
_TCG_EXTRA_BYTES = 300 << 20  # measured: a 340 MiB guest has about 630 MB resident
_KVM_EXTRA_BYTES = 80 << 20
_TASKS_PER_VM = 4  # QEMU's main thread, its RCU thread, one or two workers; vCPUs come on top


@dataclass(frozen=True, slots=True)
class Shortage:
    """Something the host has too little of: how many VMs fit, and the command that raises it.

    ``is_lasting`` says that it is no help to boot fewer at once.
    """

    text: str
    hint: str
    fit: int
    is_lasting: bool = False


def raise_descriptor_limit() -> None:
    """Raise our limit on open files as far as we may without asking anyone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def check_descriptors() -> None:
    """Raise ``EngineError`` where there are too few for the engine itself."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit != resource.RLIM_INFINITY and limit < _LEAST_FDS:
        raise EngineError(
            f"{limit} open files are allowed, which is too few for a single VM",
            hint="raise the limit: ulimit -n 1024 (as root, or by /etc/security/limits.conf)",
        )


def vms(count: int, verb: str) -> str:
    """Return ``1 VM fits``, ``2 VMs fit``."""
    return f"{plural(count, 'VM')} {verb}{'s' if count == 1 else ''}"


def _descriptors(config: RunConfig) -> Iterable[Shortage]:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    need = _OUR_FDS + _FDS_PER_VM * config.number
    if limit != resource.RLIM_INFINITY and need > limit:
        fit = max((limit - _OUR_FDS) // _FDS_PER_VM, 0)
        yield Shortage(
            f"{vms(config.number, 'need')} {need} open files, and {limit} are allowed: "
            f"{vms(fit, 'fit')}",
            f"raise the limit: ulimit -n {need} (as root, or by /etc/security/limits.conf)",
            fit,
            is_lasting=True,
        )


def _tasks_of_user() -> int:
    """Return how many processes and threads this user has."""
    uid, count = os.getuid(), 0
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if entry.stat().st_uid == uid:
                    count += len(os.listdir(f"/proc/{entry.name}/task"))  # noqa: PTH208
    return count


def _cgroup_tasks_left() -> int | None:
    """Return how many more tasks our control group may have; None where there is no bound."""
    with contextlib.suppress(OSError, ValueError):
        name = Path("/proc/self/cgroup").read_text().rpartition("::")[2].strip()
        group = Path("/sys/fs/cgroup") / name.lstrip("/")
        return int((group / "pids.max").read_text()) - int((group / "pids.current").read_text())
    return None


def _processes(config: RunConfig) -> Iterable[Shortage]:
    each = _TASKS_PER_VM + config.smp
    need = each * config.held
    limit = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    room = []
    if os.getuid() != 0 and limit != resource.RLIM_INFINITY:
        room.append((limit - _tasks_of_user(), f"raise the limit: ulimit -u {limit + need}"))
    if (left := _cgroup_tasks_left()) is not None:
        room.append((left, "raise pids.max of this control group (systemd: TasksMax=)"))
    for left, hint in room:
        if need > left:
            more = max(left, 0)
            yield Shortage(
                f"{vms(config.held, 'at once need')} about {need} processes and threads, and "
                f"{more} more {are(more)} allowed: {vms(more // each, 'fit')}",
                hint,
                more // each,
            )


def vm_memory_bytes(config: RunConfig, accel: Accel) -> int:
    """Return what one VM may come to hold resident on the host."""
    extra = _TCG_EXTRA_BYTES if accel is Accel.TCG else _KVM_EXTRA_BYTES
    return (config.memory_mib << 20) + extra


def _memory(config: RunConfig, accel: Accel, freed_bytes: int) -> Iterable[Shortage]:
    available = memory_bytes("MemAvailable") + memory_bytes("SwapFree") + freed_bytes
    each = vm_memory_bytes(config, accel)
    count = config.held
    if available and each * count > available:
        fit = available // each
        yield Shortage(
            f"{plural(count, 'VM')} may come to hold {each * count >> 20} MiB, and the host has "
            f"{available >> 20} MiB available: {vms(fit, 'fit')}",
            f"use -n {max(fit, 1)}, less memory each (-m), --parallel {max(fit, 1)}, "
            "or --force to try all the same",
            fit,
        )


@dataclass(frozen=True, slots=True)
class Room:
    """How many VMs of a storm this host can hold at once, and what it has too little of for all.

    Fewer than all make rounds; 0 is too few for those that are to boot at once.
    """

    vms: int
    lacking: tuple[Shortage, ...] = ()


def room_for(config: RunConfig, accel: Accel, *, freed_bytes: int = 0) -> Room:
    """Return the room there is for a storm; a config that forces it has all it asks for.

    A round is a multiple of those that boot at once, so that each boots as it would without.
    ``freed_bytes`` is memory that VMs hold now and will have given back by then.
    """
    if config.force:
        return Room(config.number)
    found = (*_descriptors(config), *_processes(config), *_memory(config, accel, freed_bytes))
    if not found:
        return Room(config.number)
    fit, at_once = min(shortage.fit for shortage in found), config.at_once(config.number)
    if any(shortage.is_lasting for shortage in found):
        return Room(0, found)
    return Room(fit - fit % at_once, found)


def rooms_for(accels: Mapping[RunConfig, Accel]) -> dict[RunConfig, int]:
    """Return how many VMs of each config are to be held at once, by the accelerator of each.

    Raises ``EngineError`` where a storm does not fit.
    """
    rooms = {}
    for config, accel in accels.items():
        room = room_for(config, accel)
        if not room.vms:
            raise EngineError(
                "; ".join(shortage.text for shortage in room.lacking),
                hint="; ".join(dict.fromkeys(shortage.hint for shortage in room.lacking)),
            )
        rooms[config] = room.vms
    return rooms
