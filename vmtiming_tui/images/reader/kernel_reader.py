"""What is asked of whoever reads the file systems that only a kernel can read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vmtiming_tui.images.disk.volumes import Volume

KERNEL_ONLY = frozenset({"xfs", "btrfs", "f2fs", "erofs", "squashfs"})


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume, and the place of it in the new root: ``/`` first, then ``/home`` and the like.

    ``subvolume`` is empty or one option of mount(8): ``subvol=@home``, ``subvolid=256``. Path and
    option hold letters, digits and ``_./@+,=:-`` only, and no ``..``.
    """

    volume: Volume
    path: str
    subvolume: str


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The part of a volume's files that tells which system it is and how it boots, as an ext4.

    At their own paths, links as they are: ``etc`` (``fstab``, ``crypttab``, ``os-release``,
    ``machine-id``, ``cloud``, ``selinux/config``), ``usr/lib/os-release``, ``bin``, ``sbin``,
    ``lib``, ``usr/{bin,sbin,lib}`` as folders or links, an init (``sbin/init``) and
    ``{usr/,}lib/systemd/systemd`` (empty files will do), all of ``boot``, ``loader`` and ``EFI``,
    kernels at the top, and of ``usr/lib/modules/VERSION`` (or ``lib/modules``) the tables
    (``modules.*``), ``vmlinuz``, ``init*`` and the modules of virtio, block devices, ext4, xfs,
    btrfs, f2fs, their checksums and what they need. ``subvolume`` is the btrfs subvolume that holds
    the root ("" where it is the one mounted by default), ``passed_over`` are others with a system
    in them; ``used_bytes`` and ``inodes`` are of all its files. ``labelled`` tells whether they
    have SELinux's labels, ``read_only`` that nobody can write into them, however they are mounted,
    ``full`` that there is no room for what a boot writes.
    """

    volume: Volume
    subvolume: str
    image: Path
    used_bytes: int
    inodes: int
    passed_over: tuple[str, ...] = ()
    labelled: bool = False
    read_only: bool = False
    full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """A file of root's to be written, or a link where it has no mode: then to its content.

    Path, target and SELinux's label (empty for none) are words of ours.
    """

    path: str
    content: bytes
    mode: int = 0
    label: str = ""


def no_folder(path: str) -> str:
    """Return what to say of a place to write to that is none."""
    return (
        f"/{path} of the image is no folder, and leads to none: the report service cannot be"
        " written there"
    )


class KernelReader(Protocol):
    """A kernel that mounts foreign file systems where it can do no harm."""

    writes: bool
    """Whether it writes into them, too."""

    def assembled(self, volumes: Sequence[Volume]) -> Mapping[Volume, Volume]:
        """Return volumes that take an assembly as they are once put together: with what is on them.

        One that cannot be put together is not among them, and said to be left out. Raises
        ``ImageError`` where this reader puts none together.
        """

    def excerpts(self, volumes: Sequence[Volume]) -> Sequence[Excerpt]:
        """Return an excerpt of each volume; raise ``ImageError`` where one cannot be mounted."""

    def copy(
        self,
        mounts: Sequence[Mount],
        target: Path,
        *,
        size: Callable[[int, int], int],
        uuid: str,
        label: str,
    ) -> None:
        """Make ``target`` an ext4 of all the files of these mounts.

        ``size`` is given the used bytes and the inodes and returns the image's bytes, or raises
        ``ImageError``. ``uuid`` is empty for one at random. Raises ``ImageError`` where a mount has
        no folder to be mounted on.
        """

    def write(self, mount: Mount, image: Path, writings: Sequence[Writing]) -> None:
        """Write into ``image``, a copy of the mount's volume, each in the place of what is there.

        Folders that are missing are made. Raises ``ImageError``.
        """
