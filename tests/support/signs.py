"""What the host sees of boots under way: the stages they are in, and lines of their consoles.

Guests differ: each begins its stages some milliseconds before the host sees it, and one that gets
stuck is stuck in a stage of its own.
"""

import random
from collections.abc import Iterator

from support.facts import MS, SECOND
from support.making import Guest
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.config import BootMode
from vmtiming_tui.model.stage import Stage

CONSOLE_LINES = {
    Stage.FIRMWARE: ("SeaBIOS (version 1.16.2-debian-1.16.2-1)", "Booting from ROM.."),
    Stage.KERNEL: (
        "Linux version 6.1.0-28-amd64 (debian-kernel@lists.debian.org)",
        "Command line: root=/dev/vda console=ttyS0",
        "PCI: Using configuration type 1 for base access",
        "virtio_blk virtio2: [vda] 2097152 512-byte logical blocks (1.07 GB/1.00 GiB)",
        "Freeing unused kernel image (initmem) memory: 2796K",
    ),
    Stage.INITRD: (
        "Loading, please wait...",
        "Starting systemd-udevd version 252.31-1~deb12u1",
        "Begin: Running /scripts/local-premount ... done.",
        "EXT4-fs (vda): mounted filesystem with ordered data mode. Quota mode: none.",
    ),
    Stage.USERSPACE: (
        "systemd[1]: systemd 252.31-1~deb12u1 running in system mode",
        "[  OK  ] Created slice system-getty.slice - Slice /system/getty.",
        "         Starting systemd-journald.service - Journal Service...",
        "[  OK  ] Started systemd-journald.service - Journal Service.",
        "         Starting systemd-udev-settle.service - Wait for udev To Complete...",
        "[  OK  ] Finished systemd-udev-settle.service - Wait for udev To Complete.",
        "         Starting networking.service - Raise network interfaces...",
        "[  OK  ] Finished networking.service - Raise network interfaces.",
        "         Starting ssh.service - OpenBSD Secure Shell server...",
        "[  OK  ] Started ssh.service - OpenBSD Secure Shell server.",
        "[  OK  ] Reached target multi-user.target - Multi-User System.",
    ),
}
"""What a guest writes in each stage, evenly over it."""

_STAMPED = frozenset({Stage.KERNEL})
_STUCK_IN = (Stage.USERSPACE, Stage.KERNEL, Stage.INITRD)


def signs(
    vm: int, attempt: int, guest: Guest, *, go_ns: int, boot_s: float, is_stuck: bool = False,
    until_ns: int | None = None, boot: BootMode = BootMode.KERNEL,
) -> Iterator[ev.Event]:  # fmt: skip
    """Yield what is seen of one boot that takes ``boot_s``, or would, were it not ``is_stuck``.

    Nothing is seen after ``until_ns``.
    """
    dice = random.Random(1000 * attempt + vm)
    who = {"vm": vm, "attempt": attempt}
    last = _STUCK_IN[vm % len(_STUCK_IN)] if is_stuck else Stage.LAG
    begins = _begins_s(guest, boot_s)
    seen: list[ev.Event] = []
    for place, (stage, begin_s) in enumerate(begins):
        end_s = begins[place + 1][1] if stage is not Stage.LAG else boot_s
        late_ns = dice.randrange(40 * MS) if begin_s else 0
        if stage is not Stage.FIRMWARE or boot is BootMode.FIRMWARE:
            at_ns = go_ns + min(round(begin_s * SECOND) + late_ns, round(end_s * SECOND))
            seen.append(ev.StageSeen(at_ns=at_ns, stage=stage, **who))
        lines = CONSOLE_LINES.get(stage, ())
        for number, line in enumerate(lines):
            at_s = begin_s + (end_s - begin_s) * number / len(lines)
            clock = f"[{at_s - begins[1][1]:12.6f}] " if stage in _STAMPED else ""
            at_ns = go_ns + round(at_s * SECOND) + 41 * MS
            seen.append(ev.ConsoleLine(at_ns=at_ns, text=f"{clock}{line}", **who))
        if stage is last:
            break
    yield from (each for each in seen if until_ns is None or each.at_ns < until_ns)


def _begins_s(guest: Guest, boot_s: float) -> list[tuple[Stage, float]]:
    """Return when each stage begins, in seconds since the go."""
    initrd_us, userspace_us, finish_us = guest.stamps_us(boot_s)
    zero_s = guest.firmware_s
    return [
        (Stage.FIRMWARE, 0.0),
        (Stage.KERNEL, zero_s),
        (Stage.INITRD, zero_s + initrd_us / 1e6),
        (Stage.USERSPACE, zero_s + userspace_us / 1e6),
        (Stage.LAG, zero_s + finish_us / 1e6),
    ]
