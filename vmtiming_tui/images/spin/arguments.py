"""What spin-from-raw.sh was asked."""

import math
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction

from vmtiming_tui.errors import VmTimingError
from vmtiming_tui.escape import printable

HELP = """\
Make a disk image of a Linux machine ready for vm-timing-report.

  spin-from-raw.sh RAW [--out DIR] [--size SIZE] [--kernel-version VERSION] [--root NAME]
                       [-k KERNEL] [-i INITRD] [--boot-files] [--convert] [--dry-run]
                       [--force] [--mount] [--format FORMAT] [--allow-backing DIR]...
                       [--allow-device] [--member NAME] [--unpack]

leaves DIR/rootfs.img (its root on the whole disk, the report service inside and enabled) and
DIR/BFILES/{vmlinuz,initrd}; DIR is the current folder unless said otherwise. RAW may also be qcow2,
vmdk, vdi, vhdx, VHD and what else QEMU reads; GPT, MBR, LVM or a bare file system; ext4, xfs,
btrfs, f2fs, erofs or squashfs. It is opened read-only and stays as it is to the byte. An xfs, btrfs
or f2fs stays one, as large as it was, where the guest's kernel knows it; --convert makes an ext4 of
its files. SIZE is a number with K, M or G, and for an ext4; without it the root is as large as its
content, a quarter more and 256 MiB. -k brings a KERNEL of your own, with or without an INITRD,
where the image has none, or another is to be timed; -i alone gives the image's kernel another. With
--boot-files no root is made: kernel and initrd are taken out, and BFILES/cmdline names the root
where it is in RAW, so that vm-timing-report --inject boots RAW itself.

What RAW's boot loader tells the kernel is said, and left in BFILES/cmdline for vm-timing-report
--append: all but root=, console=, quiet, resume= and what means a disk that is not there any more.

RAW need not be trusted. It is read in a box: by a user that may do nothing, without a network,
with one folder to write to and limits on all it uses. File systems that only a kernel reads (xfs,
btrfs, f2fs) are read by one in a throw-away VM. --mount has this host's own kernel read them, as
root: that is quicker, and for images that are trusted only. --format says what kind of image RAW
is where its own header is not to be believed. The files RAW stands on are taken from its own folder
and the one above, from elsewhere below the folders that --allow-backing names; RAW is a block
device only with --allow-device. A packed RAW (xz, gzip, zstd, bzip2, lz4, lzma, lzop, tar, ova,
box, zip) is unpacked first, once, to where it says; --member names the disk where it has several.
With --unpack nothing else is done, and where it is is printed.
"""
USAGE = """\
usage: spin-from-raw.sh RAW [--out DIR] [--size SIZE] [--kernel-version VERSION]
                        [--root NAME] [-k KERNEL] [-i INITRD] [--boot-files] [--convert]
                        [--dry-run] [--force] [--mount] [--format FORMAT]
                        [--allow-backing DIR]... [--allow-device] [--member NAME]
                        [--unpack]
"""
_UNITS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)([KMGTP]?)", re.ASCII)


class UsageError(VmTimingError):
    """Words that are no request; the usage is shown below them."""

    exit_code = 2


@dataclass(kw_only=True)
class Arguments:
    """The request, its names as they were given; ``size_bytes`` None: as large as the content.

    ``storm`` are the words for the storm that is to follow, which commands printed here have.
    """

    image: str = ""
    out: str = "."
    size_bytes: int | None = None
    kernel_version: str = ""
    root: str = ""
    kernel: str = ""
    initrd: str = ""
    format: str = ""
    member: str = ""
    storm: list[str] = field(default_factory="-n 1 -p vm -s .img".split)
    allow_backing: list[str] = field(default_factory=list)
    boot_files: bool = False
    convert: bool = False
    dry_run: bool = False
    force: bool = False
    mount: bool = False
    allow_device: bool = False
    unpack: bool = False
    help: bool = False

    @property
    def result(self) -> str:
        """The file that tells whether a result is there already."""
        return "BFILES/vmlinuz" if self.boot_files else "rootfs.img"


_FLAGS = {
    f"--{entry.name.replace('_', '-')}": entry.name
    for entry in fields(Arguments)
    if entry.type is bool
} | {"-h": "help"}
_VALUES = (
    "--out", "--size", "--kernel-version", "--root", "--format", "--allow-backing", "--kernel",
    "--initrd", "--storm", "--member",
)  # fmt: skip
_SHORT = {"-k": "--kernel", "-i": "--initrd"}


def size_bytes(text: str) -> int:
    """Return a size such as ``4G``, ``800M`` or ``1.5g`` in bytes, rounded up."""
    found = _SIZE.fullmatch(text.upper())
    if found is None:
        raise UsageError(f"'{printable(text)}' is no size; say 4G or 800M")
    exact = Fraction(found[1]) * (1 << 10 * _UNITS[found[2]])
    return math.ceil(exact)


def parse(words: Sequence[str]) -> Arguments:
    """Return what the words ask for; raise ``UsageError``."""
    found = Arguments()
    rest = list(reversed(words))
    while rest:
        word = rest.pop()
        name, equals, value = word.partition("=")
        name = _SHORT.get(word, name)
        if name in _VALUES:
            if not equals:
                value = rest.pop() if rest else ""
            if not value:
                raise UsageError(f"{name} needs a value")
            _set(found, name, value)
        elif word in _FLAGS:
            setattr(found, _FLAGS[word], True)
        elif word.startswith("-"):
            raise UsageError(f"there is no option '{printable(word)}'")
        elif found.image:
            raise UsageError(
                f"one image at a time ('{printable(found.image)}' and '{printable(word)}')"
            )
        else:
            found.image = word
    if not found.image and not found.help:
        raise UsageError("which image?")
    if found.kernel and found.kernel_version:
        raise UsageError("--kernel-version is one of the image's, --kernel your own; say one")
    return found


def _set(found: Arguments, name: str, value: str) -> None:
    match name:
        case "--size":
            found.size_bytes = size_bytes(value)
        case "--allow-backing":
            found.allow_backing.append(value)
        case "--storm":
            found.storm = shlex.split(value)
        case _:
            setattr(found, name.removeprefix("--").replace("-", "_"), value)
