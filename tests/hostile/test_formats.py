"""The formats of images: what our readers say of them is what QEMU says, and their disk is whole.

Images are made by the real qemu-img, or by the formats' specifications where it makes none.
"""

import contextlib
import json
import subprocess
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from hostile.chains import (
    differencing_vdi,
    differencing_vhd,
    differencing_vhdx,
    taken,
    vmdk_of,
)
from hostile.other_makers import bochs, cloop, cowd, dmg, write
from support import disk_images as images
from vmtiming_tui.errors import ImageError
from vmtiming_tui.escape import printable
from vmtiming_tui.images.byte_range import Piece, Stretch
from vmtiming_tui.images.gate.ask_qemu_img import QemuImg
from vmtiming_tui.images.gate.format_ledger import Ledger
from vmtiming_tui.images.gate.nodes import apart, block_node
from vmtiming_tui.images.gate.permission import Rules, settled, take
from vmtiming_tui.images.gate.unpacking import Unpacking
from vmtiming_tui.images.guard.opening import File

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


def by_name(file: File, _writable: bool) -> dict[str, object]:
    return {"driver": "file", "filename": file.path}


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


def test_the_real_qemu_opens_what_is_let_in_for_a_boot(raw, tmp_path, monkeypatch):
    """One QEMU, stopped, with a node for each image in each of its layers."""
    monkeypatch.chdir(tmp_path)
    paths = [
        made(raw, Path(f"image-{at}"), form, options.replace("a.data", f"{at}.data"), *words)
        for at, (form, options, *words) in enumerate(WAYS)
        if "Flat" not in options and "twoGb" not in options
    ]
    for maker in (cloop, bochs, dmg):
        paths.append(write(Path(maker.__name__), maker(raw.read_bytes())))
    images.sh("qemu-img", "create", "-q", "-f", "qcow2", "-b", "dmg", "-F", "dmg", "on-dmg")
    base = next(path for path, way in zip(paths, WAYS, strict=False) if way[0] == "vmdk")
    images.sh("qemu-img", "create", "-q", "-f", "vmdk", "-b", base, "-F", "vmdk", "child")
    words: list[str] = []
    for at, path in enumerate([*paths, Path("on-dmg"), Path("child")]):
        node = block_node(taken(path).layers, by_name, name=f"n{at}", writable=False)
        words += [word for each in apart(node) for word in ("-blockdev", json.dumps(each))]
    done = subprocess.run(
        ["qemu-system-x86_64", "-S", "-machine", "none", "-nodefaults", "-display", "none",
         "-monitor", "stdio", *words],
        input="quit\n", capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("maker", [cloop, bochs, dmg], ids=lambda maker: maker.__name__)
def test_what_qemu_reads_and_does_not_write_is_taken_and_never_written_to(raw, tmp_path, maker):
    image = write(tmp_path / "disk.img", maker(raw.read_bytes()))

    assert taken(image).format == maker.__name__
    assert whole_disk(image, tmp_path / "work") == raw.read_bytes()
    assert f"is a {maker.__name__} that QEMU only reads" in refusal(image, writable=True).message


# VMDKs in several files.


def cut(raw: Path, folder: Path, sizes: list[int], kinds: list[str], name: str = "disk") -> Path:
    """The disk as a VMDK in parts of these sizes and kinds."""
    at, lines, disk = 0, [], raw.read_bytes()
    for number, (size, kind) in enumerate(zip(sizes, kinds, strict=True), start=1):
        part = folder / f"{name}-{number}.vmdk"
        piece = write(folder / "piece", disk[at : at + size])
        if kind in ("FLAT", "VMFS"):
            piece.rename(part)
        elif kind == "VMFSSPARSE":
            write(part, cowd(piece.read_bytes()))
        elif kind == "SPARSE":
            images.sh("qemu-img", "convert", "-O", "vmdk", "-o", "subformat=twoGbMaxExtentSparse",
                      piece, folder / f"{name}-{number}x.vmdk")  # fmt: skip
            (folder / f"{name}-{number}x-s001.vmdk").rename(part)
        named = f' "{part.name}"' + (" 0" if kind == "FLAT" else "")
        lines.append(f"RW {size // 512} {kind}{'' if kind == 'ZERO' else named}")
        at += size
    return vmdk_of(folder / f"{name}.vmdk", *lines)


@pytest.mark.parametrize(
    "kinds",
    [
        ["FLAT", "FLAT", "FLAT"], ["SPARSE", "SPARSE", "SPARSE"], ["FLAT", "SPARSE", "VMFS"],
        ["VMFSSPARSE", "VMFSSPARSE", "VMFSSPARSE"], ["SPARSE", "ZERO", "VMFSSPARSE"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_vmdk_in_parts_of_any_kind_is_put_together(raw, tmp_path, kinds):
    sizes = [MIB, 256 * KIB, SIZE - MIB - 256 * KIB]
    image = cut(raw, tmp_path, sizes, kinds)
    wanted = bytearray(raw.read_bytes())
    if "ZERO" in kinds:
        wanted[MIB : MIB + 256 * KIB] = bytes(256 * KIB)

    assert whole_disk(image, tmp_path / "work") == wanted


@pytest.mark.parametrize("base", ["monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse"])
@pytest.mark.parametrize("top", ["vmdk", "twoGbMaxExtentSparse", "qcow2"])
def test_snapshots_in_parts_or_not_show_what_they_stand_on(raw, tmp_path, base, top):
    made(raw, tmp_path / "base.vmdk", "vmdk", f"subformat={base}")
    form = "qcow2" if top == "qcow2" else "vmdk"
    options = ["-o", f"subformat={top}"] if top == "twoGbMaxExtentSparse" else []
    image = tmp_path / "top"
    images.sh("qemu-img", "create", "-q", "-f", form, *options, "-b", "base.vmdk", "-F", "vmdk",
              image)  # fmt: skip
    images.sh("qemu-io", "-f", form, "-c", "write -P 7 1M 64k", image)
    wanted = bytearray(raw.read_bytes())
    wanted[MIB : MIB + 64 * KIB] = b"\7" * 64 * KIB

    assert whole_disk(image, tmp_path / "work") == wanted


def test_a_parent_that_is_gone_is_named(raw, tmp_path):
    base = made(raw, tmp_path / "base.vmdk", "vmdk")
    images.sh("qemu-img", "create", "-q", "-f", "vmdk", "-b", base, "-F", "vmdk", tmp_path / "top")
    base.unlink()

    found = refusal(tmp_path / "top")
    assert f"asks for the parent {str(base)!r}, which cannot be opened" in found.message
    assert found.hint == "put it back in its place"


def test_a_parent_that_was_written_to_since_is_no_parent(raw, tmp_path):
    base = made(raw, tmp_path / "base.vmdk", "vmdk")
    images.sh("qemu-img", "create", "-q", "-f", "vmdk", "-b", base, "-F", "vmdk", tmp_path / "top")
    images.sh("qemu-io", "-f", "vmdk", "-c", "write 0 64k", base)

    assert "is not what it was when a VMDK came to stand on it" in refusal(tmp_path / "top").message


def test_a_vmdk_that_differs_from_one_it_does_not_name_is_not_taken_for_whole(raw, tmp_path):
    """As VirtualBox makes snapshots, whose parents are in the machine's own file."""
    image = made(raw, tmp_path / "image", "vmdk")
    write(image, image.read_bytes().replace(b"parentCID=ffffffff", b"parentCID=1234abcd"))

    assert "differs from 'the image whose CID is 1234abcd'" in refusal(image).message


def test_a_part_of_a_vmdk_is_not_taken_for_all_of_it(raw, tmp_path):
    cut(raw, tmp_path, [MIB, 2 * MIB], ["SPARSE", "VMFSSPARSE"])
    for part in ("disk-1.vmdk", "disk-2.vmdk"):
        found = refusal(tmp_path / part)
        assert "is one part of a VMDK, whose description is in another file" in found.message


def test_an_extent_that_is_gone_is_named_and_one_that_lies_elsewhere_is_found(tmp_path):
    write(tmp_path / "disk-flat.vmdk", bytes(MIB))
    path = "/vmfs/volumes/5f0c/web 01/disk-flat.vmdk"
    image = vmdk_of(tmp_path / "disk.vmdk", f'RW 2048 VMFS "{path}"')
    found = refusal(image, in_parts=True)

    assert f"asks for the extent {path!r}, which cannot be opened" in found.message
    assert "'disk-flat.vmdk' lies beside the image: write 'disk-flat.vmdk'" in found.hint
    (tmp_path / "disk-flat.vmdk").unlink()
    assert "needs all of them: get this one, too" in refusal(image, in_parts=True).hint


@pytest.mark.parametrize(
    "text",
    [
        '# Disk DescriptorFile\r\nversion=3\r\nCID=fffffffe\r\nRW 2048 FLAT "a b.vmdk" 0\r\n',
        '\n# Disk DescriptorFile\n\nversion=1\n\n  RDONLY  2048  VMFS  "a b.vmdk"\n',
        '# Disk DescriptorFile\nversion=2\nencoding="windows-1252"\nRW 2048 FLAT "a b.vmdk" 0',
    ],
)
def test_a_description_is_read_as_its_makers_write_it(raw, tmp_path, text):
    write(tmp_path / "a b.vmdk", raw.read_bytes()[:MIB])
    image = write(tmp_path / "disk", text.encode())

    assert whole_disk(image, tmp_path / "work") == raw.read_bytes()[:MIB]


# Damaged.


@pytest.mark.parametrize(
    ("form", "options"),
    [("qcow2", ""), ("qcow2", "extended_l2=on"), ("vdi", ""), ("parallels", ""),
     ("vmdk", "subformat=monolithicSparse"), ("qcow2", "compat=0.10")],
)  # fmt: skip
def test_an_image_that_is_cut_short_is_said_to_be(raw, tmp_path, form, options):
    image = made(raw, tmp_path / "image", form, options)
    with image.open("r+b") as file:
        file.truncate(image.stat().st_size - (1028 if form == "parallels" else 66) * KIB)

    assert f"is cut short: a part of the {form} is missing at its end" in refusal(image).message


@pytest.mark.parametrize("form", ["vhdx", "vpc", "qed"])
def test_what_qemu_itself_finds_cut_short_is_refused_in_its_words(raw, tmp_path, form):
    image = made(raw, tmp_path / "image", form)
    with image.open("r+b") as file:
        file.truncate(image.stat().st_size // 2)

    with pytest.raises(ImageError) as caught:
        whole_disk(image, tmp_path / "work")
    assert "json:" not in caught.value.message
    assert "nbd" not in caught.value.message
    assert "get" in caught.value.hint


def test_a_compressed_vmdk_is_not_written_to(raw, tmp_path):
    image = made(raw, tmp_path / "image", "vmdk", "subformat=streamOptimized")

    found = refusal(image, writable=True)
    assert "is a vmdk that QEMU only reads, or compressed" in found.message
    assert f"leave out --persist, or write it anew: qemu-img convert -O qcow2 {image}" in found.hint


def test_a_qcow2_that_says_it_is_damaged_is_read_with_a_word_and_not_written_to(raw, tmp_path):
    image = made(raw, tmp_path / "image", "qcow2")
    with image.open("r+b") as file:
        file.seek(79)
        file.write(b"\2")

    (notice,) = taken(image).notices
    assert f"says of itself that it is damaged; mend it: qemu-img check -r all {image}" in notice
    assert "says of itself" in refusal(image, writable=True).message


def test_a_vhdx_of_large_sectors_is_said_to_be_one(tmp_path):
    image = tmp_path / "image"
    images.sh("qemu-img", "create", "-q", "-f", "vhdx", image, "16M")
    raw = bytearray(image.read_bytes())
    metadata = raw.index(b"metadata")
    kind = uuid.UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f").bytes_le
    at = raw.index(kind, metadata)
    place = metadata + int.from_bytes(raw[at + 16 : at + 20], "little")
    raw[place : place + 4] = (4096).to_bytes(4, "little")

    assert "sectors of 4096 bytes" in refusal(write(image, raw)).message


# Where QEMU does not look.


def test_a_fixed_vhd_is_told_by_its_end_and_no_other_image_is(raw, tmp_path):
    image = made(raw, tmp_path / "azure.vhd", "vpc", "subformat=fixed,force_size=on")
    assert (taken(image).format, taken(image).virtual_bytes) == ("vpc", SIZE)
    assert taken(image, format="raw").virtual_bytes == SIZE + 512

    footer = bytearray(image.read_bytes()[-512:])
    footer[100] ^= 1
    write(image, image.read_bytes()[:-512] + footer)
    assert taken(image).format == "raw"


def test_what_was_raw_before_a_guest_wrote_to_it_stays_raw_also_by_its_end(raw, tmp_path):
    image = write(tmp_path / "disk", bytes(SIZE + 512))
    ledger = Ledger(tmp_path / "state" / "ledger")
    ledger.write(settled(taken(image)))
    vhd = made(raw, tmp_path / "vhd", "vpc", "subformat=fixed,force_size=on")
    write(image, vhd.read_bytes())

    assert taken(image, Ledger(tmp_path / "state" / "ledger")).format == "raw"


@pytest.mark.parametrize(
    ("maker", "parent", "words"),
    [
        (differencing_vhd, "base, old.vhd", "VBoxManage clonemedium disk"),
        (differencing_vhd, "\x1b[31mred.vhd", "VBoxManage clonemedium disk"),
        (differencing_vhdx, "..\\base.vhdx", "Convert-VHD -Path"),
        (differencing_vdi, uuid.UUID(int=7), "VBoxManage clonemedium disk"),
    ],
)
def test_an_image_that_differs_from_a_parent_is_refused_and_names_it(
    tmp_path, maker, parent, words
):
    found = refusal(maker(tmp_path / "a child", parent))

    assert "is a differencing" in found.message
    assert printable(str(parent), keep="") in found.message
    assert words in found.hint
    assert "differs from" not in refusal(tmp_path / "a child", format="qcow2").message
