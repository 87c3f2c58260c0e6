"""Which images this host can take, and which guests it can boot: one check a kind."""

import os
import platform
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vmtiming_tui.engine.qemu.firmware import installed
from vmtiming_tui.engine.qemu.machine import MACHINES, Machine, host_arch
from vmtiming_tui.guests.demo_guest import DemoVariant, cached_guest
from vmtiming_tui.images.gate.formats import KNOWN_FORMATS
from vmtiming_tui.images.guard.box import Wall, best_wall, user_name
from vmtiming_tui.images.reader.device_mapper import modules_for
from vmtiming_tui.images.reader.guest_kernel import GuestKernel
from vmtiming_tui.images.reader.host_kernel import debian_arch, versions
from vmtiming_tui.images.reader.kernel_reader import KERNEL_ONLY
from vmtiming_tui.setup.checks import Check, Fitness, tool

_ID_RANGES = (Path("/etc/subuid"), Path("/etc/subgid"))
_PROBE_LIMIT_S = 10
_RANGE = "100000-165535"

# Where Debian keeps the QEMU for an architecture, by how its name begins; the rest are "misc".
_QEMU_PACKAGES = {
    "x86": "x86", "i386": "x86", "aarch64": "arm", "arm": "arm", "mips": "mips", "ppc": "ppc",
    "sparc": "sparc",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ability:
    """A kind of image, and the tools it takes by their Debian packages."""

    name: str
    what: str
    tools: dict[str, str]


ABILITIES = (
    Ability(
        "ext4 images", "GPT, MBR, LVM or bare, without root",
        dict.fromkeys(("e2fsck", "resize2fs", "debugfs"), "e2fsprogs"),
    ),
    Ability("qcow2 and others", "qcow2, vmdk, vdi and vhdx images, and overlays",
            {"qemu-img": "qemu-utils"}),
    Ability("initrds", "all compressions read: completed for the VM, their kind told by --inject",
            {"zstd": "zstd", "lz4": "lz4", "lzop": "lzop"}),
    Ability("packed images", "xz, gzip, bzip2, zstd, lz4 and lzop, tar, ova, box and zip unpacked",
            {"zstd": "zstd", "lz4": "lz4", "lzop": "lzop"}),
)  # fmt: skip
_WALLS = {
    Wall.BUBBLEWRAP: "bubblewrap: images are read without a network, the host's files or any right",
    Wall.NAMESPACES: "bwrap does not work: images are read without a network and without rights, "
    "but what everybody may read is in view",
    Wall.LIMITS: "neither bwrap nor unshare work: images are read within limits, and without "
    "rights where root starts it; nothing else protects",
}
_FORMATS = re.compile(rb"^Supported formats:(.*)$", re.MULTILINE)
BUILDING = {
    "mmdebstrap": "mmdebstrap", "mke2fs": "e2fsprogs", "cpio": "cpio", "modprobe": "kmod",
    "depmod": "kmod", "xz": "xz-utils", "zstd": "zstd",
}  # fmt: skip


def qemu_package(arch: str) -> str:
    """Return the Debian package of the QEMU for an architecture."""
    kind = next((_QEMU_PACKAGES[name] for name in _QEMU_PACKAGES if arch.startswith(name)), "misc")
    return f"qemu-system-{kind}"


def _missing(tools: dict[str, str]) -> tuple[str, str]:
    """Return the tools that are not there, and the command that installs them."""
    names = [name for name in tools if tool(name) is None]
    packages = sorted({tools[name] for name in names})
    return ", ".join(names), f"apt-get install {' '.join(packages)}"


def _ability_check(ability: Ability) -> Check:
    names, mend = _missing(ability.tools)
    if names:
        return Check(ability.name, Fitness.NOTE, f"no {names}: {ability.what} need it", mend)
    return Check(ability.name, Fitness.FINE, ability.what)


def _works(*command: str) -> bool:
    path = tool(command[0])
    if path is None:
        return False
    try:
        done = subprocess.run(  # noqa: S603  the name of a known tool, no shell
            [path, *command[1:]], capture_output=True, check=False, timeout=_PROBE_LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _formats_check() -> Check | None:
    """Return which formats QEMU reads here, as its builder chose; None where it does not say."""
    path = tool("qemu-img")
    if path is None:
        return None
    try:
        said = subprocess.run(  # noqa: S603  the name of a known tool, no shell
            [path, "--help"], capture_output=True, check=False, timeout=_PROBE_LIMIT_S
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _FORMATS.search(said)
    words = set(found[1].decode(errors="replace").split()) if found else set()
    known = sorted(KNOWN_FORMATS & words)
    if not known:
        return None
    if missing := sorted(KNOWN_FORMATS - words):
        return Check(
            "formats", Fitness.NOTE,
            f"this QEMU reads {', '.join(known)}; it has no {', '.join(missing)}",
            "qemu-img convert -O qcow2 IMAGE NEW, where they are read",
        )  # fmt: skip
    return Check("formats", Fitness.FINE, f"this QEMU reads {', '.join(known)} (vpc is VHD)")


def _box_check() -> Check:
    """What keeps an image in that is read."""
    wall = best_wall()
    if wall is Wall.BUBBLEWRAP:
        return Check("box", Fitness.FINE, _WALLS[wall])
    mend = "apt-get install bubblewrap" if tool("bwrap") is None else ""
    return Check("box", Fitness.NOTE, _WALLS[wall], mend)


def _reader_checks() -> Iterator[Check]:
    """Only a kernel reads these: one of this host's, in a VM of its own."""
    arch = host_arch()
    needed = {f"qemu-system-{arch}": qemu_package(arch), "busybox": "busybox-static",
              "mke2fs": "e2fsprogs"}  # fmt: skip
    kernels = [GuestKernel(version, -1) for version in versions()]
    kinds: list[tuple[str, Sequence[str], dict[str, str]]]
    kinds = [(kind, (kind,), needed) for kind in sorted(KERNEL_ONLY)]
    kinds.append(("LVM thin", modules_for(["thin"]), needed | {"lvm": "lvm2"}))
    for kind, modules, tools in kinds:
        names, mend = _missing(tools)
        fit = next((kernel.version for kernel in kernels if kernel.has(modules)), "")
        check = Check(f"{kind} images", Fitness.FINE, f"read in a VM by kernel {fit}")
        if names:
            check = replace(
                check, fitness=Fitness.NOTE, found=f"no {names}: the VM that reads them needs it",
                mend=mend,
            )  # fmt: skip
        elif not fit:
            check = replace(
                check, fitness=Fitness.NOTE,
                found="none of the kernels in /boot that may be read knows it",
                mend=f"apt-get install linux-image-{debian_arch()}",
            )  # fmt: skip
        yield check


def _building_check() -> Check:
    """What spin/lib-debian.sh asks for, asked here beforehand."""
    name = "new Debians"
    names, mend = _missing(BUILDING)
    if names:
        return Check(name, Fitness.NOTE, f"no {names}: the demo guest needs it", mend)
    suite = _suite()
    if suite is None:
        return Check(name, Fitness.NOTE, "this host is no Debian or Ubuntu: demo builds none",
                     "gen-debian-rawfs.sh --suite SUITE OUT.raw")  # fmt: skip
    found = f"tools for a {suite} (demo, gen-debian-rawfs.sh); its packages need a network"
    if os.geteuid() == 0:
        return Check(name, Fitness.FINE, found)
    user = user_name()
    if tool("newuidmap") is None:
        return Check(name, Fitness.NOTE, "without root no newuidmap", "apt-get install uidmap")
    if not all(_has_range(path, user) for path in _ID_RANGES):
        ranges = f"--add-subuids {_RANGE} --add-subgids {_RANGE}"
        return Check(
            name, Fitness.NOTE, f"without root: {user} has no user ids in /etc/subuid and subgid",
            f"sudo usermod {ranges} {user}",
        )  # fmt: skip
    if not _works("unshare", "--user", "true"):
        return Check(name, Fitness.NOTE, "without root: this host lets users make no namespaces",
                     "sudo gen-debian-rawfs.sh OUT.raw")  # fmt: skip
    return Check(name, Fitness.FINE, f"{found}, but no root")


def _suite() -> str | None:
    """Return the release whose guests are built here, as spin/lib-debian.sh finds it."""
    try:
        return platform.freedesktop_os_release().get("VERSION_CODENAME") or None
    except OSError:
        return None


def _has_range(path: Path, user: str) -> bool:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return False
    return any(line.split(":")[0] in (user, str(os.geteuid())) for line in lines)


def _demo_check() -> Check:
    guest = cached_guest(DemoVariant.DEMO)
    if guest.is_whole:
        return Check("demo guest", Fitness.FINE, f"built, in {guest.folder}")
    return Check("demo guest", Fitness.NOTE, "not built yet", "vm-timing-report demo")


def _firmware_check(machine: Machine) -> Check | None:
    """Return whether UEFI images boot on a machine; None where it knows no UEFI."""
    if machine.uefi is None:
        return None
    name = f"UEFI {machine.arch}"
    if pair := installed(machine.uefi):
        return Check(name, Fitness.FINE, f"{pair[0]} (--boot firmware)")
    boots = "UEFI images do not boot" if machine.bios else "--boot firmware has none"
    return Check(name, Fitness.NOTE, f"not installed: {boots}",
                 f"apt-get install {machine.uefi.package}")  # fmt: skip


def _guest_checks() -> Iterator[Check]:
    """The guests of other architectures, and the firmware of each."""
    for arch, machine in MACHINES.items():
        name = f"qemu-system-{arch}"
        path = tool(name)
        if arch != host_arch():
            if path:
                yield Check(name, Fitness.FINE, f"{path} (-q {name})")
            else:
                yield Check(name, Fitness.NOTE, f"missing: {arch} guests need it",
                            f"apt-get install {qemu_package(arch)}")  # fmt: skip
        if (path or arch == host_arch()) and (check := _firmware_check(machine)):
            yield check


def ability_checks() -> Iterator[Check]:
    """Yield what the host can do with images, each host fact looked at now."""
    yield _demo_check()
    yield _building_check()
    yield from map(_ability_check, ABILITIES)
    if formats := _formats_check():
        yield formats
    yield _box_check()
    yield from _reader_checks()
    yield from _guest_checks()
