"""The formats of images: what our readers say of them is what QEMU says, and their disk is whole.

Images are made by the real qemu-img, or by the formats' specifications where it makes none.
"""

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from hostile.chains import taken
from support import disk_images as images
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Piece, Stretch
from vmtiming_tui.images.gate.ask_qemu_img import QemuImg
from vmtiming_tui.images.gate.format_ledger import Ledger
from vmtiming_tui.images.gate.permission import Rules, take
from vmtiming_tui.images.gate.unpacking import Unpacking

KIB = 1024
MIB = 1024 * KIB
SIZE = 3 * MIB
DATA = {0: b"first sector", MIB - 7: b"over a border", 2 * MIB + 5 * KIB: b"\xff" * 70_000}


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    """A disk with something here and there."""
    path = tmp_path_factory.mktemp("formats") / "disk.raw"
    with path.open("wb") as file:
        file.truncate(SIZE)
        for at, data in DATA.items():
            file.seek(at)
            file.write(data)
    return path


def made(raw: Path, image: Path, form: str, options: str = "", *words: str) -> Path:
    """The disk in a format of QEMU's."""
    chosen = ["-o", options] if options else []
    images.sh("qemu-img", "convert", "-f", "raw", "-O", form, *words, *chosen, raw, image)
    return image


def whole_disk(path: Path, work: Path, **rules: object) -> bytes:
    """The bytes of an image's disk, as the box reads them."""
    work.mkdir(exist_ok=True)
    rules = {"in_parts": True} | rules
    with take(str(path), Rules(**rules), Ledger(), QemuImg()) as found, contextlib.chdir(work):
        named = {file: replace(file, path=str(at)) for at, file in enumerate(found.fds)}
        layers = [
            replace(
                layer,
                file=named[layer.file],
                data=layer.data and named[layer.data],
                parts=tuple(replace(part, file=part.file and named[part.file])
                            for part in layer.parts),
            )
            for layer in found.image.layers
        ]  # fmt: skip
        unpacking = Unpacking(
            stretches={named[file]: Stretch([Piece(fd, 0, file.size)])
                       for file, fd in found.fds.items()},
            virtual_bytes=found.image.virtual_bytes, work=Path(), say=str,
            progress=lambda *_: contextlib.nullcontext(),
        )  # fmt: skip
        disk = unpacking.disk(layers)
        return disk.read(0, disk.size)


def refusal(path: Path, **rules: object) -> ImageError:
    with pytest.raises(ImageError) as caught:
        taken(path, **rules)
    return caught.value


WAYS = [
    ("qcow2", "", "-c"), ("qcow2", "compression_type=zstd", "-c"), ("qcow2", "compat=0.10"),
    ("qcow2", "extended_l2=on"), ("qcow2", "cluster_size=512"), ("qcow2", "refcount_bits=1"),
    ("qcow2", "lazy_refcounts=on,preallocation=full"), ("qcow2", "data_file=a.data"),
    ("qcow2", "data_file=a.data,data_file_raw=on"), ("qcow", ""), ("qed", ""), ("vdi", ""),
    ("vdi", "static=on"), ("parallels", ""), ("vhdx", ""), ("vhdx", "subformat=fixed"),
    ("vpc", "force_size=on"), ("vpc", "subformat=fixed,force_size=on"),
    ("vmdk", "subformat=monolithicSparse"), ("vmdk", "subformat=monolithicFlat"),
    ("vmdk", "subformat=twoGbMaxExtentSparse"), ("vmdk", "subformat=twoGbMaxExtentFlat"),
    ("vmdk", "subformat=streamOptimized"), ("vmdk", "compat6"),
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_our_readers_and_qemu_say_the_same_and_the_disk_is_whole(raw, tmp_path, monkeypatch, way):
    monkeypatch.chdir(tmp_path)
    form, options, *words = way
    image = made(raw, Path("image"), form, options, *words)
    told = json.loads(images.sh("qemu-img", "info", "-f", form, "--output=json", image))
    found = taken(image, in_parts=True)

    assert found.format == form == told["format"]
    assert found.virtual_bytes == told["virtual-size"] == SIZE
    assert whole_disk(tmp_path / "image", tmp_path / "work") == raw.read_bytes()
