"""``--mount``: this host's own kernel reads what only a kernel can, for who trusts the image.

The inside asks over the channel, in integers and words that are checked here; what it gets is an
ext4 in the work folder, as from a VM.
"""

import contextlib
import os
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vmtiming_tui.errors import ImageError
from vmtiming_tui.escape import printable
from vmtiming_tui.images.byte_range import Piece
from vmtiming_tui.images.guard.channel import Channel
from vmtiming_tui.images.guard.ending import Signals
from vmtiming_tui.images.guard.out_folder import WorkFolder
from vmtiming_tui.images.reader.excerpt_tree import gather, looks_like_root
from vmtiming_tui.images.reader.kernel_reader import KERNEL_ONLY
from vmtiming_tui.images.reader.loop_mount import bind, mount_part, run_mount
from vmtiming_tui.images.reader.reader_vm_initrd import MKE2FS_CONF

_KINDS = KERNEL_ONLY | {"ext2", "ext3", "ext4"}
_PATH = re.compile(r"/[A-Za-z0-9_./@+,=:-]{0,1000}")
_OPTION = re.compile(r"(subvol(id)?=[A-Za-z0-9_./@+=:-]{1,200})?")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SUBVOLUMES = ("@", "root", "@rootfs", "@root")
_SUBVOLUME_INODE = 256
_DEPTH = 4
_MIB = 1 << 20
_SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_INODE_RATIO = 16384


@dataclass(frozen=True, slots=True)
class MountedPart:
    """A volume as the inside names it: which bytes of which file, and what is in them."""

    unpacked: bool
    offset: int
    size: int
    kind: str

    @classmethod
    def of(cls, message: object) -> "MountedPart":
        """Return the part of a message; raise ``ImageError`` where it makes no sense."""
        match message:
            case [bool(unpacked), int(offset), int(size), str(kind)] if (
                offset >= 0 and 0 < size < 1 << 60 and kind in _KINDS
            ):
                return cls(unpacked, offset, size, kind)
        raise _nonsense()


@dataclass(frozen=True, slots=True)
class _New:
    """An ext4 to be made: where, how large, and its names."""

    fd: int
    size: int
    inodes: int
    uuid: str
    label: str


def _nonsense() -> ImageError:
    return ImageError("what reads the image in its box asks for what makes no sense")


class MountServer:
    """Mounts below ``folder`` what is asked for; ``image`` is the image's own descriptor."""

    def __init__(
        self, folder: Path, image: int, *, work: WorkFolder, owner: int, signals: Signals,
        say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._folder, self._image, self._work = folder, image, work
        self._owner, self._say, self._signals = owner, say, signals
        self._mounts = 0
        self._tree = folder / "tree"
        self._content = (0, 0)

    def serve(self, channel: Channel, request: Mapping[str, Any]) -> None:
        """Answer one request; a failure is told to the inside, which ends with it."""
        try:
            match request:
                case {"mount": "excerpts", "parts": list(parts)}:
                    answer = [
                        self._excerpt(MountedPart.of(part), at) for at, part in enumerate(parts)
                    ]
                    channel.send(excerpts=answer)
                case {"mount": "measure", "mounts": list(mounts)}:
                    channel.send(measured=self._measure(mounts))
                case {"mount": "make", "size": int(size), "uuid": str(ident), "label": str(label)}:
                    self._make(size, ident, label)
                    channel.send(made=True)
                case _:
                    raise _nonsense()
        except (ImageError, OSError) as error:
            channel.send(failed=str(error))

    def _mount(self, part: MountedPart, where: Path, options: str) -> None:
        with contextlib.ExitStack() as held:
            fd = self._image
            if part.unpacked:
                fd = os.open("source.raw", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC,
                             dir_fd=self._work.fd)  # fmt: skip
                held.callback(os.close, fd)
            if part.offset + part.size > os.lseek(fd, 0, os.SEEK_END):
                raise _nonsense()
            try:
                mount_part(Piece(fd, part.offset, part.size), part.kind, where, options)
            except ImageError as error:
                # Read-only to the last byte, a journal cannot be played back. In a copy it can.
                self._say("a file system was not unmounted, or is damaged: trying a copy")
                copy = self._new(f"mounted-{self._mounts}.img", keep=False)
                held.callback(os.close, copy)
                self._copy_bytes(Piece(fd, part.offset, part.size), copy)
                try:
                    mount_part(Piece(copy, 0, part.size), part.kind, where, options, writable=True)
                except ImageError:
                    raise ImageError(f"the {part.kind} cannot be mounted: {error}") from None

    def _new(self, name: str, *, keep: bool = True) -> int:
        """Return a new file in the work folder, the box's in the end; nothing is there before."""
        self._mounts += 1
        fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
                     0o600, dir_fd=self._work.fd)  # fmt: skip
        if keep:
            os.fchown(fd, self._owner, -1)
        else:
            os.unlink(name, dir_fd=self._work.fd)
        return fd

    def _excerpt(self, part: MountedPart, number: int) -> list[object]:
        tree, target = self._folder / f"tree{number}", self._folder / f"excerpt{number}"
        self._mount(part, tree, "")
        subvolume = ""
        if part.kind == "btrfs" and not looks_like_root(tree):
            tree, subvolume = self._btrfs_root(part, number, tree)
        target.mkdir()
        gather(tree, target, bind)
        used, inodes = self._measured(target)
        fd = self._new(f"excerpt-{number}.img")
        try:
            size = used + used // 4 + inodes * 5120 + 32 * _MIB
            self._make_ext4(target, _New(fd, size, inodes * 2 + 1024, str(uuid.uuid4()), ""))
        finally:
            os.close(fd)
        state = os.statvfs(tree)
        whole = (state.f_blocks - state.f_bfree) * state.f_frsize
        return [subvolume, whole, state.f_files - state.f_ffree]

    def _btrfs_root(self, part: MountedPart, number: int, tree: Path) -> tuple[Path, str]:
        """The default subvolume is none: one with a name distributions use, or any."""
        top = self._folder / f"top{number}"
        self._mount(part, top, "subvolid=5")
        for name in (*_SUBVOLUMES, *sorted(_subvolumes(top, top, _DEPTH))):
            fit = ".." not in name and _OPTION.fullmatch(f"subvol={name}")
            if fit and looks_like_root(top / name):
                root = self._folder / f"root{number}"
                self._mount(part, root, f"subvol=/{name}")
                return root, name
        return tree, ""

    def _measure(self, mounts: Sequence[Any]) -> tuple[int, int]:
        tree = self._tree
        for mount in mounts:
            match mount:
                case [list(part), str(path), str(option)] if (
                    _PATH.fullmatch(path) and ".." not in path and _OPTION.fullmatch(option)
                ):
                    self._mount(MountedPart.of(part), _place(tree, path), option)
                case _:
                    raise _nonsense()
        snapshots = tree / ".snapshots"
        if os.path.lexists(snapshots) and snapshots.lstat().st_ino == _SUBVOLUME_INODE:
            # snapper keeps its snapshots below the root: every one a whole system more.
            run_mount("-t", "tmpfs", "-o", "ro,size=4k", "tmpfs", str(snapshots))
        self._content = self._measured(tree)
        return self._content

    def _make(self, size: int, ident: str, label: str) -> None:
        if not 0 < size < 1 << 50 or not self._tree.is_dir():
            raise _nonsense()
        fd = self._new("mounted.img")
        inodes = self._content[1]
        count = inodes + inodes // 4 + size // _INODE_RATIO
        known = ident if _UUID.fullmatch(ident) else str(uuid.uuid4())
        try:
            self._make_ext4(self._tree, _New(fd, size, count, known, label))
            self._copy_top(self._tree, fd)
        finally:
            os.close(fd)

    def _measured(self, tree: Path) -> tuple[int, int]:
        """Return the bytes and the files below a folder."""
        counted = []
        for word in ("--block-size=1", "--inodes"):
            done = self._signals.run(["du", "--summarize", word, str(tree)])
            counted.append(int(done.stdout.split()[0]))
        return counted[0], counted[1]

    def _make_ext4(self, tree: Path, new: "_New") -> None:
        command = [
            "mke2fs", "-q", "-t", "ext4", "-F", "-m", "1", "-d", str(tree), "-U", new.uuid, "-L",
            new.label[:16], "-N", str(new.inodes), "-E", "lazy_itable_init=0,lazy_journal_init=0",
            f"/proc/self/fd/{new.fd}", f"{new.size // 1024}k",
        ]  # fmt: skip
        with open(os.memfd_create("mke2fs.conf"), "wb") as settings:  # noqa: PTH123
            settings.write(MKE2FS_CONF)
            settings.flush()
            name = f"/proc/self/fd/{settings.fileno()}"
            os.ftruncate(new.fd, new.size // 1024 * 1024)
            done = self._signals.run(
                command, pass_fds=(new.fd, settings.fileno()),
                env={"PATH": _SYSTEM_PATH, "LC_ALL": "C", "MKE2FS_CONFIG": name},
            )  # fmt: skip
        if done.returncode:
            last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise ImageError(f"the files could not be copied: {printable(last)}")

    def _copy_bytes(self, source: Piece, target: int) -> None:
        """Copy a part of a file, holes left as holes."""
        os.ftruncate(target, source.size)
        at, end = source.offset, source.offset + source.size
        while at < end:
            try:
                at = os.lseek(source.fd, at, os.SEEK_DATA)
                hole = min(os.lseek(source.fd, at, os.SEEK_HOLE), end)
            except OSError:
                return  # only a hole is left
            while at < hole:
                self._signals.check()
                data = os.pread(source.fd, min(hole - at, 4 * _MIB), at)
                if not data:
                    return
                os.pwrite(target, data, at - source.offset)
                at += len(data)

    def _copy_top(self, tree: Path, fd: int) -> None:
        """mke2fs copies everything but the top folder's own owner, mode and attributes."""
        top = self._folder / "new"
        top.mkdir()
        run_mount("-t", "ext4", "-o", "loop,nosuid,nodev,noexec", f"/proc/{os.getpid()}/fd/{fd}",
                  str(top))  # fmt: skip
        state = tree.stat()
        os.chown(top, state.st_uid, state.st_gid)
        top.chmod(state.st_mode & 0o7777)
        for name in os.listxattr(tree):
            if not name.startswith(("btrfs.", "trusted.SGI_")):
                with contextlib.suppress(OSError):
                    os.setxattr(top, name, os.getxattr(tree, name))
        subprocess.run(["umount", str(top)], check=True, capture_output=True)  # noqa: S603, S607


def _place(tree: Path, path: str) -> Path:
    """Return the folder a mount belongs on, none of whose parts is a link: a mount has no other."""
    place = tree
    for part in path.split("/"):
        place = place / part
        if path != "/" and (place.is_symlink() or not place.is_dir()):
            raise ImageError(f"{path} of the image's fstab has no folder to be mounted on")
    return place


def _subvolumes(top: Path, folder: Path, depth: int) -> Iterator[str]:
    """Yield the subvolumes below a folder: their own folders always have this inode number."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if depth and path.is_dir() and not path.is_symlink():
                if path.lstat().st_ino == _SUBVOLUME_INODE:
                    yield str(path.relative_to(top))
                yield from _subvolumes(top, path, depth - 1)
