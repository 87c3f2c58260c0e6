"""The new root: copied out of the image, completed for its VM, the report service inside."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.files.ext import Ext
from vmtiming_tui.images.quoting import human
from vmtiming_tui.images.reader.kernel_reader import Mount
from vmtiming_tui.images.spin import rootfs
from vmtiming_tui.images.spin.install_service import Report, Root, install_service
from vmtiming_tui.images.spin.parts import Part, Workplace
from vmtiming_tui.images.spin.root_words import subvolume_option
from vmtiming_tui.images.spin.wanted import ROOT_IMAGE
from vmtiming_tui.images.system.fstab import Below

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NEW_TYPE = "ext4"
_ROOT = "the root file system"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRoot:
    """A root that was made: who writes into it, and the type of its file system."""

    place: Workplace
    root: Root
    type: str

    def furnish(self, report: Report, units: str) -> int:
        """Put the report service into it, and check it; return its size in bytes."""
        install_service(self.root, report, units, self.type, self.place.say)
        image = self.place.work / ROOT_IMAGE
        stretch = self.place.stretch_of(image)
        rootfs.check(image, Ext(stretch), _ROOT)
        return stretch.size


@dataclass(frozen=True, slots=True, kw_only=True)
class RootMaker:
    """A root to be made of a part and of what belongs below it; ``size_bytes`` as it was asked."""

    place: Workplace
    part: Part
    below: Sequence[Below]
    size_bytes: int | None = None

    @property
    def image(self) -> Path:
        """Where it is made."""
        return self.place.work / ROOT_IMAGE

    def make(self) -> NewRoot:
        """Make it; raise ``ImageError``."""
        kind = self._made()
        stretch = self.place.stretch_of(self.image)
        return NewRoot(place=self.place, root=Root(self.image, stretch.pieces[0].fd), type=kind)

    def _made(self) -> str:
        """Make its image, and return the type of its file system."""
        if not (self.part.excerpt or self.below):
            try:
                self._from_ext()
            except rootfs.BeyondToolsError as error:
                self.place.say(f"{error.message}: a kernel reads it, and it is made anew")
                self.image.unlink(missing_ok=True)
                self._by_kernel_instead(error)
                return _NEW_TYPE
            return self.part.volume.type
        self._from_files()
        return _NEW_TYPE

    def _by_kernel_instead(self, why: ImageError) -> None:
        try:
            self._from_files()
        except ImageError as error:
            raise ImageError(f"{why.message}; and {error.message}",
                             hint=why.hint or error.hint) from None  # fmt: skip

    def _from_ext(self) -> None:
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
        rootfs.check(self.image, files, _ROOT)
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
