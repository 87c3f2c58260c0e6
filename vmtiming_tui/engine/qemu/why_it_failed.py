"""Why a VM did not boot, in words a person can act on."""

import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vmtiming_tui.engine.children.children import Exit
from vmtiming_tui.engine.guest.report_protocol import MAX_EXCERPT
from vmtiming_tui.escape import one_line, printable

MAX_STDERR = 4000


@dataclass(frozen=True, slots=True)
class Why:
    """A reason and what to do about it."""

    text: str
    hint: str = ""


_KNOWN: tuple[tuple[str, str, str], ...] = (
    (
        r'Failed to get (shared )?"\w+" lock',
        "another program holds its disk image",
        "end the other QEMU or run (fuser FILE says who it is), or run both without --persist",
    ),
    (
        r"Could not access KVM kernel module: Permission denied",
        "no right to use KVM",
        "join the group kvm (sudo usermod -aG kvm $USER, then log in again), or use --accel tcg",
    ),
    (
        r"Could not access KVM kernel module|failed to initialize kvm|invalid accelerator",
        "this host offers no such accelerator",
        "use --accel tcg, or --accel auto to have one chosen",
    ),
    (
        r"annot set up guest memory|annot allocate memory|mmap.*failed",
        "the host has not enough memory for it",
        "use fewer VMs (-n), less memory each (-m), or fewer at once (--parallel)",
    ),
    (r"Too many open files", "too few file descriptors", "raise the limit: ulimit -n 65536"),
    (
        r"No space left on device",
        "the disk is full",
        "free some space; QEMU keeps what a guest writes in TMPDIR or /var/tmp",
    ),
    (
        r"Could not open backing file|Failed to open the backing file",
        "its overlay's backing file cannot be opened",
        "make the overlay again: remove it and give --base ROOTFS",
    ),
    (
        r"not in qcow2 format|image is corrupt|Image is corrupt|qcow2: |L1 table|"
        r"[Rr]ef(?:erence )?count|Unsupported qcow2",
        "its disk image is damaged",
        "check it with qemu-img check, or remove it and have it made again from --base ROOTFS",
    ),
    (
        r"could not load PC BIOS|[Cc]ould not find ROM image|could not load .*bios",
        "QEMU cannot load its firmware",
        "check -bios, and who may read it: run by root, QEMU has a user of its own, and root's "
        "rights by --run-as root",
    ),
    (
        r"could not configure /dev/net/tun|could not open /dev/net/tun|network script|"
        r"failed to launch bridge helper|failed to execute helper",
        "QEMU has no right to set up a network of its own",
        "use -nic user, or give it root's rights and no filter: --run-as root ... -- -sandbox off",
    ),
    (
        r"Could not open .*: Permission denied|Permission denied",
        "a file cannot be opened for want of permission",
        "check who owns it; run by root, QEMU has a user of its own, and root's rights by "
        "--run-as root",
    ),
    (
        r"Could not open .*: (No such file|Read-only)",
        "a file cannot be opened",
        "check the paths given with -v, -p, -s, -k and -i",
    ),
    (
        r"could not load kernel|could not load initrd|invalid kernel header|kernel is too old|"
        r"could not load PVH image|error reading initrd",
        "QEMU cannot load the kernel or initrd",
        "check -k and -i: they must be a kernel image and an initrd for this machine",
    ),
    (
        r"invalid option|[Ii]nvalid parameter|[Uu]nsupported machine|is not a valid device|"
        r"unable to find CPU model|unsupported|Property .* not found|Parameter ",
        "QEMU does not take its arguments",
        "check what follows --, --machine and --cpu; an older QEMU may not know an option",
    ),
)

_NODE = re.compile(r"-blockdev \{.*\}: ")  # of ours, and longer than what is said of it
_PANIC = re.compile(r"Kernel panic - not syncing: ([^\n]*)")
_ENDED = {
    "guest-shutdown": "the guest shut down before it reported",
    "guest-reset": "the guest rebooted before it reported",
    "guest-panic": "the guest's kernel panicked",
    "host-qmp-quit": "QEMU was told to quit from outside",
    "host-signal": "QEMU was ended by a signal from outside",
    "host-error": "QEMU met an error it could not get over",
    "host-qmp-system-reset": "the guest was reset from outside",
}


def words_of(stderr: bytes) -> str:
    """Return what a process wrote as text: escaped, its end only."""
    return printable(stderr[-MAX_STDERR:], keep="\t\n").strip()


def _last_line(stderr: str) -> str:
    lines = [_NODE.sub("", line.strip()) for line in stderr.splitlines() if line.strip()]
    return one_line(lines[-1], MAX_EXCERPT) if lines else ""


def qemu_trouble(stderr: str) -> Why | None:
    """Return what QEMU's own words amount to, where they are known."""
    for pattern, text, hint in _KNOWN:
        if re.search(pattern, stderr):
            return Why(f"{text} ({_last_line(stderr)})", hint)
    return None


def why_it_ended(
    ended: Exit,
    reason: str,
    stderr: str,
    console: str,
    *,
    connected: bool,
    rejected: str = "",
) -> Why:
    """Return why QEMU ended before its guest reported.

    ``reason`` is SHUTDOWN's where QMP gave one, ``console`` the guest's last words, ``rejected``
    what was wrong with what it wrote to its report port.
    """
    if rejected and reason.startswith("guest-"):
        return Why(f"bad report: {rejected}; then the guest ended ({reason})")
    if (panic := _PANIC.search(console)) and reason in ("guest-reset", "guest-panic", ""):
        return Why(
            f"the guest's kernel panicked: {one_line(panic[1].strip(), MAX_EXCERPT)}",
            "see its console; check root=, the initrd and what --append says",
        )
    if reason in _ENDED:
        hint = "see its console for why" if reason.startswith("guest-") else ""
        return Why(_ENDED[reason], hint)
    if known := qemu_trouble(stderr):
        return known
    last = _last_line(stderr)
    said = f": {last}" if last else ""
    when = "before its guest reported" if connected else "before it could be spoken to"
    if ended.signal == signal.SIGSYS:
        return Why(
            f"QEMU did what its seccomp filter denies it, {when}{said}",
            "a filter of your own, such as -sandbox off after --, takes the place of ours",
        )
    if ended.signal is not None:
        return Why(f"QEMU was {ended.words} {when}{said}")
    return Why(f"QEMU ended {when} ({ended.words}){said}")


def io_error(data: Mapping[str, Any]) -> Why:
    """Return what a BLOCK_IO_ERROR that stopped the VM means."""
    if data.get("nospace") is True:
        return Why(
            "the host's disk is full, so QEMU stopped the guest",
            "free some space where the image is, or in TMPDIR or /var/tmp",
        )
    said = one_line(str(data.get("reason", "")), MAX_EXCERPT)
    return Why(f"QEMU could not {data.get('operation', 'use')} the disk image: {said}")


def last_words(console: str) -> str:
    """Return the last thing on a console, for a VM that fell silent."""
    last = _last_line(console[-4000:])
    return f"; last on its console: {last}" if last else "; its console stayed empty"
