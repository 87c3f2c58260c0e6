"""File systems that only a kernel can read, read by one that can do no harm: in a throw-away VM.

QEMU without acceleration, in the box already, with the host's own kernel and busybox: every volume
is a disk behind a socket that serves nothing else, and what is made is an ext4 on another.
"""

import contextlib
import json
import os
import re
import secrets
import select
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.guest_kernel import GuestKernel
from vmtiming_tui.images.host_kernel import debian_arch
from vmtiming_tui.images.kernel_reader import Excerpt, Mount
from vmtiming_tui.images.nbd import served
from vmtiming_tui.images.reader_initrd import initrd
from vmtiming_tui.images.tools import succeed
from vmtiming_tui.images.volumes import Volume
from vmtiming_tui.images.words import shown

_BASE_MODULES = ("virtio_pci", "virtio_blk", "crc32c_intel", "crc32c_generic", "ext4")
_MEMORY_MIB = 768
_MAX_VOLUMES = 12
_RESULT_BYTES = 4 << 40
_EXCERPT_BYTES = 64 << 30
_BOOT_LIMIT_S = 300.0
_SLOWEST_BYTES_S = 256 << 10
_MAX_LINE_BYTES = 4096
_SUBVOLUME = re.compile(r"[A-Za-z0-9_./@+=:-]{1,200}")
_KERNEL_LINE = re.compile(r"^\[ *\d+\.\d+\] ")
_MACHINES = {"x86_64": ("pc", "ttyS0"), "aarch64": ("virt", "ttyAMA0")}
_INODE_RATIO = 16384
_INSTEAD = "or --mount as root where the image is trusted"

Progress = Callable[[Path, int], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class _Disk:
    """A volume as the VM has it: where, and what is in it."""

    device: str
    volume: Volume


class ReaderVm:
    """Boots a VM for each of what it is asked; ``say`` and ``progress`` tell a person of it."""

    def __init__(
        self, *, kernels: Sequence[GuestKernel], work: Path, say: Callable[[str], None],
        progress: Progress,
    ) -> None:  # fmt: skip
        self._kernels = kernels
        self._work = work
        self._say = say
        self._progress = progress

    def excerpts(self, volumes: Sequence[Volume]) -> Sequence[Excerpt]:
        """Return an excerpt of each volume; raise ``ImageError`` where one cannot be read."""
        return [
            excerpt
            for first in range(0, len(volumes), _MAX_VOLUMES)
            for excerpt in self._excerpts(volumes[first : first + _MAX_VOLUMES], first)
        ]

    def _excerpts(self, volumes: Sequence[Volume], first: int) -> Iterator[Excerpt]:
        names = " and ".join(volume.name for volume in volumes)
        self._say(f"looking into {names} in a VM ({', '.join(sorted(_types(volumes)))})")
        disks = [_Disk(_device(number), volume) for number, volume in enumerate(volumes)]
        images = [self._work / f"excerpt-{first + number}.img" for number in range(len(disks))]
        lines = [
            f"{number} {disk.device} {disk.volume.type} {_device(len(disks) + number)}\n"
            for number, disk in enumerate(disks)
        ]
        job = {"kind": "excerpts\n", "volumes": "".join(lines), "uuid": f"{uuid.uuid4()}\n"}
        found: dict[int, Excerpt] = {}
        with self._booted(volumes, images, _EXCERPT_BYTES, job) as vm:
            for word, rest in vm.words():
                if word == "excerpt":
                    number, used, inodes, subvolume = _excerpt_words(rest, len(disks))
                    found[number] = Excerpt(volumes[number], subvolume, images[number], used,
                                            inodes)  # fmt: skip
        if len(found) != len(disks):
            raise ImageError(f"the VM that was to read {names} ended early: {vm.last_line}")
        yield from (found[number] for number in range(len(disks)))

    def copy(
        self, mounts: Sequence[Mount], target: Path, *, size: Callable[[int, int], int], uuid: str,
        label: str,
    ) -> None:  # fmt: skip
        """Make ``target`` an ext4 of all the files of these mounts, as ``KernelReader`` says."""
        volumes = list(dict.fromkeys(mount.volume for mount in mounts))
        devices = {volume: _device(number) for number, volume in enumerate(volumes)}
        lines = [
            f"{number} {devices[mount.volume]} {mount.volume.type} {mount.path} {mount.subvolume}\n"
            for number, mount in enumerate(mounts)
        ]
        job = {
            "kind": "copy\n", "volumes": "".join(lines), "label": label,
            "uuid": f"{uuid or _random_uuid()}\n", "result": f"{_device(len(volumes))}\n",
        }  # fmt: skip
        chosen = 0
        with contextlib.ExitStack() as held:
            vm = held.enter_context(self._booted(volumes, [target], _RESULT_BYTES, job, mounts))
            for word, rest in vm.words():
                if word == "measured":
                    used_kib, inodes = _numbers(rest, 2)
                    used = used_kib * 1024
                    chosen = size(used, inodes)
                    _check_size(chosen)
                    vm.answer(f"{chosen // 1024} {inodes + inodes // 4 + chosen // _INODE_RATIO}")
                    held.enter_context(self._progress(target, used))
            if not (vm.finished and chosen):
                raise ImageError(f"the VM that was to copy the files ended early: {vm.last_line}")
        os.truncate(target, chosen)

    @contextlib.contextmanager
    def _booted(
        self, volumes: Sequence[Volume], results: Sequence[Path], result_bytes: int,
        job: dict[str, str], mounts: Sequence[Mount] = (),
    ) -> Iterator["_Vm"]:  # fmt: skip
        """Boot a VM with a disk for each volume, and one for each result."""
        kernel = self._kernel(volumes)
        token = secrets.token_hex(8)
        modules = [*_BASE_MODULES, *sorted(_types(volumes) - {"ext2", "ext3", "ext4"})]
        content = initrd(kernel, modules, job | {"token": f"{token}\n"})
        (self._work / "reader.initrd").write_bytes(content)
        _copy_file(kernel.fd, self._work / "reader.kernel")
        disks: list[object] = []
        with contextlib.ExitStack() as held:
            for number, volume in enumerate(volumes):
                disks.append(self._disk(number, volume, held))
            for path in results:
                path.touch()
                os.truncate(path, result_bytes)
                disks.append(_result_disk(path))
            total = sum(volume.size for volume in volumes)
            child = held.enter_context(_started(_qemu(disks), self._work))
            limit_s = _BOOT_LIMIT_S + total / _SLOWEST_BYTES_S
            vm = _Vm(child, token, limit_s, mounts or [Mount(one, "/", "") for one in volumes],
                     self._say)  # fmt: skip
            yield vm
        for name in ("reader.initrd", "reader.kernel"):
            (self._work / name).unlink()

    def _kernel(self, volumes: Sequence[Volume]) -> GuestKernel:
        kinds = _types(volumes) - {"ext2", "ext3"}
        named = f"{volumes[0].name} is {volumes[0].type}"
        if not self._kernels:
            raise ImageError(
                f"{named}: only a kernel reads that, and this host has none installed for a VM",
                hint=f"apt-get install linux-image-cloud-{debian_arch()} busybox-static, "
                f"{_INSTEAD}",
            )
        for kernel in self._kernels:
            if kernel.has(sorted(kinds)):
                return kernel
        for volume in volumes:
            if not any(kernel.has([volume.type]) for kernel in self._kernels):
                raise ImageError(
                    f"{volume.name} is {volume.type}, which this host's kernel does not know",
                    hint=f"apt-get install linux-image-{debian_arch()}, {_INSTEAD}",
                )
        raise ImageError(f"no kernel of this host knows all of {', '.join(sorted(kinds))}",
                         hint=f"apt-get install linux-image-{debian_arch()}")  # fmt: skip

    def _disk(self, number: int, volume: Volume, held: contextlib.ExitStack) -> object:
        """A journal is played back above the volume, and gone with the VM."""
        if volume.stretch is None:
            raise ImageError(f"{volume.name} cannot be read")
        name = f"reader-{number}.socket"
        held.enter_context(served(name, volume.stretch))
        overlay = f"reader-{number}.qcow2"
        size = str(-(-volume.stretch.size // 512) * 512)
        succeed(["qemu-img", "create", "-q", "-f", "qcow2", overlay, size], self._work,
                "making room for a journal")  # fmt: skip
        held.callback((self._work / overlay).unlink)
        server = {"type": "unix", "path": name}
        below = {"driver": "raw", "read-only": True,
                 "file": {"driver": "nbd", "server": server, "export": ""}}  # fmt: skip
        return {"driver": "qcow2", "file": {"driver": "file", "filename": overlay},
                "backing": below}  # fmt: skip


class _Vm:
    """A VM that is at work: what it says line by line, until it is done."""

    def __init__(
        self, child: "subprocess.Popen[bytes]", token: str, limit_s: float,
        mounts: Sequence[Mount], say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._child = child
        self._token = token.encode()
        self._limit_s = limit_s
        self._mounts = mounts
        self._say = say
        self.last_line = "it said nothing"
        self.finished = False

    def answer(self, text: str) -> None:
        """Tell it what it waits for."""
        assert self._child.stdin is not None  # noqa: S101  it was asked for
        self._child.stdin.write(f"{text}\n".encode())
        self._child.stdin.flush()

    def words(self) -> Iterator[tuple[str, str]]:
        """Yield what it says of its work, each time a word and the rest; raise ``ImageError``."""
        assert self._child.stdout is not None  # noqa: S101  it was asked for
        for line in _lines(self._child.stdout, time.monotonic() + self._limit_s):
            mark, _, text = line.strip().partition(b" ")
            if mark != self._token:
                self._keep(line)
                continue
            word, _, rest = shown(text).partition(" ")
            match word:
                case "failed":
                    raise ImageError(self._failure(rest))
                case "unclean":
                    name = self._mount(rest).volume.name
                    self._say(f"{name} was not unmounted, or is damaged: trying a copy")
                case "finished":
                    self.finished = True
                case _:
                    yield word, rest

    def _keep(self, line: bytes) -> None:
        text = _KERNEL_LINE.sub("", shown(line.strip()))
        if text:
            self.last_line = text

    def _mount(self, rest: str) -> Mount:
        (number,) = _numbers(rest, 1)
        if number >= len(self._mounts):
            raise ImageError("the VM that reads the image speaks of a volume that there is not")
        return self._mounts[number]

    def _failure(self, rest: str) -> str:
        kind, _, more = rest.partition(" ")
        match kind:
            case "mount":
                volume = self._mount(more).volume
                return f"{volume.name} ({volume.type}) cannot be mounted: {self.last_line}"
            case "place":
                path = self._mount(more).path
                return f"{path} of the image's fstab has no folder to be mounted on"
            case _:
                return f"the files could not be copied: {rest}"


def _types(volumes: Sequence[Volume]) -> set[str]:
    return {volume.type for volume in volumes}


def _device(number: int) -> str:
    return f"/dev/vd{chr(ord('a') + number)}"


def _random_uuid() -> str:
    return str(uuid.uuid4())


def _check_size(chosen: int) -> None:
    if chosen > _RESULT_BYTES:
        raise ImageError("the new root would be larger than any that is made here (4 TiB)")


def _numbers(text: str, count: int) -> list[int]:
    words = text.split(" ")
    if len(words) < count or not all(re.fullmatch(r"\d{1,16}", word, re.ASCII)
                                     for word in words[:count]):  # fmt: skip
        raise ImageError("the VM that reads the image says what makes no sense")
    return [int(word) for word in words[:count]]


def _excerpt_words(text: str, count: int) -> tuple[int, int, int, str]:
    number, used, inodes = _numbers(text, 3)
    subvolume = text.split(" ", 3)[3] if text.count(" ") >= 3 else ""
    if number >= count or (subvolume and not _SUBVOLUME.fullmatch(subvolume)):
        raise ImageError("the VM that reads the image says what makes no sense")
    return number, used, inodes, subvolume


def _copy_file(fd: int, target: Path) -> None:
    with target.open("wb") as file:
        at = 0
        while data := os.pread(fd, 1 << 20, at):
            file.write(data)
            at += len(data)


def _result_disk(path: Path) -> object:
    return {"driver": "raw", "file": {"driver": "file", "filename": str(path)},
            "discard": "unmap", "detect-zeroes": "unmap", "cache": {"no-flush": True}}  # fmt: skip


def _qemu(disks: Sequence[object]) -> list[str]:
    arch = os.uname().machine
    if arch not in _MACHINES or shutil.which(f"qemu-system-{arch}") is None:
        raise ImageError(
            "a file system that only a kernel reads takes a VM, and there is no "
            f"qemu-system-{arch} for one",
            hint=f"apt-get install qemu-system, {_INSTEAD}",
        )
    machine, console = _MACHINES[arch]
    words = [
        f"qemu-system-{arch}", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        "-machine", machine, "-accel", "tcg,tb-size=256", "-cpu", "max", "-smp", "1",
        "-m", str(_MEMORY_MIB), "-kernel", "reader.kernel", "-initrd", "reader.initrd",
        "-append", f"console={console} loglevel=4 panic=-1",
        "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
    ]  # fmt: skip
    for number, disk in enumerate(disks):
        node = {"node-name": f"disk{number}"} | disk if isinstance(disk, dict) else disk
        words += ["-blockdev", json.dumps(node), "-device", f"virtio-blk-pci,drive=disk{number}"]
    return words


@contextlib.contextmanager
def _started(words: Sequence[str], work: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(  # noqa: S603  no word of it is the image's
        words, cwd=work, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def _lines(pipe: IO[bytes], deadline: float) -> Iterator[bytes]:
    """Yield the lines of a console, long ones cut; raise ``ImageError`` when time is up."""
    kept = b""
    while True:
        ready, _, _ = select.select([pipe], [], [], max(deadline - time.monotonic(), 0))
        if not ready:
            raise ImageError("the VM that reads the image takes longer than it ever should")
        data = os.read(pipe.fileno(), 1 << 16)
        if not data:
            return
        *lines, kept = (kept + data).split(b"\n")
        yield from (line[:_MAX_LINE_BYTES] for line in lines)
        kept = kept[-_MAX_LINE_BYTES:]
