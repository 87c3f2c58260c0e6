"""The files of a mounted tree that tell which system it is and how it boots, gathered elsewhere.

What ``kernel_reader.Excerpt`` asks for. Folders and files are bound, links are made anew, and none
is followed: they are an image's, and this is the host.
"""

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from vmtiming_tui.images.reader.guest_kernel import module_name
from vmtiming_tui.images.system.located import MODULE_FOLDERS

_FOLDERS = (
    "etc", "usr", "bin", "sbin", "lib", "usr/bin", "usr/sbin", "usr/lib", "etc/selinux",
    "etc/cloud", "usr/lib/systemd", "lib/systemd", "usr/lib/systemd/system", "lib/systemd/system",
    "nix", "nix/store", "nix/var", "nix/var/nix", "nix/var/nix/profiles",
)  # fmt: skip
_WHOLE_FOLDERS = (
    "boot", "loader", "loader.0", "loader.1", "EFI", "efi", "grub", "grub2", "extlinux", "syslinux",
    "limine", "kernels", "etc/kernel", "etc/default", "etc/cmdline.d", "usr/lib/kernel",
)  # fmt: skip
_WHOLE_FILES = (
    "etc/fstab", "etc/crypttab", "etc/os-release", "etc/machine-id", "etc/selinux/config",
    "etc/cloud/cloud-init.disabled", "etc/cmdline", "etc/zipl.conf", "usr/lib/os-release",
    "lib/os-release",
    "sbin/init", "usr/sbin/init", "bin/busybox", "usr/bin/busybox",
    "usr/lib/systemd/systemd", "lib/systemd/systemd",
    "usr/lib/systemd/system/systemd-firstboot.service",
    "lib/systemd/system/systemd-firstboot.service", "etc/NIXOS", "nix-path-registration",
    "nix/var/nix/profiles/system",
)  # fmt: skip
_AT_THE_TOP = (
    "vmlinuz*", "vmlinux-*", "*Image*", "kernel*", "linux", "init*", "booster-*", "*.efi", "*.uki",
    "*.EFI",
)  # fmt: skip
# The name of this library has systemd's version.
_LIBRARIES = tuple(
    f"{folder}/systemd/libsystemd-shared-*.so"
    for folder in (
        "usr/lib",
        "usr/lib64",
        "usr/lib/*-linux-gnu*",
        "lib",
        "lib64",
        "lib/*-linux-gnu*",
    )
)
_OF_A_KERNEL = ("modules.*", "vmlinuz*", "*Image", "init*", "pkgbase")
_FOR_A_VM = (
    "virtio_pci", "virtio_blk", "ext4", "xfs", "btrfs", "f2fs", "erofs", "squashfs",
    "crc32c_generic", "crc32c_intel", "crc32_generic", "xxhash_generic", "sha256_generic",
    "blake2b_generic",
)  # fmt: skip
_MAX_TABLE_BYTES = 64 << 20

Bind = Callable[[Path, Path], None]


def gather(tree: Path, target: Path, bind: Bind) -> None:
    """Gather the excerpt of ``tree`` in the empty folder ``target``."""
    excerpt = _Excerpt(tree, target, bind)
    for name in _FOLDERS:
        excerpt.folder(name)
    for name in _WHOLE_FOLDERS:
        excerpt.folder(name, whole=True)
    excerpt.kernels_of_ostree()
    for name in _WHOLE_FILES:
        excerpt.file(name)
    for pattern in _AT_THE_TOP:
        for path in tree.glob(pattern):
            excerpt.file(path.name)
    for pattern in _LIBRARIES:
        for path in tree.glob(pattern):
            excerpt.mark(str(path.relative_to(tree)))
    for path in tree.glob("nix/store/*-systemd-[0-9]*"):
        excerpt.folder(str(path.relative_to(tree)))
    for base in MODULE_FOLDERS:
        excerpt.modules(base)
    for name in excerpt.deployments():
        (target / name).mkdir(parents=True)
        gather(tree / name, target / name, bind)


def looks_like_root(tree: Path) -> bool:
    """Whether a system's root seems to be there; links count as what they may lead to."""

    def has(*names: str) -> bool:
        return any(os.path.lexists(tree / name) for name in names)

    told = ("etc/os-release", "usr/lib/os-release", "sbin/init", "usr/sbin/init", "etc/fstab")
    return has("etc") and has("usr/bin", "bin") and has(*told)


class _Excerpt:
    def __init__(self, tree: Path, target: Path, bind: Bind) -> None:
        self._tree, self._target, self._bind = tree, target, bind

    def _kind(self, name: str) -> int:
        """Return the file type of a name none of whose folders is a link; 0 where it is none."""
        path = self._tree
        for part in name.split("/")[:-1]:
            path /= part
            if not path.exists() or path.is_symlink():
                return 0
        try:
            return stat.S_IFMT((self._tree / name).lstat().st_mode)
        except OSError:
            return 0

    def _has_parent(self, name: str) -> bool:
        parent = (self._target / name).parent
        return parent.is_dir() and not parent.is_symlink()

    def folder(self, name: str, *, whole: bool = False) -> None:
        kind = self._kind(name)
        if kind == stat.S_IFDIR and self._has_parent(name):
            (self._target / name).mkdir(exist_ok=True)
            if whole:
                self._bind(self._tree / name, self._target / name)
        else:
            self._link(name, kind)

    def kernels_of_ostree(self) -> None:
        """Gather the kernels of deployments that are elsewhere."""
        if self._kind("ostree/repo") == 0:
            self.folder("ostree", whole=True)

    def _link(self, name: str, kind: int) -> None:
        if kind == stat.S_IFLNK and self._has_parent(name):
            (self._target / name).symlink_to((self._tree / name).readlink())

    def file(self, name: str) -> None:
        kind = self._kind(name)
        if kind == stat.S_IFREG and self._has_parent(name):
            (self._target / name).touch()
            self._bind(self._tree / name, self._target / name)
        else:
            self._link(name, kind)

    def mark(self, name: str) -> None:
        """Have a file there by its name alone."""
        if self._kind(name) == stat.S_IFREG:
            (self._target / name).parent.mkdir(parents=True, exist_ok=True)
            (self._target / name).touch()

    def deployments(self) -> Iterator[str]:
        """Yield ostree's deployments, which are systems in folders; copy the links to them."""
        if self._kind("ostree/repo") != stat.S_IFDIR:
            return
        for name in self._below("ostree", "boot.*"):
            (self._target / "ostree").mkdir(exist_ok=True)
            self._link(name, self._kind(name))
            if self._kind(name) == stat.S_IFDIR:
                shutil.copytree(self._tree / name, self._target / name, symlinks=True)
        for system in self._below("ostree/deploy", "*"):
            for name in self._below(f"{system}/deploy", "*.[0-9]"):
                if self._kind(name) == stat.S_IFDIR:
                    yield name

    def _below(self, name: str, pattern: str) -> list[str]:
        """Return what is in a folder, none of whose own folders is a link."""
        if self._kind(name) != stat.S_IFDIR:
            return []
        return [f"{name}/{path.name}" for path in (self._tree / name).glob(pattern)]

    def modules(self, base: str) -> None:
        if self._kind(f"{base}/x") == 0 and self._kind(base) != stat.S_IFDIR:
            return
        for folder in (self._tree / base).iterdir():
            name = f"{base}/{folder.name}"
            if self._kind(name) != stat.S_IFDIR or (self._target / base).is_symlink():
                continue
            (self._target / name).mkdir(parents=True, exist_ok=True)
            for pattern in _OF_A_KERNEL:
                for path in folder.glob(pattern):
                    self.file(f"{name}/{path.name}")
            for path_name in _needed(folder / "modules.dep"):
                source = f"{name}/{path_name}"
                if self._kind(source) == stat.S_IFREG:
                    (self._target / source).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(self._tree / source, self._target / source,
                                    follow_symlinks=False)  # fmt: skip


def _needed(table: Path) -> Iterator[str]:
    """Yield the paths of the modules that an initrd for a VM takes, none of which leads up."""
    if not table.is_file() or table.is_symlink() or table.stat().st_size > _MAX_TABLE_BYTES:
        return
    for line in table.read_text(errors="surrogateescape").splitlines():
        path, _, rest = line.partition(":")
        if module_name(path) in _FOR_A_VM:
            for name in (path, *rest.split()):
                if ".." not in name.split("/") and not name.startswith("/"):
                    yield name
