"""What a VM takes of a kernel that boots without an initrd, and what of it a kernel lacks."""

import re
from collections.abc import Sequence

from vmtiming_tui.images.files.tree import Tree
from vmtiming_tui.images.system.kernel.file import Content, built_in
from vmtiming_tui.images.system.located import MODULE_FOLDERS

# What lies between a kernel and the root file system, but for that file system itself.
VM_DRIVERS = ("virtio_pci", "virtio_blk")
_MAX_TABLE_BYTES = 16 << 20
_NAME = re.compile(rb"(?:^|/)([A-Za-z0-9_-]{1,64})\.ko", re.MULTILINE)
_CONFIGS = ("boot/config-{}", "usr/lib/modules/{}/config", "lib/modules/{}/config")
_ENABLED = re.compile(rb"^CONFIG_([A-Z0-9_]{1,40})=([ym])$", re.MULTILINE)
_OPTIONS = {
    b"VIRTIO_PCI": "virtio_pci", b"VIRTIO_BLK": "virtio_blk", b"EXT4_FS": "ext4",
    b"XFS_FS": "xfs", b"BTRFS_FS": "btrfs", b"F2FS_FS": "f2fs", b"SQUASHFS": "squashfs",
    b"EROFS_FS": "erofs",
}  # fmt: skip
_OF_ONE_DRIVER = {"ext2": "ext4", "ext3": "ext4"}


def needed(file_system: str) -> tuple[str, ...]:
    """Return what a kernel must have built in that boots from such a file system alone."""
    return (*VM_DRIVERS, _OF_ONE_DRIVER.get(file_system, file_system))


def lacking(
    root: Tree, version: str, content: Content, needs: Sequence[str]
) -> tuple[str, ...] | None:
    """Return what of these a kernel has not built in; None where nothing tells.

    Its ``modules.builtin`` tells, else its configuration, else the names of drivers in the kernel
    itself.
    """
    names = _by_table(root, version) or _by_config(root, version) or built_in(content)
    return None if names is None else tuple(name for name in needs if name not in names)


def _by_table(root: Tree, version: str) -> frozenset[str]:
    for folder in MODULE_FOLDERS:
        table = root.read(f"{folder}/{version}/modules.builtin", _MAX_TABLE_BYTES) or b""
        if names := _NAME.findall(table):
            return frozenset(name.decode().replace("-", "_") for name in names)
    return frozenset()


def _by_config(root: Tree, version: str) -> frozenset[str] | None:
    for form in _CONFIGS:
        text = root.read(form.format(version), _MAX_TABLE_BYTES) or b""
        if enabled := _ENABLED.findall(text):
            return frozenset(_OPTIONS.get(name, "") for name, value in enabled if value == b"y")
    return None
