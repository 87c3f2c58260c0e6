"""The new root: copied out of the image, completed for its VM, the report service inside.

A file system that the guest's kernel can boot from stays what it is. An ext4 is made of the files
where a person wants it, or where nothing else gives one disk that boots.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.files.ext import Ext
from vmtiming_tui.images.quoting import human
from vmtiming_tui.images.reader.kernel_reader import Mount
from vmtiming_tui.images.spin import rootfs
from vmtiming_tui.images.spin.ext_root import ExtRoot
from vmtiming_tui.images.spin.install_service import Report, Root, install_service
from vmtiming_tui.images.spin.kept_root import KeptRoot
from vmtiming_tui.images.spin.parts import Part, Workplace
from vmtiming_tui.images.spin.root_words import subvolume_option
from vmtiming_tui.images.spin.wanted import ROOT_IMAGE
from vmtiming_tui.images.system.fstab import Below, new_fstab
from vmtiming_tui.images.system.loader.carried import RootDisk

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NEW_TYPE = "ext4"
_NEVER_WRITTEN_TO = frozenset({"erofs", "squashfs"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRoot:
    """A root to be made of a part and of what belongs below it; ``size_bytes`` as it was asked.

    ``convert`` says that it is to be an ext4, ``is_known`` that the kernel it is for has the
    image's own file system.
    """

    place: Workplace
    part: Part
    below: Sequence[Below]
    size_bytes: int | None = None
    convert: bool = False
    is_known: bool = True

    @property
    def image(self) -> Path:
        """Where it is made."""
        return self.place.work / ROOT_IMAGE

    @property
    def is_kept(self) -> bool:
        """Whether it is a file system that only a kernel reads, and stays what it is."""
        return self.part.excerpt is not None and not self.why_ext4

    @property
    def type(self) -> str:
        """The type of its file system."""
        return _NEW_TYPE if self.why_ext4 else self.part.volume.type

    @property
    def new_type(self) -> str:
        """Its type, where it is another than that of the image's root."""
        return self.type if self.type != self.part.volume.type else ""

    @property
    def why_ext4(self) -> str:
        """Why an ext4 is made of its files; empty where its file system is copied as it is."""
        volume, excerpt = self.part.volume, self.part.excerpt
        for each in self.below:
            if not excerpt or each.volume != volume:
                return f"{each.path} is on another volume"
        if excerpt is None:
            return ""
        for reason, holds in (
            ("as --convert asks", self.convert),
            ("it is never written to", volume.type in _NEVER_WRITTEN_TO),
            ("its subvolume is read-only", excerpt.read_only),
            ("it is put together by the device mapper", volume.stretch is None),
            ("it is all but full", excerpt.full),
            ("its kernel has no module for it", not self.is_known),
            ("--size is for an ext4", self.size_bytes not in (None, volume.size)),
            ("--mount writes into no other", not self.place.reader.writes),
        ):
            if holds:
                return reason
        return ""

    @property
    def disk(self) -> RootDisk:
        """What it is to the words of a loader."""
        merged = [] if self.is_kept else [each.path for each in self.below]
        return RootDisk(
            type=self.type,
            is_new=True,
            is_converted=self.new_type != "",
            merged=frozenset(merged),
        )

    @property
    def arguments(self) -> str:
        """What a kernel has to be told to mount it."""
        option = subvolume_option(self.part.excerpt.subvolume) if self.part.excerpt else ""
        return f"rootflags={option}" if option and self.is_kept else ""

    def make(self) -> Root:
        """Make it; raise ``ImageError``."""
        part = self.part
        if part.excerpt and part.tree and self.is_kept:
            self.place.say(f"copying {part.volume.name} as it is ({part.volume.type})")
            rootfs.keep(part.volume, self.image)
            return KeptRoot(self.image, part.tree, part.excerpt, self.place.reader)
        if self.why_ext4:
            self._from_files()
        else:
            self._from_ext()
        stretch = self.place.stretch_of(self.image)
        return ExtRoot(self.image, stretch.pieces[0].fd)

    def furnish(self, root: Root, report: Report, units: str) -> int:
        """Put the report service into it, and have it checked; return its size in bytes."""
        kept = [self.part.volume] if self.is_kept else []
        fstab = new_fstab(root.tree.text("etc/fstab"), self.type, kept)
        install_service(root, report, units, fstab, self.place.say)
        root.finish()
        return self.image.stat().st_size

    def _by_kernel_instead(self, why: ImageError) -> None:
        self.place.say(f"{why.message}: a kernel reads it, and it is made anew")
        self.image.unlink(missing_ok=True)
        try:
            self._from_files()
        except ImageError as error:
            hint = why.hint or error.hint
            raise ImageError(f"{why.message}; and {error.message}", hint=hint) from None

    def _from_ext(self) -> None:
        try:
            self._from_ext_by_tools()
        except rootfs.BeyondToolsError as error:
            self._by_kernel_instead(error)

    def _from_ext_by_tools(self) -> None:
        """Bit for bit, then cut to size: nothing an ext4 can hold is lost that way."""
        assert self.part.tree is not None  # noqa: S101  it is a root
        files = self.part.tree.files
        assert isinstance(files, Ext)  # noqa: S101  as its volume's type says
        rootfs.refuse_what_tools_cannot_change(files, self.part.volume.name)
        if self.part.copy:
            self.part.copy.rename(self.image)
        else:
            self.place.copy(self.part.volume, files, self.image)
        self.place.say("checking the file system")
        rootfs.check(self.image, files, rootfs.NEW_ROOT)
        rootfs.fit(self.image, files.superblock, self.size_bytes, self.place.say)

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

        if self.new_type:
            was = self.part.volume
            self.place.say(f"{was.name}: its {was.type} becomes {self.type} ({self.why_ext4})")
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
        rootfs.check(self.image, files, rootfs.NEW_ROOT)
