"""What is seen of a boot beside its course: its console, what QEMU says, what it uses."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from support.facts import MS, SECOND
from vmtiming_tui.model import events as ev

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


def sightings(boot: Iterable[ev.Event], usage: bool = True) -> Iterator[ev.Event]:
    """Yield a boot's events and what else is seen of it."""
    go_ns = 0
    for event in boot:
        match event:
            case ev.VmStarted():
                go_ns = event.go_ns
                yield event
                yield _qmp(event, "RESUME")
            case ev.VmBooted():
                yield from _used(event, go_ns) if usage else ()
                yield _qmp(event, "VSERPORT_CHANGE", id="report", open=True)
                yield event
                yield _console(event, CONSOLE)
            case ev.VmDetails():
                failed = ("apt-daily.service loaded failed failed",) if event.vm % 11 == 3 else ()
                yield replace(event, slowest=SLOWEST, failed_units=failed, critical_chain=CHAIN)
            case ev.VmFailed():
                yield _console(event, PANIC)
                yield _qmp(event, "GUEST_PANICKED", action="poweroff")
                yield replace(
                    event,
                    why=f"{event.why}: VFS: Unable to mount root fs on unknown-block",
                    hint="check root= in --append, and that the initrd belongs to this kernel",
                    stderr="qemu-system-x86_64: terminating on guest panic\n",
                )
            case ev.VmTimedOut():
                yield from _used(event, go_ns) if usage else ()
                limit_s = event.limit_ns // SECOND
                silent = f"the console's last line is {limit_s - 2} s old"
                yield replace(event, why=f"no report within {limit_s} s; {silent}")
            case ev.VmExited(reason="guest-shutdown"):
                down = replace(event, at_ns=event.at_ns - 30 * MS)
                yield _qmp(down, "SHUTDOWN", guest=True, reason=event.reason)
                yield event
            case _:
                yield event


def _who(event: ev.Event) -> dict[str, int]:
    return {"vm": event.vm, "attempt": event.attempt}


def _qmp(event: ev.Event, name: str, **data: object) -> ev.QmpSeen:
    return ev.QmpSeen(at_ns=event.at_ns, name=name, data=data, qemu_ns=event.at_ns, **_who(event))


def _console(event: ev.Event, text: str) -> ev.VmConsole:
    return ev.VmConsole(at_ns=event.at_ns, text=text, total_bytes=len(text), **_who(event))


def _used(end: ev.Event, go_ns: int) -> Iterator[ev.VmUsage]:
    for tick in range(1, (end.at_ns - go_ns) // SECOND + 1):
        yield ev.VmUsage(
            at_ns=go_ns + tick * SECOND,
            rss_bytes=int((120 + 24 * min(tick, 8)) * 1.05 * (1 << 20)),
            disk_read_bytes=int(tick * 19.3 * (1 << 20)),
            cpu_ns=int(tick * 0.84 * SECOND),
            vcpu_run_ns=int(tick * 0.8 * SECOND),
            vcpu_wait_ns=int(tick * 0.17 * SECOND),
            **_who(end),
        )
