"""What a spin is asked for, and what it leaves."""

from dataclasses import dataclass

ROOT_IMAGE = "rootfs.img"
BOOT_FILES = VMLINUZ, INITRD, CMDLINE = "vmlinuz", "initrd", "cmdline"
MAX_CMDLINE_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person asked for; empty, or None for the size, where nothing was said."""

    size_bytes: int | None = None
    kernel_version: str = ""
    root: str = ""
    boot_files: bool = False
    convert: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What is in the work folder in the end, by name; in a dry run, what would be.

    ``files`` are some of ``rootfs.img``, ``vmlinuz``, ``initrd`` and ``cmdline``: no initrd where
    the kernel boots without one, no cmdline where the kernel is to be told nothing. ``root_bytes``
    is the new root's size, or what it would be; ``cmdline`` the words that file has, or would have:
    what a kernel is to be told, and where the root stays in the image, where it finds it.
    """

    files: tuple[str, ...] = ()
    root_bytes: int = 0
    cmdline: str = ""
