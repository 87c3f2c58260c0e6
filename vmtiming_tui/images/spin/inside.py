"""The inside of the box: what an order over the channel asks for, done with the image's bytes."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vmtiming_tui.images.byte_range import Piece, Stretch
from vmtiming_tui.images.files.given import GivenFiles
from vmtiming_tui.images.files.tree import Tree
from vmtiming_tui.images.gate.permission import Layer, LayerPart
from vmtiming_tui.images.gate.unpacking import UNPACKED, Unpacking
from vmtiming_tui.images.guard.box import open_given
from vmtiming_tui.images.guard.opening import File
from vmtiming_tui.images.guard.orders import Voice, obey_one
from vmtiming_tui.images.packed.disks import plainly_no_disk
from vmtiming_tui.images.packed.no_disks import HEAD_BYTES
from vmtiming_tui.images.reader.guest_kernel import GuestKernel
from vmtiming_tui.images.reader.host_reader import HostReader
from vmtiming_tui.images.reader.kernel_reader import KernelReader
from vmtiming_tui.images.reader.reader_vm import ReaderVm
from vmtiming_tui.images.spin.install_service import Report
from vmtiming_tui.images.spin.steps import spin
from vmtiming_tui.images.spin.wanted import Wanted


def _layers(order: Mapping[str, Any]) -> tuple[list[Layer], dict[File, Stretch]]:
    """Return the layers of the image as the gate admitted them, and each file's bytes."""
    stretches: dict[File, Stretch] = {}

    def taken(given: Sequence[Any] | None) -> File | None:
        if given is None:
            return None
        fd = open_given(given[0])
        state = os.fstat(fd)
        file = File(path=str(len(stretches)), device=state.st_dev, inode=state.st_ino,
                    size=given[1])  # fmt: skip
        stretches[file] = Stretch([Piece(fd, 0, given[1])])
        return file

    layers = []
    for layer in order["layers"]:
        file = taken(layer["file"])
        assert file is not None  # noqa: S101  every layer has one
        parts = tuple(
            LayerPart(file=taken(given), offset=offset, size=size, is_sparse=is_sparse)
            for given, offset, size, is_sparse in layer["parts"]
        )
        ids = layer["content_ids"]
        layers.append(
            Layer(file=file, format=layer["format"], data=taken(layer["data"]), parts=parts,
                  content_ids=(ids[0], ids[1]) if ids else None)
        )  # fmt: skip
    return layers, stretches


def open_image(order: Mapping[str, Any], work: Path, voice: Voice) -> Stretch:
    """Return the bytes of the disk: the image's own, those of its parts, or unpacked by qemu-img.

    Raises ``ImageError``, and ``OSError``.
    """
    layers, stretches = _layers(order)
    unpacking = Unpacking(
        stretches=stretches, virtual_bytes=order["virtual_bytes"], work=work, say=voice.say,
        progress=voice.progress, in_one_file=order["mount"],
    )  # fmt: skip
    return unpacking.disk(layers)


def _reader(order: Mapping[str, Any], work: Path, voice: Voice) -> KernelReader:
    if order["mount"]:
        unpacked = (work / UNPACKED).exists()
        return HostReader(voice.channel, work, unpacked=unpacked)
    kernels = [GuestKernel(version, open_given(word)) for version, word in order["kernels"]]
    return ReaderVm(kernels=kernels, work=work, say=voice.say, progress=voice.progress)


def _own_files(order: Mapping[str, Any]) -> Tree:
    """Return the kernel and the initrd that the user gave."""
    return Tree(GivenFiles({
        name: Stretch([Piece(open_given(word), 0, size)])
        for name, (word, size) in order["own"].items()
    }))  # fmt: skip


def obey(order: Mapping[str, Any], voice: Voice) -> dict[str, object]:
    """Do what an order says, in the current folder; return what was made, by name."""
    work = Path()
    wanted = Wanted(**{name: order[name] for name in (
        "size_bytes", "kernel_version", "root", "boot_files", "convert", "dry_run")})  # fmt: skip
    report = Report(script=order["script"].encode(), unit=order["unit"].encode())
    image = open_image(order, work, voice)
    head = image.head(HEAD_BYTES)
    if other := plainly_no_disk(image, head):
        raise other.error(head)
    reader = _reader(order, work, voice)
    made = spin(image, wanted, report=report, work=work, reader=reader, say=voice.say,
                given=_own_files(order))  # fmt: skip
    return asdict(made)


def main(words: Sequence[str]) -> int:
    """Obey the one order that comes over the channel whose descriptor is the first word."""
    return obey_one(words, obey)
