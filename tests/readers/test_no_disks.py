"""What is given for a disk image and is none: a sentence each, told by content."""

import struct

import pytest

from readers.lab import opened
from vmtiming_tui.images.packed.disks import plainly_no_disk
from vmtiming_tui.images.packed.no_disks import HEAD_BYTES, NO_DISKS, told
from vmtiming_tui.images.quoting import for_image

XML = b'<?xml version="1.0"?>\n<!-- made by hand -->\n'
HASH = b"0123456789abcdef" * 4


def at(place, mark):
    return bytes(place) + mark


SAMPLES = {
    "the medium of an installer": [at(0x8001, b"CD001"), b"\xeb\x63" + at(0x7FFF, b"BEA01")],
    "a Linux kernel": [at(0x202, b"HdrS"), b"MZ" + at(0x36, b"ARM\x64"), b"MZ\0\0zimg"],
    "a program for UEFI": [b"MZ\x90\0"],
    "an initrd": [b"070701000", b"070702000", b"\xc7\x71"],
    "an AppImage": [b"\x7fELF\2\1\1\0AI\2"],
    "a program or an unpacked kernel": [b"\x7fELF\2\1\1\0"],
    "an Android sparse image": [b"\x3a\xff\x26\xed"],
    "an Android boot image": [b"ANDROID!"],
    "a Proxmox backup": [b"VMA\0\0\0\0\1"],
    "a Windows image": [b"MSWIM\0\0\0"],
    "a 7z archive": [b"7z\xbc\xaf\x27\x1c"],
    "a RAR archive": [b"Rar!\x1a\x07\x01\0"],
    "a file packed by compress": [b"\x1f\x9d\x90"],
    "a cabinet archive": [b"MSCF\0\0\0\0"],
    "a package of a distribution": [b"!<arch>\ndebian-binary", b"\xed\xab\xee\xdb\3"],
    "a Clonezilla": [b"partclone-image0002"],
    "an FSArchiver archive": [b"FsArCh_002"],
    "an EnCase": [b"EVF\x09\x0d\x0a\xff\0"],
    "the image of a flash chip": [b"UBI#\1"],
    "a kernel or initrd packed for U-Boot": [b"\x27\x05\x19\x56", b"\xd0\x0d\xfe\xed"],
    "a Git LFS pointer": [b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n"],
    "a git-annex pointer": [b"/annex/objects/SHA256E-s1--1\n"],
    "a web page": [b"<!DOCTYPE html><html>", b"\n\n<HTML><head>", XML + b"<html xmlns=''>"],
    "an error message": [XML + b"<Error><Code>NoSuchKey</Code></Error>", b"404: Not Found",
                         b"Not Found\n"],
    "an .ovf": [XML + b'<ovf:Envelope><File ovf:href="disk 1.vmdk"/>', b"<Envelope xmlns='x'>"],
    "VirtualBox's description": [XML + b'<VirtualBox><HardDisk location="a.vdi"/>'],
    "libvirt's description": [b"<domain type='kvm'><source file='/v/a.qcow2'/>"],
    "VMware's description": [b'.encoding = "UTF-8"\nconfig.version = "8"\n',
                             b'#!/usr/bin/vmware\nscsi0:0.fileName = "a.vmdk"\n.encoding = "x"\n'],
    "a map of an image's blocks": [XML + b"<bmap version='2.0'>"],
    "a list of where to download from": [XML + b"<metalink xmlns='x'>"],
    "a torrent": [b"d8:announce35:udp://x", b"d7:comment3:abc"],
    "a zsync file": [b"zsync: 0.6.2\nFilename: a.iso\n"],
    "a list of checksums": [HASH + b"  a.qcow2\n", b"# a.qcow2: 1 bytes\nSHA256 (a) = " + HASH,
                            HASH[:32] + b" *a\n", HASH * 2 + b"\n", b"SHA256(a.vmdk)= " + HASH],
    "a signature": [b"-----BEGIN PGP SIGNATURE-----\n"],
    "the index of a container's image": [b'{\n  "schemaVersion": 2,', b'[{"Config":"a.json"'],
    "a description in JSON": [b'{"builds": [', b"[]", b'{\n  "image": "a.qcow2"'],
    "a script": [b"#!/bin/sh\n", b"#! /usr/bin/env bash\n"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("what", "head"), [(what, head) for what, heads in SAMPLES.items() for head in heads]
)
def test_it_is_told(what, head):
    found = told(head.ljust(512, b"\n") if head.isascii() else head)

    assert found is not None
    assert found.what.startswith(what)


def test_every_row_of_the_table_has_its_sample():
    assert len(NO_DISKS) == len(SAMPLES)
    for row, what in zip(NO_DISKS, SAMPLES, strict=True):
        assert row.what.startswith(what)
        assert row.hint


@pytest.mark.parametrize(
    "head", [b"", bytes(512), b"\xeb\x63\x90" + bytes(507) + b"\x55\xaa", b"Dear all,\n", b"BOOT"]
)
def test_a_disk_or_a_letter_is_none_of_them(head):
    assert told(head) is None


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (SAMPLES["an .ovf"][0], "prepare {folder}'disk 1.vmdk'"),
        (SAMPLES["an .ovf"][1], "prepare DISK"),
        (SAMPLES["VMware's description"][1], "prepare {folder}a.vmdk"),
        (SAMPLES["libvirt's description"][0], "prepare /v/a.qcow2"),
        (b'<Envelope><File href="-k"/>', "prepare {folder}./-k"),
        (b'<Envelope><File href="a$(b)"/>', "prepare {folder}'a$(b)'"),
        (b'<Envelope><File href="a\x1b[31m"/>', "prepare DISK"),
    ],
)
def test_a_description_names_its_disk_to_be_pasted(head, words):
    found = told(head)

    assert found is not None
    assert found.advice(head).endswith(words)


def test_a_disk_that_boots_as_a_cd_too_is_taken_by_its_root(tmp_path):
    """As systemd-repart makes it with --el-torito."""
    image = bytearray(1 << 20)
    image[0x8001:0x8006] = b"CD001"
    image[446:462] = struct.pack("<4xB3xII", 0x83, 200, 1800)
    image[510:512] = b"\x55\xaa"
    root = 200 * 512
    (tmp_path / "medium").write_bytes(image)
    image[root : root + 4] = b"XFSB"
    (tmp_path / "disk").write_bytes(image)

    for name, taken in (("medium", False), ("disk", True)):
        with opened(tmp_path / name) as stretch:
            assert (plainly_no_disk(stretch, stretch.head(HEAD_BYTES)) is None) is taken


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("m.ovf", "prepare 'disk 1.vmdk'"),
        ("down loads/m.ovf", "prepare 'down loads/''disk 1.vmdk'"),
        ("/m.ovf", "prepare /'disk 1.vmdk'"),
    ],
)
def test_the_disk_is_named_where_it_is(path, said):
    head = SAMPLES["an .ovf"][0]
    found = told(head)

    assert found is not None
    assert for_image(found.advice(head), path).endswith(said)
