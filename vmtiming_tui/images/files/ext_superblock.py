"""The superblock of an ext2, ext3 or ext4: its size, its shape and its features by name.

Offsets and checks after the kernel's Documentation/filesystems/ext4/super.rst; the features' names
are those of e2fsprogs (lib/e2p/feature.c).
"""

import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Stretch
from vmtiming_tui.images.header_fields import text_field

SUPERBLOCK_OFFSET = 1024
SUPERBLOCK_BYTES = 1024
_MAGIC = 0xEF53
_GOOD_OLD_INODE_BYTES = 128
_NEVER = 0xFFFFFFFF

_COMPATIBLE = {
    0: "dir_prealloc", 1: "imagic_inodes", 2: "has_journal", 3: "ext_attr", 4: "resize_inode",
    5: "dir_index", 6: "lazy_bg", 8: "snapshot_bitmap", 9: "sparse_super2", 10: "fast_commit",
    11: "stable_inodes", 12: "orphan_file",
}  # fmt: skip
_INCOMPATIBLE = {
    0: "compression", 1: "filetype", 2: "needs_recovery", 3: "journal_dev", 4: "meta_bg",
    6: "extent", 7: "64bit", 8: "mmp", 9: "flex_bg", 10: "ea_inode", 12: "dirdata",
    13: "metadata_csum_seed", 14: "large_dir", 15: "inline_data", 16: "encrypt", 17: "casefold",
}  # fmt: skip
_READ_ONLY_COMPATIBLE = {
    0: "sparse_super", 1: "large_file", 3: "huge_file", 4: "uninit_bg", 5: "dir_nlink",
    6: "extra_isize", 7: "snapshot", 8: "quota", 9: "bigalloc", 10: "metadata_csum",
    11: "replica", 12: "read-only", 13: "project", 14: "shared_blocks", 15: "verity",
    16: "orphan_present",
}  # fmt: skip
_NOT_READ_HERE = {"compression", "journal_dev", "dirdata"}
_IN_EXT3 = {"sparse_super", "large_file", "filetype", "needs_recovery", "meta_bg"}


def _named(bits: int, names: Mapping[int, str], letter: str) -> tuple[list[str], list[str]]:
    """Return which features are set: the known by name, the unknown as e2fsprogs writes them."""
    found = [bit for bit in range(32) if bits >> bit & 1]
    return (
        [names[bit] for bit in found if bit in names],
        [f"FEATURE_{letter}{bit}" for bit in found if bit not in names],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Superblock:
    """What an ext2, ext3 or ext4 says of itself; sizes in bytes, the rest in counts."""

    block_size: int
    blocks: int
    free_blocks: int
    first_block: int
    blocks_per_group: int
    inodes: int
    free_inodes: int
    inodes_per_group: int
    inode_size: int
    descriptor_size: int
    first_meta_group: int
    backup_groups: tuple[int, int]
    features: frozenset[str]
    unknown_features: tuple[str, ...]
    uuid: str
    label: str

    @classmethod
    def read(cls, stretch: Stretch) -> "Superblock | None":
        """Return the superblock; None where there is none.

        Raises ``ImageError`` where its numbers cannot be.
        """
        if stretch.size < SUPERBLOCK_OFFSET + SUPERBLOCK_BYTES:
            return None
        raw = stretch.read(SUPERBLOCK_OFFSET, SUPERBLOCK_BYTES)
        if struct.unpack_from("<H", raw, 0x38)[0] != _MAGIC:
            return None
        inodes, blocks, _, free_blocks, free_inodes, first_block, shift = struct.unpack_from(
            "<7I", raw
        )
        blocks_per_group, _, inodes_per_group = struct.unpack_from("<3I", raw, 0x20)
        revision, _, _, _, inode_size = struct.unpack_from("<IHHIH", raw, 0x4C)
        compatible, incompatible, read_only = struct.unpack_from("<3I", raw, 0x5C)
        if not revision:
            inode_size, compatible, incompatible, read_only = _GOOD_OLD_INODE_BYTES, 0, 0, 0
        parts = (
            _named(compatible, _COMPATIBLE, "C"),
            _named(incompatible, _INCOMPATIBLE, "I"),
            _named(read_only, _READ_ONLY_COMPATIBLE, "R"),
        )
        features = frozenset(name for known, _ in parts for name in known)
        wide = "64bit" in features
        if wide:
            blocks |= struct.unpack_from("<I", raw, 0x150)[0] << 32
            free_blocks |= struct.unpack_from("<I", raw, 0x158)[0] << 32
        found = cls(
            block_size=1024 << min(shift, 16),
            blocks=blocks,
            free_blocks=free_blocks,
            first_block=first_block,
            blocks_per_group=blocks_per_group,
            inodes=inodes,
            free_inodes=free_inodes,
            inodes_per_group=inodes_per_group,
            inode_size=inode_size,
            descriptor_size=struct.unpack_from("<H", raw, 0xFE)[0] if wide else 32,
            first_meta_group=(
                struct.unpack_from("<I", raw, 0x104)[0] if "meta_bg" in features else _NEVER
            ),
            backup_groups=struct.unpack_from("<2I", raw, 0x24C),
            features=features,
            unknown_features=tuple(name for _, unknown in parts for name in unknown),
            uuid=str(uuid.UUID(bytes=raw[0x68:0x78])),
            label=text_field(raw[0x78:0x88]),
        )
        found._check()
        return found

    def _check(self) -> None:
        # A journal on a disk of its own has a superblock, and no groups.
        sound = "journal_dev" in self.features or (
            self.block_size <= 65536
            and self.blocks > self.first_block
            and self.first_block <= SUPERBLOCK_OFFSET // self.block_size
            and 0 < self.blocks_per_group <= _NEVER
            and 0 < self.inodes_per_group <= 8 * self.block_size
            and 0 < self.inodes <= self.groups * self.inodes_per_group
            and self.free_blocks <= self.blocks
            and self.inode_size in {1 << power for power in range(7, 17)}
            and self.inode_size <= self.block_size
            and self.descriptor_size in ({64, 128, 256, 512, 1024} if self.wide else {32})
        )
        if not sound:
            raise ImageError("its superblock holds numbers that cannot be")

    @property
    def wide(self) -> bool:
        """Whether block numbers have 64 bits."""
        return "64bit" in self.features

    @property
    def groups(self) -> int:
        """How many groups of blocks there are."""
        return -(-(self.blocks - self.first_block) // self.blocks_per_group)

    @property
    def size(self) -> int:
        """How many bytes it needs."""
        return self.blocks * self.block_size

    @property
    def used_bytes(self) -> int:
        """How many bytes of it are taken, its own tables too."""
        return (self.blocks - self.free_blocks) * self.block_size

    @property
    def needs_recovery(self) -> bool:
        """Whether it was not unmounted: its journal has changes that only it knows."""
        return "needs_recovery" in self.features

    @property
    def type(self) -> str:
        """The name blkid gives it (libblkid/src/superblocks/ext.c)."""
        if "journal_dev" in self.features:
            return "jbd"
        newer = self.features - _IN_EXT3 - set(_COMPATIBLE.values())
        if newer or any(name[8] in "IR" for name in self.unknown_features):
            return "ext4"
        return "ext3" if "has_journal" in self.features else "ext2"

    def descriptor_block(self, number: int) -> int:
        """Return where a block of group descriptors lies, as ext2fs_descriptor_block_loc2 tells."""
        own = SUPERBLOCK_OFFSET // self.block_size
        if number < self.first_meta_group:
            return own + 1 + number
        if number == 0:
            return own + 1
        group = number * (self.block_size // self.descriptor_size)
        return self.first_block + group * self.blocks_per_group + self._has_superblock(group)

    def _has_superblock(self, group: int) -> bool:
        if group <= 1 and "sparse_super2" not in self.features:
            return True
        if "sparse_super2" in self.features:
            return group == 0 or group in self.backup_groups
        if "sparse_super" not in self.features:
            return True
        return any(_is_power(group, base) for base in (3, 5, 7))

    def refuse_unreadable(self) -> None:
        """Raise ``ImageError`` where reading it takes what is not known here."""
        if own := sorted(self.features & _NOT_READ_HERE):
            raise ImageError(f"it uses {', '.join(own)}, which cannot be read here")
        if any(name[8] == "I" for name in self.unknown_features):
            self.refuse_unknown()

    def refuse_unknown(self) -> None:
        """Raise ``ImageError`` where it has a feature that this host's e2fsck would refuse."""
        if self.unknown_features:
            raise ImageError(
                f"it was made by a newer e2fsprogs: it uses {', '.join(self.unknown_features)},"
                " unknown here",
                hint="make the image without that feature (mke2fs -O, /etc/mke2fs.conf), or turn"
                " it off where it is known (tune2fs -O ^FEATURE)",
            )


def _is_power(number: int, base: int) -> bool:
    power = base
    while power < number:
        power *= base
    return power == number
