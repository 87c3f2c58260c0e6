"""The new root: copied out of the image, completed for its VM, the report service inside."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vmtiming_tui.images.files.ext import Ext
from vmtiming_tui.images.quoting import human
from vmtiming_tui.images.reader.kernel_reader import Mount
from vmtiming_tui.images.spin import rootfs
from vmtiming_tui.images.spin.install_service import Report, Root, install_service
from vmtiming_tui.images.spin.parts import Part, Workplace
from vmtiming_tui.images.spin.root_words import subvolume_option
from vmtiming_tui.images.spin.wanted import ROOT_IMAGE
from vmtiming_tui.images.system.fstab import Below
from vmtiming_tui.images.system.loader.carried import RootDisk

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NEW_TYPE = "ext4"
_ROOT = "the root file system"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRoot:
    """A root to be made of a part and of what belongs below it; ``size_bytes`` as it was asked."""

    place: Workplace
    part: Part
    below: Sequence[Below]
    size_bytes: int | None = None

    @property
    def image(self) -> Path:
        """Where it is made."""
        return self.place.work / ROOT_IMAGE

    @property
    def type(self) -> str:
        """The type of its file system."""
        return _NEW_TYPE if self.part.excerpt or self.below else self.part.volume.type

    @property
    def new_type(self) -> str:
        """Its type, where it is another than that of the image's root."""
        return self.type if self.type != self.part.volume.type else ""

    @property
    def disk(self) -> RootDisk:
        """What it is to the words of a loader."""
        return RootDisk(
            type=self.type,
            is_new=True,
            is_converted=self.type != self.part.volume.type,
            merged=frozenset(each.path for each in self.below),
        )

    def make(self) -> Root:
        """Make it; raise ``ImageError``."""
        if self.part.excerpt or self.below:
            self._from_files()
        else:
            self._from_ext()
        stretch = self.place.stretch_of(self.image)
        return Root(self.image, stretch.pieces[0].fd)

    def furnish(self, root: Root, report: Report, units: str) -> int:
        """Put the report service into it, and check it; return its size in bytes."""
        install_service(root, report, units, self.type, self.place.say)
        stretch = self.place.stretch_of(self.image)
        rootfs.check(self.image, Ext(stretch), _ROOT)
        return stretch.size

    def _from_ext(self) -> None:
        """Bit for bit, then cut to size: nothing an ext4 can hold is lost that way."""
        assert self.part.tree is not None  # noqa: S101  it is a root
        files = self.part.tree.files
        assert isinstance(files, Ext)  # noqa: S101  as its volume's type says
        if self.part.copy:
            self.part.copy.rename(self.image)
        else:
            self.place.copy(self.part.volume, files, self.image)
        self.place.say("checking the file system")
        rootfs.check(self.image, files, _ROOT)
        rootfs.fit(self.image, files.superblock.block_size, self.size_bytes, self.place.say)

    def _from_files(self) -> None:
        """Let a kernel read the files, of which an ext4 is made.

        The old name and UUID stay: a dracut made for that one machine waits for them.
        """

        def size(used: int, inodes: int) -> int:
            least = rootfs.bytes_for_files(used, inodes)
            chosen = rootfs.wanted_size(self.size_bytes, least)
            rootfs.check_space(self.place.work, least)
            self.place.say(f"copying the files ({human(used)})")
            return chosen

        for each in self.below:
            option = f", {each.subvolume}" if each.subvolume else ""
            self.place.say(f"{each.path} comes from {each.volume.name}{option}")
        self.place.say("measuring the content")
        subvolume = self.part.excerpt.subvolume if self.part.excerpt else ""
        mounts = [Mount(self.part.volume, "/", subvolume_option(subvolume))]
        mounts += [Mount(each.volume, each.path, each.subvolume) for each in self.below]
        uuid = self.part.volume.uuid if _UUID.fullmatch(self.part.volume.uuid) else ""
        self.place.reader.copy(
            mounts, self.image, size=size, uuid=uuid, label=self.part.volume.label[:16]
        )
        rootfs.clear_boot_block(self.image)
        files = Ext(self.place.stretch_of(self.image))
        rootfs.refuse_what_tools_cannot(files, "the new root")
        rootfs.check(self.image, files, _ROOT)
