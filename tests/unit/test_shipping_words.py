"""What is said of files that are brought to hosts: what cannot be, and how far the others are."""

import contextlib
import os
import pty
from pathlib import Path

import pytest

from support.facts import plan_of
from vmtiming_tui.cluster.shipping.shipment import Shipped
from vmtiming_tui.model.config import BootMode, Inject, RunConfig
from vmtiming_tui.request.shipping import shipping_problems
from vmtiming_tui.session.shipping_progress import ShippingProgress
from vmtiming_tui.session.streams import Streams

MIB = 1 << 20
CONFIG = RunConfig(prefix="vm", kernel="k", base="rootfs.img")


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        RunConfig(prefix="vm", base="disk.qcow2", boot=BootMode.FIRMWARE),
        RunConfig(prefix="vm", base="disk.qcow2", kernel="k", inject=Inject.INITRD),
        RunConfig(prefix="vm", base="disk.qcow2", kernel="k", inject=Inject.CREDENTIALS),
    ],
)
def test_whatever_boots_from_a_base_can_be_brought(config):
    assert shipping_problems(plan_of(config)) == []


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (RunConfig(prefix="vm", kernel="k"), "give it with --base ROOTFS, or leave --ship out"),
        (RunConfig(prefix="vm", kernel="k", base="b", persist=True), "leave --persist out"),
    ],
)
def test_what_cannot_be_brought_is_said_with_what_to_do(config, words):
    (problem,) = shipping_problems(plan_of(config))

    assert words in problem.text


@pytest.mark.skipif(not Path("/dev/loop0").is_block_device(), reason="no block device to name")
def test_a_device_is_to_be_written_into_a_file_first():
    (problem,) = shipping_problems(plan_of(RunConfig(prefix="vm", kernel="k", base="/dev/loop0")))

    assert "qemu-img convert" in problem.text


def shipped(host: str, done_mib: int, all_mib: int, path: str = "/guests/rootfs.img") -> Shipped:
    return Shipped(host=host, path=path, done_bytes=done_mib * MIB, all_bytes=all_mib * MIB)


STORY = [
    shipped("a", 0, 10), shipped("b", 5, 10), shipped("a", 10, 10), shipped("b", 10, 10),
    shipped("a", 3, 3, "/guests/vmlinuz"), shipped("b", 0, 3, "/guests/vmlinuz"),
    shipped("b", 3, 3, "/guests/vmlinuz"),
]  # fmt: skip


def all_of(terminal: int) -> bytes:
    """Return what was written to a terminal that nobody holds any more."""
    pieces = []
    with contextlib.suppress(OSError):  # its end
        while piece := os.read(terminal, 1 << 16):
            pieces.append(piece)
    os.close(terminal)
    return b"".join(pieces)


def test_on_a_terminal_all_hosts_are_counted_in_place_and_gone_at_the_end():
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w") as err, Path(os.devnull).open("w") as out, Streams(out, err) as to:
        progress = ShippingProgress(to)
        for each in STORY:
            progress.show(each)
    shown = all_of(reader).decode()

    assert [frame.rstrip() for frame in shown.split("\r") if frame.strip()] == [
        "rootfs.img to 1 host: 0 % (0 MiB of 10 MiB)",
        "rootfs.img to 2 hosts: 25 % (5 MiB of 20 MiB)",
        "rootfs.img to 2 hosts: 75 % (15 MiB of 20 MiB)",
        "vmlinuz to 2 hosts: 50 % (3 MiB of 6 MiB)",
    ]
    assert shown.endswith("\r")


def test_without_a_terminal_each_file_that_is_not_everywhere_is_said_once(tmp_path):
    with (
        (tmp_path / "err").open("w") as err,
        Path(os.devnull).open("w") as out,
        Streams(out, err) as to,
    ):
        progress = ShippingProgress(to)
        for each in STORY:
            progress.show(each)

    assert (tmp_path / "err").read_text().splitlines() == [
        "Bringing /guests/rootfs.img to the hosts (10 MiB).",
        "Bringing /guests/vmlinuz to the hosts (3 MiB).",
    ]
