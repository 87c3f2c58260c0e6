"""File systems that only a kernel can read, read by one that can do no harm: in a throw-away VM.

QEMU without acceleration, in the box already, with the host's own kernel and busybox: every volume
is a disk behind a socket that serves nothing else, or put together of such by the host's lvm2, and
what is made is an ext4 on another.
"""

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Piece, Stretch
from vmtiming_tui.images.disk.signatures import identify
from vmtiming_tui.images.disk.volumes import NOT_LOOKED_INTO, Volume, not_put_together
from vmtiming_tui.images.gate.nbd import served
from vmtiming_tui.images.guard.tools import succeed
from vmtiming_tui.images.reader.device_mapper import modules_of
from vmtiming_tui.images.reader.guest_kernel import GuestKernel
from vmtiming_tui.images.reader.host_kernel import debian_arch
from vmtiming_tui.images.reader.kernel_reader import Excerpt, Mount, Writing
from vmtiming_tui.images.reader.reader_vm_initrd import initrd
from vmtiming_tui.images.reader.reader_vm_words import (
    TalkingVm,
    another_words,
    excerpt_words,
    numbers,
)
from vmtiming_tui.images.system.fstab import mapper_name

_BASE_MODULES = ("virtio_pci", "virtio_blk", "crc32c_intel", "crc32c_generic", "ext4")
# Checksums that a file system asks the kernel for by name, where nothing in the VM answers.
_CHECKSUMS = {
    "f2fs": ("crc32_generic",),
    "btrfs": ("xxhash_generic", "sha256_generic", "blake2b_generic"),
}
_MEMORY_MIB = 768
_MAX_VOLUMES = 12
_MAX_OTHERS = 8
_FACTS = ("labelled", "readonly", "full")
_MAX_DISKS = 26
_HEAD_BYTES = 4 << 20
_HEADS = "heads.img"
_RESULT_BYTES = 4 << 40
_EXCERPT_BYTES = 64 << 30
_BOOT_LIMIT_S = 300.0
_SLOWEST_BYTES_S = 256 << 10
# On a busy host the kernel would take its late timer for a broken one.
_ARGUMENTS = "loglevel=4 panic=-1 no_timer_check"
_MACHINES = {"x86_64": ("pc", "ttyS0"), "aarch64": ("virt", "ttyAMA0")}
_INODE_RATIO = 16384
_INSTEAD = "or --mount as root where the image is trusted"

Progress = Callable[[Path, int], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class _Disks:
    """What a VM is given to read: a disk for each stretch that its volumes lie on."""

    volumes: tuple[Volume, ...]
    stretches: tuple[Stretch, ...]

    @classmethod
    def of(cls, volumes: Sequence[Volume]) -> "_Disks":
        """Return the disks for some volumes; raise ``ImageError`` where one has none."""
        for volume in volumes:
            if not volume.disks:
                raise ImageError(f"{volume.name} cannot be read")
        stretches = dict.fromkeys(disk for volume in volumes for disk in volume.disks)
        return cls(tuple(volumes), tuple(stretches))

    def device(self, volume: Volume) -> str:
        """Return what a volume is called in the VM."""
        if volume.stretch is None:
            return f"/dev/mapper/{mapper_name(volume.name)}"
        return _device(self.stretches.index(volume.stretch))

    def result(self, number: int = 0) -> str:
        """Return what a disk for a result is called there."""
        return _device(len(self.stretches) + number)


class ReaderVm:
    """Boots a VM for each of what it is asked; ``say`` and ``progress`` tell a person of it."""

    writes = True

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

    def assembled(self, volumes: Sequence[Volume]) -> Mapping[Volume, Volume]:
        """Return the volumes as a VM puts them together, as ``KernelReader`` says."""
        able = []
        for volume in volumes:
            try:
                self._kernel([volume], modules_of([volume]))
                able.append(volume)
            except ImageError as error:
                self._say(not_put_together(volume, error))
        found: dict[Volume, Volume] = {}
        for first in range(0, len(able), _MAX_VOLUMES):
            some = able[first : first + _MAX_VOLUMES]
            try:
                found |= self._assembled(some)
            except ImageError as error:
                for volume in some:
                    self._say(not_put_together(volume, error))
        return found

    def _assembled(self, volumes: Sequence[Volume]) -> Mapping[Volume, Volume]:
        names = " and ".join(volume.name for volume in volumes)
        self._say(f"putting {names} together in a VM")
        disks = _Disks.of(volumes)
        lines = [
            f"{number} {disks.device(volume)} {volume.name}\n"
            for number, volume in enumerate(volumes)
        ]
        job = {"kind": "heads\n", "volumes": "".join(lines), "result": f"{disks.result()}\n"}
        path = self._work / _HEADS
        told: dict[int, str] = {}
        with self._booted(disks, [path], _HEAD_BYTES * len(volumes), job) as vm:
            for word, rest in vm.words():
                if word in ("head", "apart"):
                    (number,) = numbers(rest, 1)
                    told[number] = "" if word == "head" else rest.partition(" ")[2] or vm.last_line
            if not vm.finished:
                raise ImageError(f"the VM that was to do it ended early: {vm.last_line}")
        found = {}
        with path.open("rb") as file:
            for number, volume in enumerate(volumes):
                if why := told.get(number, "the VM says nothing of it"):
                    self._say(not_put_together(volume, ImageError(why.strip())))
                    continue
                head = Stretch([Piece(file.fileno(), number * _HEAD_BYTES, _HEAD_BYTES)])
                on_it = identify(head)
                found[volume] = replace(volume, type=on_it.type, uuid=on_it.uuid, label=on_it.label)
        path.unlink()
        return found

    def _excerpts(self, volumes: Sequence[Volume], first: int) -> Iterator[Excerpt]:
        names = " and ".join(volume.name for volume in volumes)
        self._say(f"looking into {names} in a VM ({', '.join(sorted(_types(volumes)))})")
        disks = _Disks.of(volumes)
        images = [self._work / f"excerpt-{first + number}.img" for number in range(len(volumes))]
        lines = [
            f"{number} {disks.device(volume)} {volume.type} {disks.result(number)}\n"
            for number, volume in enumerate(volumes)
        ]
        job = {"kind": "excerpts\n", "volumes": "".join(lines), "uuid": f"{uuid.uuid4()}\n"}
        found: dict[int, Excerpt] = {}
        others: dict[int, list[str]] = {}
        facts: dict[str, set[int]] = {word: set() for word in _FACTS}
        with self._booted(disks, images, _EXCERPT_BYTES, job) as vm:
            for word, rest in vm.words():
                if word == "another":
                    number, name = another_words(rest, len(volumes))
                    if len(known := others.setdefault(number, [])) < _MAX_OTHERS:
                        known.append(name)
                elif word in facts:
                    facts[word].update(numbers(rest, 1))
                elif word == "excerpt":
                    number, used, inodes, subvolume = excerpt_words(rest, len(volumes))
                    found[number] = Excerpt(
                        volumes[number], subvolume, images[number], used, inodes,
                        passed_over=tuple(others.get(number, ())),
                        labelled=number in facts["labelled"],
                        read_only=number in facts["readonly"],
                        full=number in facts["full"],
                    )  # fmt: skip
        if len(found) != len(volumes):
            raise ImageError(f"the VM that was to read {names} ended early: {vm.last_line}")
        yield from (found[number] for number in range(len(volumes)))

    def copy(
        self, mounts: Sequence[Mount], target: Path, *, size: Callable[[int, int], int], uuid: str,
        label: str,
    ) -> None:  # fmt: skip
        """Make ``target`` an ext4 of all the files of these mounts, as ``KernelReader`` says."""
        disks = _Disks.of(list(dict.fromkeys(mount.volume for mount in mounts)))
        lines = [
            f"{number} {disks.device(mount.volume)} {mount.volume.type} {mount.path} "
            f"{mount.subvolume}\n"
            for number, mount in enumerate(mounts)
        ]
        job = {
            "kind": "copy\n", "volumes": "".join(lines), "label": label,
            "uuid": f"{uuid or _random_uuid()}\n", "result": f"{disks.result()}\n",
        }  # fmt: skip
        chosen = 0
        with contextlib.ExitStack() as held:
            vm = held.enter_context(self._booted(disks, [target], _RESULT_BYTES, job, mounts))
            for word, rest in vm.words():
                if word == "measured":
                    used_kib, inodes = numbers(rest, 2)
                    used = used_kib * 1024
                    chosen = size(used, inodes)
                    _check_size(chosen)
                    vm.answer(f"{chosen // 1024} {inodes + inodes // 4 + chosen // _INODE_RATIO}")
                    held.enter_context(self._progress(target, used))
            if not (vm.finished and chosen):
                raise ImageError(f"the VM that was to copy the files ended early: {vm.last_line}")
        os.truncate(target, chosen)

    def write(self, mount: Mount, image: Path, writings: Sequence[Writing]) -> None:
        """Write into ``image``, a copy of the mount's volume, as ``KernelReader`` says."""
        self._say(f"writing into the copy in a VM ({mount.volume.type})")
        disks = _Disks((mount.volume,), ())
        volume = f"0 {disks.result()} {mount.volume.type} / {mount.subvolume}\n"
        job = {"kind": "write\n", "volumes": volume}
        lines = []
        for number, each in enumerate(writings):
            folder, _, name = each.path.rpartition("/")
            mode = f"{each.mode:o}" if each.mode else "link"
            lines.append(f"{number} {mode} {each.label or '-'} {folder} {name}\n")
            job[f"writing-{number}"] = os.fsdecode(each.content)
        job["writings"] = "".join(lines)
        size = image.stat().st_size
        with self._booted(disks, [image], size, job, [mount]) as vm:
            for _ in vm.words():
                pass
            if not vm.finished:
                raise ImageError(
                    f"the VM that was to write into the root ended early: {vm.last_line}"
                )

    @contextlib.contextmanager
    def _booted(
        self, disks: _Disks, results: Sequence[Path], result_bytes: int, job: dict[str, str],
        mounts: Sequence[Mount] = (),
    ) -> Iterator[TalkingVm]:  # fmt: skip
        """Boot a VM with a disk for each stretch, and one for each result."""
        volumes = disks.volumes
        if len(disks.stretches) + len(results) > _MAX_DISKS:
            raise ImageError(f"it takes more than {_MAX_DISKS} disks at once")
        mapped = modules_of(volumes)
        kernel = self._kernel(volumes, mapped)
        token = secrets.token_hex(8)
        kinds = _kernel_types(volumes)
        checksums = [name for kind in kinds for name in _CHECKSUMS.get(kind, ())]
        modules = [*_BASE_MODULES, *checksums, *kinds, *mapped]
        logical = "".join(f"{volume.name}\n" for volume in volumes if volume.stretch is None)
        job |= {"token": f"{token}\n", "logical": logical}
        content = initrd(kernel, modules, job, lvm=bool(logical))
        (self._work / "reader.initrd").write_bytes(content)
        _copy_file(kernel.fd, self._work / "reader.kernel")
        nodes: list[object] = []
        with contextlib.ExitStack() as held:
            for number, stretch in enumerate(disks.stretches):
                nodes.append(self._disk(number, stretch, held))
            for path in results:
                path.touch()
                os.truncate(path, result_bytes)
                nodes.append(_result_disk(path))
            total = sum(volume.size for volume in volumes)
            child = held.enter_context(_started(_qemu(nodes), self._work))
            limit_s = _BOOT_LIMIT_S + total / _SLOWEST_BYTES_S
            mounts = mounts or [Mount(volume, "/", "") for volume in volumes]
            yield TalkingVm(child, token, limit_s, mounts, self._say)
        for name in ("reader.initrd", "reader.kernel"):
            (self._work / name).unlink()

    def _kernel(self, volumes: Sequence[Volume], mapped: Sequence[str]) -> GuestKernel:
        kinds = _kernel_types(volumes)
        instead = "" if mapped else f", {_INSTEAD}"
        if not self._kernels:
            named = f"{volumes[0].name} is {volumes[0].type}"
            raise ImageError(
                f"{named}: only a kernel reads that, and this host has none installed for a VM",
                hint=f"apt-get install linux-image-cloud-{debian_arch()} busybox-static{instead}",
            )
        for kernel in self._kernels:
            if kernel.has([*kinds, *mapped]):
                return kernel
        hint = f"apt-get install linux-image-{debian_arch()}"
        for volume in volumes:
            if volume.type in kinds and not self._known([volume.type]):
                raise ImageError(
                    f"{volume.name} is {volume.type}, which this host's kernel does not know",
                    hint=f"{hint}{instead}",
                )
        for name in mapped:
            if not self._known([name]):
                raise ImageError(f"this host's kernel has no {name} for it", hint=hint)
        words = ", ".join([*kinds, *mapped])
        raise ImageError(f"no kernel of this host knows all of {words}", hint=hint)

    def _known(self, names: Sequence[str]) -> bool:
        return any(kernel.has(names) for kernel in self._kernels)

    def _disk(self, number: int, stretch: Stretch, held: contextlib.ExitStack) -> object:
        """A journal is played back above the volume, and gone with the VM."""
        name = f"reader-{number}.socket"
        held.enter_context(served(name, stretch))
        overlay = f"reader-{number}.qcow2"
        size = str(-(-stretch.size // 512) * 512)
        succeed(["qemu-img", "create", "-q", "-f", "qcow2", overlay, size], self._work,
                "making room for a journal")  # fmt: skip
        held.callback((self._work / overlay).unlink)
        server = {"type": "unix", "path": name}
        below = {"driver": "raw", "read-only": True,
                 "file": {"driver": "nbd", "server": server, "export": ""}}  # fmt: skip
        return {"driver": "qcow2", "file": {"driver": "file", "filename": overlay},
                "backing": below}  # fmt: skip


def _types(volumes: Sequence[Volume]) -> set[str]:
    return {volume.type for volume in volumes}


def _kernel_types(volumes: Sequence[Volume]) -> list[str]:
    """Return the file systems a kernel has to know; ext4 reads the older ones, too."""
    kinds = {kind for kind in _types(volumes) if not kind.startswith(NOT_LOOKED_INTO)}
    return sorted(kinds - {"ext2", "ext3"})


def _device(number: int) -> str:
    return f"/dev/vd{chr(ord('a') + number)}"


def _random_uuid() -> str:
    return str(uuid.uuid4())


def _check_size(chosen: int) -> None:
    if chosen > _RESULT_BYTES:
        raise ImageError("the new root would be larger than any that is made here (4 TiB)")


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
        "-append", f"console={console} {_ARGUMENTS}",
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
