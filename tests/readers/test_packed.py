"""Packed disks, unpacked as the box does it: any packing, any archive, one disk of it."""

import bz2
import gzip
import io
import lzma
import os
import struct
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

from support.packers import lz4, lzma_alone, zstd
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.packed.layers import Unwrapping
from vmtiming_tui.images.packed.packing import MARK_BYTES, packing_of

MIB = 1 << 20


def disk(mark=b"one"):
    """An ext4's mark in a mebibyte of which most is zeros, and another word in it."""
    raw = bytearray(MIB)
    raw[1024:2048] = superblock()
    raw[600_000 : 600_000 + len(mark)] = mark
    return bytes(raw)


def superblock():
    block = bytearray(1024)
    struct.pack_into("<IIIIIIIIII", block, 0, 128, 1024, 0, 900, 117, 1, 0, 0, 8192, 8192)
    struct.pack_into("<I", block, 40, 128)
    struct.pack_into("<HHHH", block, 56, 0xEF53, 1, 1, 0)
    struct.pack_into("<IIIIHH", block, 72, 0, 1, 0, 11, 128, 0)
    return bytes(block)


def lz4_frame(data):
    return subprocess.check_output(["lz4", "-qc"], input=data)


def lzop(data):
    return subprocess.check_output(["lzop", "-c"], input=data)


PACKERS = {
    "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "lzma": lzma_alone,
    "zstd": zstd, "lz4": lz4_frame, "lz4, as kernels read it": lz4, "lzop": lzop,
}  # fmt: skip


def tar(files, **how):
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", **how) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return held.getvalue()


def zipped(files, method=zipfile.ZIP_DEFLATED):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return held.getvalue()


@pytest.fixture
def unpack(tmp_path):
    """Unpack bytes; the result and what was said. Nothing but the result may be left."""
    said = []

    def call(packed, member=""):
        work = Path(tempfile.mkdtemp(dir=tmp_path))
        (tmp_path / "packed").write_bytes(packed)
        job = Unwrapping(work=work, wanted=member, say=said.append)
        with (tmp_path / "packed").open("rb", buffering=0) as file:
            found = job.unpack(file)
        assert [path.name for path in work.iterdir()] == [found.name]
        call.member, call.size = found.member, (work / found.name).stat()
        return (work / found.name).read_bytes()

    call.said = said
    return call


def refusal(unpack, packed, member=""):
    with pytest.raises(ImageError) as refused:
        unpack(packed, member)
    return f"{refused.value.message}; {refused.value.hint}"


# --- packings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PACKERS)
def test_every_packing_is_known_and_unpacked_with_its_holes(name, unpack):
    packed = PACKERS[name](disk())

    assert packing_of(packed[:MARK_BYTES]) == name.partition(",")[0]
    assert unpack(packed) == disk()
    assert unpack.size.st_blocks * 512 < MIB // 2


@pytest.mark.parametrize("name", PACKERS)
@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_a_download_that_stopped_is_told(name, kept, unpack):
    packed = PACKERS[name](disk(os.urandom(200_000)))

    assert "cut short" in (said := refusal(unpack, packed[: int(len(packed) * kept)])) or (
        "is damaged" in said
    )
    assert "get it again" in said


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz", "zstd", "lz4"])
def test_several_one_behind_another_are_one(name, unpack):
    pack, whole = PACKERS[name], disk()

    assert unpack(pack(whole[:700_000]) + pack(whole[700_000:])) == whole


def test_zeros_behind_an_xz_are_its_padding(unpack):
    assert unpack(lzma.compress(disk()) + bytes(4096)) == disk()


def test_what_a_builder_wrote_behind_a_gzip_is_left_out_and_said(unpack):
    assert unpack(gzip.compress(disk()) + b"FWx0" + b"{metadata}" * 20) == disk()
    assert unpack.said == ["what follows the gzip file in it is left out, as gzip does itself"]


def test_a_gzip_whose_content_was_changed_is_damaged(unpack):
    packed = bytearray(gzip.compress(disk(os.urandom(200_000))))
    packed[100_000] ^= 1

    assert "is damaged" in refusal(unpack, bytes(packed))


def test_packed_twice_is_unpacked_twice_and_not_without_end(unpack):
    packed = disk()
    for _ in range(3):
        packed = gzip.compress(packed)
    assert unpack(packed) == disk()

    assert "packed again and again" in refusal(unpack, gzip.compress(gzip.compress(packed)))


@pytest.mark.parametrize("name", PACKERS)
def test_nothing_that_is_packed_is_told(name, unpack):
    assert refusal(unpack, PACKERS[name](b"")) == "nothing is packed in it; get it again"


def test_a_disk_of_zeros_costs_no_room(unpack):
    unpack(gzip.compress(disk() + bytes(64 * MIB)))

    assert unpack.size.st_size == 65 * MIB
    assert unpack.size.st_blocks * 512 < MIB


def test_what_unpacks_to_more_than_any_disk_is_refused(unpack, monkeypatch):
    monkeypatch.setattr("vmtiming_tui.images.packed.flow.MAX_UNPACKED_BYTES", 8 * MIB)

    assert "unpacks to more than 8.0MB" in refusal(unpack, gzip.compress(disk() + bytes(9 * MIB)))


def test_a_missing_tool_is_named_with_its_package(unpack, monkeypatch):
    packed = zstd(disk())
    monkeypatch.setenv("PATH", "/nonexistent")

    assert refusal(unpack, packed) == (
        "zstd is needed to unpack it, and is not installed; apt-get install zstd"
    )


# --- archives ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", *PACKERS])
def test_the_disk_in_a_tar_that_may_be_packed(name, unpack):
    packed = tar({"README": b"Dear all,\n" * 9000, "./disk.raw": disk(), "x.json": b"{}"})

    assert unpack(PACKERS.get(name, bytes)(packed)) == disk()
    assert unpack.member == "./disk.raw"


@pytest.mark.parametrize("how", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tars_of_every_format(how, unpack):
    assert unpack(tar({"disk.raw": disk()}, format=how)) == disk()


@pytest.mark.parametrize("options", [["--format=oldgnu"], ["--format=gnu"], ["--format=pax"]])
def test_a_sparse_tar_as_clouds_take_it(options, unpack, tmp_path):
    (tmp_path / "disk.raw").write_bytes(disk())
    subprocess.run(
        ["tar", "-C", tmp_path, *options, "-Sczf", tmp_path / "image.tar.gz", "disk.raw"],
        check=True,
    )  # fmt: skip

    assert unpack((tmp_path / "image.tar.gz").read_bytes()) == disk()


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_the_disk_in_a_zip(method, unpack):
    files = {"machine/": b"", "machine/a.img": disk(), "__MACOSX/._a.img": b"\0\5\x16\7"}

    assert unpack(zipped(files, method)) == disk()
    assert unpack.member == "machine/a.img"


def test_a_disk_that_is_packed_inside_its_archive(unpack):
    assert unpack(tar({"disk.vmdk.gz": gzip.compress(disk())})) == disk()
    assert unpack(zipped({"a.img.xz": lzma.compress(disk())})) == disk()
    assert unpack(zipped({"a.img.zst": zstd(disk())})) == disk()


def test_an_archive_in_an_archive(unpack):
    assert unpack(zipped({"appliance.ova": tar({"disk.vmdk": disk()})})) == disk()
    assert unpack(gzip.compress(zipped({"disk.img": disk()}))) == disk()
    assert unpack.member == "disk.img"


def test_several_disks_until_one_is_chosen(unpack):
    packed = gzip.compress(tar({"a/disk.raw": disk(b"one"), "b/disk.raw": disk(b"two")}))

    said = refusal(unpack, packed)
    assert said.startswith("the archive has 2 disks: a/disk.raw (1.0MB), b/disk.raw (1.0MB); ")
    assert said.endswith("--member a/disk.raw")
    assert unpack(packed, "b/disk.raw") == disk(b"two")
    assert "several files in the archive are called so" in refusal(unpack, packed, "disk.raw")
    assert "has no 'c'; its disks are a/disk.raw" in refusal(unpack, packed, "c")


def test_a_whole_name_is_taken_before_the_same_name_in_a_folder(unpack):
    packed = tar({"old/disk.raw": disk(b"old"), "disk.raw": disk(b"new")})

    assert unpack(packed, "disk.raw") == disk(b"new")


def test_any_file_is_taken_that_is_asked_for(unpack):
    assert unpack(tar({"a": b"no mark" * 20_000, "disk.raw": disk()}), "a") == b"no mark" * 20_000


def test_a_member_of_what_is_no_archive(unpack):
    assert "is no archive of several files" in refusal(unpack, gzip.compress(disk()), "disk.raw")


OVF = b"""<?xml version="1.0"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1"
 xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="urn:rasd">
<References><File ovf:href="data.vmdk" ovf:id="f0"/><File ovf:href="boot.vmdk" ovf:id="f1"/>
</References><DiskSection><Disk ovf:diskId="d0" ovf:fileRef="f0"/>
<Disk ovf:diskId="d1" ovf:fileRef="f1"/></DiskSection><VirtualSystem><VirtualHardwareSection>
%s</VirtualHardwareSection></VirtualSystem></Envelope>"""
DRIVE = b"""<Item><rasd:HostResource>ovf:/disk/d1</rasd:HostResource>
<rasd:ResourceType>17</rasd:ResourceType></Item>"""


@pytest.mark.parametrize("ovf_first", [True, False])
def test_the_first_drive_of_an_ova_is_taken_and_said(ovf_first, unpack):
    disks = {"data.vmdk": disk(b"data"), "boot.vmdk": disk(b"boot")}
    ovf = {"machine.ovf": OVF % DRIVE}
    packed = tar(ovf | disks if ovf_first else disks | ovf)

    assert unpack(packed) == disk(b"boot")
    assert "its .ovf names boot.vmdk first, which is taken" in unpack.said[-1]
    assert unpack(packed, "data.vmdk") == disk(b"data")


def test_an_ovf_without_drives_names_its_disks_in_order(unpack):
    files = {"boot.vmdk": disk(b"boot"), "data.vmdk": disk(b"data"), "m.ovf": OVF % b""}

    assert unpack(tar(files)) == disk(b"data")


@pytest.mark.parametrize("ovf", [b"<Envelope", b"<!DOCTYPE x [<!ENTITY a 'b'>]><Envelope/>", b""])
def test_an_ovf_that_is_of_no_use_leaves_the_choice(ovf, unpack):
    files = {"m.ovf": ovf, "boot.vmdk": disk(b"boot"), "data.vmdk": disk(b"data")}

    assert "--member boot.vmdk" in refusal(unpack, tar(files))


def test_a_box_of_vagrants(unpack):
    files = {"metadata.json": b'{"provider":"libvirt"}', "Vagrantfile": b"", "box.img": disk()}

    assert unpack(gzip.compress(tar(files))) == disk()


# --- archives of something else ------------------------------------------------------------------

DESCRIPTION = b'# Disk DescriptorFile\nversion=1\nRW 2048 FLAT "disk-flat.vmdk" 0\n'
OTHERS = {
    "docker save": (
        tar({f"{'a' * 64}/layer.tar": tar({"etc/os-release": b""}), "manifest.json": b"[]",
             "repositories": b"{}"}),
        "is a container's, packed (docker or OCI): it has no kernel",
    ),
    "OCI": (
        tar({"oci-layout": b"{}", "index.json": b"{}", f"blobs/sha256/{'b' * 64}":
             gzip.compress(tar({"etc/os-release": b""}))}),
        "bootc-image-builder --type qcow2",
    ),
    "a root's tree": (
        tar({"./etc/os-release": b"", "./usr/bin/sh": b"#!" * 90_000}),
        "holds the files of a system, not a disk, and no kernel; make a disk of them, as root: "
        "mkdir tree && tar -xpf {image} -C tree",
    ),
    "a root's tree, zipped, with a kernel": (
        zipped({"rootfs/usr/lib/os-release": b"", "rootfs/boot/vmlinuz-6.1": b"k" * 90_000}),
        "unzip {image} -d tree && mke2fs -q -t ext4 -d tree root.img 8G && vm-timing-report "
        "prepare root.img",
    ),
    "XVA": (tar({"ova.xml": b"", "Ref:1/00000000": disk()}), "is a XenServer export"),
    "a VMDK of several files": (
        zipped({"vm/disk.vmdk": DESCRIPTION, "vm/disk-flat.vmdk": disk()}),
        "mkdir unpacked && unzip {image} -d unpacked, then vm-timing-report prepare "
        "unpacked/vm/disk.vmdk",
    ),
    "an ISO in a zip": (
        zipped({"os.iso": (bytes(0x8001) + b"CD001").ljust(MIB, b"\0")}),
        "has no disk image in it; os.iso is the medium of an installer or a live system",
    ),
    "papers": (tar({"a.txt": b"a" * 99_999}), "it has a.txt (98KB); --member NAME takes"),
    "nothing": (tar({"empty": b""}), "it has nothing"),
    "a packed kernel": (gzip.compress(bytes(0x202) + b"HdrS"), "the image is a Linux kernel"),
    "an initrd": (zstd(b"070701" + b"0" * 104), "is an initrd"),
}  # fmt: skip


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_packed_and_no_disk_is_told(kind, unpack):
    packed, words = OTHERS[kind]

    assert words in refusal(unpack, packed)


def test_an_encrypted_zip(unpack, tmp_path):
    (tmp_path / "disk.img").write_bytes(disk())
    subprocess.run(
        ["zip", "-q", "-P", "secret", "a.zip", "disk.img"], cwd=tmp_path, check=True
    )  # fmt: skip

    assert refusal(unpack, (tmp_path / "a.zip").read_bytes()).startswith("the archive is encrypted")


def test_a_zip_in_a_packing_that_python_lacks(unpack):
    packed = bytearray(zipped({"disk.img": disk()}))
    for mark, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        struct.pack_into("<H", packed, packed.index(mark) + at, 9)  # deflate64, as Windows has it

    assert "7z x {image}" in refusal(unpack, bytes(packed))


@pytest.mark.parametrize("kept", [0.3, 0.7])
def test_an_archive_cut_short(kept, unpack):
    content = disk(os.urandom(300_000))
    for packed in (tar({"a": content}), zipped({"a": content})):
        said = refusal(unpack, packed[: int(len(packed) * kept)])
        assert "the archive is damaged or cut short" in said


def test_a_zip_of_which_this_is_one_part(unpack):
    packed = b"PK\x07\x08" + zipped({"a": disk(os.urandom(99_999))})

    assert "is one part of a split archive" in refusal(unpack, packed[:50_000])
