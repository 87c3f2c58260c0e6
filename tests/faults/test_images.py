"""Disk images that are none, or that ask for more than their own bytes."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from faults.fault import Fault, as_one
from faults.scene import How, Scene
from hostile.chains import differencing_vhd, overlay, vmdk_description, with_data_file

TITLE = "Images that ask for more"

KEPT = "the other VMs; nothing of the file asked for is opened"


def odd(make: Callable[[Path, Path], object]) -> How:
    """Have VM 0 boot from an image that was made with a host's file elsewhere in mind."""

    @contextmanager
    def how(scene: Scene) -> Iterator[None]:
        secret = scene.folder / "elsewhere" / "secret"
        secret.parent.mkdir()
        secret.write_bytes(bytes(512))
        os.utime(secret, ns=(0, 0))
        folder = scene.folder / "deep" / "vms"
        folder.mkdir(parents=True)
        make(folder / "odd-0.img", secret)
        base = scene.folder / "base.img"
        base.write_bytes(bytes(512))
        scene.words += ["-v", str(folder), "-p", "odd", "--base", str(base)]
        yield
        assert "VM 1 reported as booted" in scene.said
        assert secret.stat().st_atime_ns == 0

    return how


def encrypted(image: Path, _: Path) -> None:
    words = ["--object", "secret,id=s,data=x", "-o", "encrypt.format=aes,encrypt.key-secret=s"]
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", *words, image, "1M"],
        check=True, capture_output=True,
    )  # fmt: skip


def vmdk_in_parts(image: Path, _: Path) -> None:
    (image.parent / "odd-flat.vmdk").write_bytes(bytes(1 << 20))
    vmdk_description(image, "odd-flat.vmdk")


def cut_short(image: Path, _: Path) -> None:
    raw = image.with_name("whole")
    raw.write_bytes(b"something" * 100_000)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, image], check=True)
    os.truncate(image, image.stat().st_size - 500_000)


@contextmanager
def header_of_a_guest(scene: Scene) -> Iterator[None]:
    """A first run writes to a raw disk; then its guest's header stands there."""
    (scene.folder / "mine-0.img").write_bytes(bytes(1 << 20))
    scene.number = 1
    scene.words += ["-p", "mine", "--persist"]
    assert scene.run().code == 0, scene.said
    made = overlay(scene.folder / "made", "/etc/passwd").read_bytes()
    with (scene.folder / "mine-0.img").open("r+b") as disk:
        disk.write(made)
    yield
    (scene.folder / "mine-0.img").unlink()


FAULTS: list[Fault[How]] = [
    *as_one(
        "an image is a pipe, a socket, a folder or a device",
        [
            Fault(
                "an image is a pipe",
                odd(lambda image, _: os.mkfifo(image)),
                ends="exit code 1",
                words="is a named pipe",
                kept="the other VMs; it is not even opened",
            ),
            Fault(
                "an image is a link to a device",
                odd(lambda image, _: image.symlink_to("/dev/zero")),
                ends="exit code 1",
                words="is a character device",
            ),
        ],
    ),
    *as_one(
        "an image asks for a backing or data file that is neither in its own folder nor above it",
        [
            Fault(
                "an image has a backing file elsewhere",
                odd(lambda image, secret: overlay(image, str(secret))),
                ends="exit code 1",
                words="which is neither in its own folder nor in the one above it",
                kept=KEPT,
            ),
            Fault(
                "an image has a data file elsewhere",
                odd(lambda image, secret: with_data_file(image, str(secret))),
                ends="exit code 1",
                words="which is neither in its own folder nor in the one above it",
            ),
            Fault(
                "an image has a backing file that leads elsewhere by ..",
                odd(lambda image, _: overlay(image, "../../elsewhere/secret")),
                ends="exit code 1",
                words="which is neither in its own folder nor in the one above it",
            ),
        ],
    ),
    *as_one(
        "an image asks for a network, or another of QEMU's drivers",
        [
            Fault(
                "an image asks for a network",
                odd(lambda image, _: overlay(image, "nbd://127.0.0.1/x")),
                ends="exit code 1",
                words="asks for the backing file 'nbd://127.0.0.1/x', which is no file's name",
                kept=KEPT,
            ),
            Fault(
                "an image asks for a driver by JSON",
                odd(lambda image, secret: overlay(image, f'json:{{"filename":"{secret}"}}')),
                ends="exit code 1",
                words="which is no file's name",
            ),
        ],
    ),
    *as_one(
        "a VMDK's data is in other files, which are there or gone",
        [
            Fault(
                "a VMDK's data is in other files",
                odd(vmdk_in_parts),
                ends="exit code 1",
                words="is a VMDK whose data is in other files ('odd-flat.vmdk')",
                kept=KEPT,
            ),
            Fault(
                "a VMDK's data is gone",
                odd(lambda image, _: vmdk_description(image, "gone-s001.vmdk")),
                ends="exit code 1",
                words="asks for the extent 'gone-s001.vmdk', which cannot be opened",
            ),
        ],
    ),
    Fault(
        "a VHD, VHDX or VDI holds only what differs from another",
        odd(lambda image, _: differencing_vhd(image, "base.vhd")),
        ends="exit code 1",
        words="it holds only what differs from 'base.vhd'",
        kept="the other VMs",
    ),
    Fault(
        "a download of an image was broken off",
        odd(cut_short),
        ends="exit code 1",
        words="is cut short: a part of the qcow2 is missing at its end",
        kept="the other VMs",
    ),
    Fault(
        "an image is encrypted",
        odd(encrypted),
        ends="exit code 1",
        words="is encrypted",
        kept="the other VMs",
    ),
    Fault(
        "a guest with `--persist` writes another format's header to its raw disk",
        header_of_a_guest,
        ends="exit code 0",
        words="begins like a qcow2, and is booted as raw",
        kept="the host's files: the format was written down before the guest could write",
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_an_image_gets_what_it_may_have(fault: Fault[How], scene: Scene):
    scene.suffers(fault)
