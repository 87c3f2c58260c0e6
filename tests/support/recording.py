"""Recorded storms: deterministic streams of events as an engine states them."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from vmtiming_tui import events as ev
from vmtiming_tui.commands import Command, Quit
from vmtiming_tui.config import Accel, RunConfig
from vmtiming_tui.plan import RunPlan, plan_of, plan_to_json

SECOND = 1_000_000_000
ZERO_NS = 5_000 * SECOND
WALL_NS = 1_735_725_600 * SECOND

HOST = {
    "hostname": "bench-1",
    "kernel": "6.1.0-28-amd64",
    "os": "Debian GNU/Linux 12 (bookworm)",
    "cpu_model": "AMD EPYC 7763 64-Core Processor",
    "cores": 16,
    "governor": "performance",
    "virtualised": "",
    "memory_bytes": 64 << 30,
    "memory_available_bytes": 52 << 30,
    "load1": 0.4,
    "psi": {},
}

SLOWEST = (
    "          2.114s systemd-udev-settle.service",
    "          1.380s networking.service",
    "           871ms systemd-journald.service",
    "           644ms ssh.service",
    "           402ms systemd-logind.service",
    "           233ms dbus.service",
)

CHAIN = (
    "multi-user.target @5.812s",
    "└─ssh.service @5.165s +644ms",
    "  └─network.target @5.160s",
    "    └─networking.service @3.776s +1.380s",
)

CONSOLE = """\
SeaBIOS (version 1.16.2-debian-1.16.2-1)
Booting from ROM..
[    0.000000] Linux version 6.1.0-28-amd64 (debian-kernel@lists.debian.org)
[    0.000000] Command line: root=/dev/vda console=ttyS0 quiet
[    0.481225] virtio_blk virtio2: [vda] 2097152 512-byte logical blocks (1.07 GB/1.00 GiB)
[    1.206114] EXT4-fs (vda): mounted filesystem with ordered data mode. Quota mode: none.
[    1.498301] systemd[1]: systemd 252.31-1~deb12u1 running in system mode
[    1.502244] systemd[1]: Detected virtualization qemu.
         Starting systemd-journald.service - Journal Service...
[  OK  ] Started systemd-journald.service - Journal Service.
         Starting networking.service - Raise network interfaces...
[  OK  ] Finished networking.service - Raise network interfaces.
[  OK  ] Started ssh.service - OpenBSD Secure Shell server.
[  OK  ] Reached target multi-user.target - Multi-User System.

Debian GNU/Linux 12 guest ttyS0

guest login:
"""

PANIC = """\
[    1.206114] VFS: Cannot open root device "/dev/vdx" or unknown-block(0,0): error -6
[    1.206981] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)
"""


def config_of(number: int, **changed: object) -> RunConfig:
    """Return the settings the recorded runs were made with."""
    return RunConfig(
        **{
            "number": number,
            "memory_mib": 340,
            "prefix": "debian-12",
            "suffix": ".img",
            "vmdir": "vms",
            "kernel": "BFILES/vmlinuz",
            "initrd": "BFILES/initrd",
            "accel": Accel.KVM,
            "timeout_s": 60.0,
            **changed,
        }
    )


def plan_for(number: int, **changed: object) -> RunPlan:
    """Return a plan of one storm."""
    return plan_of(config_of(number, **changed))


def argv(vm: int) -> tuple[str, ...]:
    """Return a QEMU command such as the engine makes."""
    return (
        "qemu-system-x86_64", "-S", "-nodefaults", "-display", "none", "-accel", "kvm",
        "-m", "340", "-smp", "1", "-kernel", "BFILES/vmlinuz", "-initrd", "BFILES/initrd",
        "-append", "root=/dev/vda console=ttyS0 quiet",
        "-drive", f"file=vms/debian-12-{vm}.img,format=raw,if=virtio,snapshot=on",
        "-chardev", "socket,id=qmp,fd=14", "-mon", "chardev=qmp,mode=control",
        "-device", "virtio-serial-pci", "-serial", "stdio",
    )  # fmt: skip


@dataclass
class Recorder:
    """Writes one run; ``at`` everywhere is seconds since its begin."""

    number: int
    seed: int = 7
    mean_s: float = 6.0
    stagger_s: float = 0.05
    failing: frozenset[int] = frozenset()
    hanging: frozenset[int] = frozenset()
    killed: frozenset[int] = frozenset()
    usage: bool = True
    events: list[ev.Event] = field(default_factory=list)
    attempts: dict[int, int] = field(default_factory=dict)
    storms: int = 0

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        self._say(
            ev.RunStarted(
                at_ns=ZERO_NS,
                run="r1",
                wall_ns=WALL_NS,
                number=self.number,
                plan=plan_to_json(plan_for(self.number)),
                host=HOST,
                accel="kvm",
                accel_reason="the kernel's first line came after 0.4 s",
                qemu_version="7.2.15",
                tool_version="0.1.0",
            )
        )

    def _say(self, event: ev.Event) -> None:
        self.events.append(event)

    def storm(
        self,
        at: float,
        vms: Iterable[int],
        kind: ev.StormKind = ev.StormKind.RUN,
        slow: float = 1.0,
    ) -> float:
        """Boot these VMs together; return when all are decided."""
        vms = tuple(vms)
        self.storms += 1
        begin = ZERO_NS + int(at * SECOND)
        self._say(ev.StormStarted(at_ns=begin, storm=self.storms, kind=kind, vms=vms))
        for vm in vms:
            attempt = self.attempts[vm] = self.attempts.get(vm, 0) + 1
            self._say(ev.VmQueued(at_ns=begin, vm=vm, attempt=attempt, storm=self.storms))
        ends = [
            self._boot(at + 0.02 + place * self.stagger_s, vm, slow) for place, vm in enumerate(vms)
        ]
        end = max(ends)
        self._host(at, end)
        self._say(ev.StormEnded(at_ns=ZERO_NS + int(end * SECOND) + 1, storm=self.storms))
        return end

    def _host(self, at: float, end: float) -> None:
        moment = at
        while moment < end:
            share = (moment - at) / max(end - at, 1)
            busy = 97 - 60 * share**3 + self._dice.uniform(-4, 3)
            self._say(
                ev.HostSample(
                    at_ns=ZERO_NS + int(moment * SECOND),
                    cpu_percent=max(4.0, min(busy, 100.0)),
                    load1=1 + 14 * share,
                    psi_cpu=max(0.0, busy / 3),
                    psi_io=2.0,
                    psi_memory=0.0,
                    memory_available_bytes=40 << 30,
                )
            )
            moment += 0.5

    def _boot(self, at: float, vm: int, slow: float) -> float:
        attempt = self.attempts[vm]
        who = {"vm": vm, "attempt": attempt}
        spawn = ZERO_NS + int(at * SECOND)
        go = spawn + 85_000_000 + self._dice.randrange(20_000_000)
        say = self._say
        say(
            ev.VmLaunched(
                at_ns=spawn + 12_000_000, pid=4000 + vm, spawn_ns=spawn, argv=argv(vm), **who
            )
        )
        say(ev.ReportConnected(at_ns=spawn + 41_000_000, connection=20 + vm, **who))
        say(ev.VmConnected(at_ns=go - 3_000_000, **who))
        say(ev.VmStarted(at_ns=go + 200_000, go_ns=go, qemu_ns=go, **who))
        say(ev.QmpSeen(at_ns=go + 300_000, name="RESUME", qemu_ns=go, **who))
        length = self.mean_s * slow * max(0.55, self._dice.gauss(1, 0.12))
        if vm % 17 == 5:
            length *= 1.45
        if vm in self.failing and attempt == 1:
            return self._fail(go, who, min(length, 2.2))
        if vm in self.hanging and attempt == 1:
            return self._hang(go, who)
        if vm in self.killed and attempt == 1:
            return self._kill(go, who, length / 2)
        return self._report(go, who, length)

    def _use(self, go: int, who: dict[str, int], length: float) -> None:
        if not self.usage:
            return
        for tick in range(1, int(length) + 1):
            self._say(
                ev.VmUsage(
                    at_ns=go + tick * SECOND,
                    rss_bytes=int((120 + 24 * min(tick, 8)) * 1.05 * (1 << 20)),
                    disk_read_bytes=int(tick * 19.3 * (1 << 20)),
                    cpu_ns=int(tick * 0.84 * SECOND),
                    vcpu_run_ns=int(tick * 0.8 * SECOND),
                    vcpu_wait_ns=int(tick * 0.17 * SECOND),
                    **who,
                )
            )

    def _report(self, go: int, who: dict[str, int], length: float) -> float:
        self._use(go, who, length)
        total = int(length * SECOND)
        firmware = int(0.5 * SECOND)
        clock = total - firmware
        lag = 40_000_000
        kernel, initrd = int(clock * 0.18), int(clock * 0.14)
        user = clock - kernel - initrd - lag
        text = (
            f"Startup finished in {kernel / SECOND:.3f}s (kernel) + {initrd / SECOND:.3f}s (initrd)"
            f" + {user / SECOND:.3f}s (userspace) = {(clock - lag) / SECOND:.3f}s"
        )
        report = go + total
        self._say(
            ev.QmpSeen(
                at_ns=report - 400_000,
                name="VSERPORT_CHANGE",
                data={"id": "report", "open": True},
                qemu_ns=report - 500_000,
                **who,
            )
        )
        self._say(
            ev.VmBooted(
                at_ns=report + 100_000, report_ns=report, uncertainty_ns=600_000, text=text, **who
            )
        )
        self._say(
            ev.VmDetails(
                at_ns=report + 2_000_000,
                clock_us=clock // 1000,
                timestamps_us={
                    "InitRDTimestampMonotonic": kernel // 1000,
                    "UserspaceTimestampMonotonic": (kernel + initrd) // 1000,
                    "FinishTimestampMonotonic": (clock - lag) // 1000,
                },
                slowest=SLOWEST,
                failed_units=("apt-daily.service loaded failed failed",)
                if who["vm"] % 11 == 3
                else (),
                critical_chain=CHAIN,
                **who,
            )
        )
        self._console(report + 5_000_000, who, CONSOLE)
        down = report + int(0.35 * SECOND)
        self._say(
            ev.QmpSeen(
                at_ns=down,
                name="SHUTDOWN",
                data={"guest": True, "reason": "guest-shutdown"},
                qemu_ns=down,
                **who,
            )
        )
        self._say(ev.VmExited(at_ns=down + 30_000_000, exit_code=0, reason="guest-shutdown", **who))
        return (down + 30_000_000 - ZERO_NS) / SECOND

    def _console(self, at_ns: int, who: dict[str, int], text: str) -> None:
        self._say(ev.VmConsole(at_ns=at_ns, text=text, total_bytes=len(text), **who))

    def _fail(self, go: int, who: dict[str, int], length: float) -> float:
        at_ns = go + int(length * SECOND)
        self._console(at_ns - 1, who, PANIC)
        self._say(
            ev.QmpSeen(at_ns=at_ns, name="GUEST_PANICKED", data={"action": "poweroff"}, **who)
        )
        self._say(
            ev.VmFailed(
                at_ns=at_ns + 1,
                why="the guest's kernel panicked: VFS: Unable to mount root fs on unknown-block",
                hint="check root= in --append, and that the initrd belongs to this kernel",
                **who,
            )
        )
        self._say(
            ev.VmExited(
                at_ns=at_ns + 50_000_000,
                exit_code=0,
                reason="guest-panic",
                stderr="qemu-system-x86_64: terminating on guest panic\n",
                **who,
            )
        )
        return (at_ns - ZERO_NS) / SECOND + 0.06

    def _hang(self, go: int, who: dict[str, int]) -> float:
        self._use(go, who, 20)
        limit = 20 * SECOND
        self._say(
            ev.VmTimedOut(
                at_ns=go + limit,
                limit_ns=limit,
                why="no report within 20 s; the console's last line is 18 s old",
                **who,
            )
        )
        self._say(
            ev.VmExited(at_ns=go + limit + SECOND // 10, exit_code=0, reason="host-qmp-quit", **who)
        )
        return (go + limit - ZERO_NS) / SECOND + 0.2

    def _kill(self, go: int, who: dict[str, int], length: float) -> float:
        at_ns = go + int(length * SECOND)
        self._say(ev.VmKilled(at_ns=at_ns, why="killed on request", **who))
        self._say(ev.VmExited(at_ns=at_ns + 40_000_000, exit_code=-9, reason="host-signal", **who))
        return (at_ns - ZERO_NS) / SECOND + 0.1

    def end(self, at: float, outcome: ev.Outcome = ev.Outcome.FINISHED) -> None:
        """Say that the run is over."""
        self._say(ev.RunEnded(at_ns=ZERO_NS + int(at * SECOND) + 2, outcome=outcome))

    def ordered(self) -> list[ev.Event]:
        """Return the events in the order they became known."""
        return sorted(self.events, key=lambda event: event.at_ns)


def smooth_run(number: int, **how: object) -> list[ev.Event]:
    """Return a run in which every VM boots."""
    recorder = Recorder(number, **how)  # type: ignore[arg-type]
    recorder.end(recorder.storm(0.1, range(number)))
    return recorder.ordered()


def troubled_run(number: int) -> list[ev.Event]:
    """Return a run with panics, time-outs and kills, and a rerun of two VMs."""
    recorder = Recorder(
        number,
        failing=frozenset(vm for vm in range(number) if vm % 13 == 4),
        hanging=frozenset(vm for vm in range(number) if vm % 29 == 6),
        killed=frozenset(vm for vm in range(number) if vm % 37 == 7),
    )
    end = recorder.storm(0.1, range(number))
    recorder.end(end)
    again = recorder.storm(end + 3, [2, 5], ev.StormKind.RERUN, slow=1.6)
    recorder.end(again)
    return recorder.ordered()


def until(events: list[ev.Event], at: float) -> list[ev.Event]:
    """Return what was known ``at`` seconds into the run."""
    limit = ZERO_NS + int(at * SECOND)
    return [event for event in events if event.at_ns <= limit]


class FrozenClock:
    """A clock that stands where it is put; ``at`` is seconds into the run."""

    def __init__(self, at: float = 0.0) -> None:
        self.at = at

    def __call__(self) -> int:
        return ZERO_NS + int(self.at * SECOND)


class RecordedSource:
    """An ``EventSource`` under a test's control: gives what it is fed, notes what it is sent."""

    def __init__(self, events: Iterable[ev.Event] = ()) -> None:
        self.sent: list[Command] = []
        self._batches: asyncio.Queue[list[ev.Event] | None] = asyncio.Queue()
        self.opened = 0
        if first := list(events):
            self.feed(first)

    def feed(self, events: Iterable[ev.Event]) -> None:
        """Have events read next."""
        self._batches.put_nowait(list(events))

    def end(self) -> None:
        """End the stream."""
        self._batches.put_nowait(None)

    def send(self, command: Command) -> None:
        """Note the command; Quit ends the stream, as an engine's does."""
        self.sent.append(command)
        if isinstance(command, Quit):
            self.end()

    async def batches(self) -> AsyncIterator[list[ev.Event]]:
        """Yield what was fed."""
        while (batch := await self._batches.get()) is not None:
            yield batch

    @asynccontextmanager
    async def connect(self) -> AsyncIterator["RecordedSource"]:
        """Be opened by the dashboard."""
        self.opened += 1
        yield self
