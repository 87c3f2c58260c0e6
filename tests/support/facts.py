"""What a run that is made up says of itself: its plan, its host, its begin, its QEMUs."""

import json
from dataclasses import replace

from vmtiming_tui.model import events as ev
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.host import HostFacts
from vmtiming_tui.model.plan import RunPlan, Variant

SECOND = 1_000_000_000
MS = 1_000_000


def host(**changes: object) -> HostFacts:
    """The host of every run that is made up, or one that differs from it."""
    facts = {
        "hostname": "bench1",
        "kernel": "6.1.0-18-amd64",
        "os": "Debian GNU/Linux 12 (bookworm)",
        "cpu_model": "Imaginary CPU @ 3.00GHz",
        "cores": 8,
        "governor": "performance",
        "virtualised": "",
        "memory_bytes": 16 << 30,
        "memory_available_bytes": 12 << 30,
        "load1": 0.1,
        "psi": {"cpu": 0.0, "io": 0.0, "memory": 0.0},
    }
    return HostFacts(**facts | changes)


def config(number: int = 2, **changes: object) -> RunConfig:
    """The settings of every run that is made up, or some that differ from them."""
    settings: dict[str, object] = {"prefix": "vm", "kernel": "/boot/vmlinuz", **changes}
    return RunConfig(number=number, **settings)


def plan_of(config: RunConfig) -> RunPlan:
    """Return the plan of a single storm."""
    return RunPlan(variants=(Variant(config=config),))


def plan(number: int = 2, runs: int = 1, **changes: object) -> RunPlan:
    return replace(plan_of(config(number, **changes)), runs=runs)


def run_started(at_ns: int = 0, run: str = "run-1", **changes: object) -> ev.RunStarted:
    """The begin of every run that is made up; ``changes`` are of its facts."""
    facts = {
        "number": 2,
        "plan": plan(),
        "host": host(),
        "accel": "kvm",
        "accel_reason": "asked for",
        "qemu_version": "7.2.15",
        "tool_version": "0.1.0",
        "wall_ns": 1_700_000_000 * SECOND,
    } | changes
    return ev.RunStarted(at_ns=at_ns, run=run, **facts)


def foreign_run_started(**changes: object) -> ev.RunStarted:
    """The begin of a run as it is read from a stream that has other things in some places."""
    body = json.loads(ev.encode(run_started())) | changes
    return ev.decode(json.dumps(body))


def argv(vm: int, accel: str = "kvm") -> tuple[str, ...]:
    """A QEMU command such as the engine makes."""
    return (
        "qemu-system-x86_64", "-S", "-nodefaults", "-display", "none", "-accel", accel,
        "-m", "340", "-smp", "1", "-kernel", "BFILES/vmlinuz", "-initrd", "BFILES/initrd",
        "-append", "root=/dev/vda console=ttyS0 quiet",
        "-drive", f"file=vms/debian-12-{vm}.img,format=raw,if=virtio,snapshot=on",
        "-chardev", "socket,id=qmp,fd=14", "-mon", "chardev=qmp,mode=control",
        "-device", "virtio-serial-pci", "-serial", "stdio",
    )  # fmt: skip
