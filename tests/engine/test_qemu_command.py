"""The command line QEMU is given."""

import itertools
import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from support.qemu_words import split_options
from vmtiming_tui.engine.qemu.command_line import command_line
from vmtiming_tui.engine.qemu.disks import GivenFiles, root_words
from vmtiming_tui.engine.qemu.option_words import option
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.gate.permission import Image, Layer
from vmtiming_tui.images.gate.qcow2 import write_empty
from vmtiming_tui.images.guard.opening import open_file
from vmtiming_tui.model.config import Accel, AfterReport, BootMode, KernelDetail, RunConfig

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


def words(config: RunConfig, socket: str = "/run/x/report"):
    return command_line(
        1, config, accel=Accel.TCG, disks=("-blockdev", "{}"), report_socket=Path(socket)
    )


def value(found: list[str], flag: str, holding: str = "") -> str:
    return next(
        text for name, text in itertools.pairwise(found) if name == flag and holding in text
    )


@given(NAMES, NAMES)
def test_option_values_survive_qemus_syntax_whatever_they_hold(first: str, second: str):
    assert split_options(option("socket", path=first, id=second)) == [
        "socket",
        f"path={first}",
        f"id={second}",
    ]


@given(NAMES)
def test_a_file_of_any_name_goes_by_a_number_and_is_named_for_people_only(name: str):
    with GivenFiles() as given:
        node = given.give(os.open(os.devnull, os.O_RDONLY), name, writable=False)
        words = given.words

    assert node == "/dev/fdset/1"
    assert split_options(value(words, "-add-fd")) == ["fd=6", "set=1", f"opaque=rdonly:{name}"]


@pytest.fixture
def chain(tmp_path):
    """An overlay on a qcow2 on a raw disk, as let in."""
    layers = []
    for name, form in (("top", "qcow2"), ("middle", "qcow2"), ("disk", "raw")):
        path = tmp_path / name
        path.write_bytes(bytes(512))
        file, fd = open_file(str(path))
        os.close(fd)
        layers.append(Layer(file=file, format=form))
    return Image(layers=tuple(layers), virtual_bytes=512)


def nodes_of(image: Image, *, persist: bool) -> dict[str, dict[str, object]]:
    """The nodes QEMU is given, by name; each comes after those it stands on."""
    with GivenFiles() as given:
        words = root_words(image, given, persist=persist)
    found: dict[str, dict[str, object]] = {}
    assert set(words[::2]) == {"-blockdev"}
    for node in map(json.loads, words[1::2]):
        below = {node[role] for role in ("file", "backing") if node.get(role)}
        assert below <= set(found)
        found[node["node-name"]] = node
    return found


def test_the_image_is_left_alone_unless_the_run_persists(chain):
    left = nodes_of(chain, persist=False)
    written = nodes_of(chain, persist=True)

    assert left["root"]["driver"] == "qcow2"
    assert [name for name, node in left.items() if not node.get("read-only")] == [
        "root-file",
        "root",
    ]
    assert [name for name, node in written.items() if not node["read-only"]] == [
        "root-file",
        "root",
    ]
    assert left["root-image"]["driver"] == "qcow2"


def test_every_layer_has_a_node_of_a_named_format_and_the_last_stands_on_nothing(chain):
    nodes = nodes_of(chain, persist=True)
    middle = nodes[nodes["root"]["backing"]]
    disk = nodes[middle["backing"]]

    assert [node["driver"] for node in (nodes["root"], middle, disk)] == ["qcow2", "qcow2", "raw"]
    assert "backing" not in disk
    alone = Image(layers=chain.layers[:1], virtual_bytes=512)
    assert nodes_of(alone, persist=True)["root"]["backing"] is None


def test_a_file_that_took_anothers_place_is_not_given(chain, tmp_path):
    (tmp_path / "new").write_bytes(bytes(512))
    (tmp_path / "new").replace(tmp_path / "disk")

    with pytest.raises(ImageError, match="was replaced"):
        nodes_of(chain, persist=True)


def test_what_takes_a_guests_writes_is_a_sound_qcow2_of_any_size(tmp_path):
    (tmp_path / "base, too.img").write_bytes(bytes(512))
    path = tmp_path / "new.qcow2"
    for size in (512, 1 << 20, (1 << 40) + 512, 16 << 40):
        with path.open("w+b") as file:
            write_empty(file.fileno(), size, backing="base, too.img", backing_format="raw")
        subprocess.run(["qemu-img", "check", "-q", path], check=True)
        told = json.loads(
            subprocess.check_output(["qemu-img", "info", "--output=json", "-f", "qcow2", path])
        )

        assert told["virtual-size"] == size
        assert told["backing-filename"] == "base, too.img"
        assert told["backing-filename-format"] == "raw"


def test_the_guest_is_told_its_number_and_the_users_arguments_come_last():
    append = value(words(RunConfig(kernel="k", append="panic=0 init=/bin/sh")), "-append")

    assert append == (
        "root=/dev/vda quiet VMREPORTID:1 vmreport.protocol=3 console=ttyS0 panic=1 "
        "panic=0 init=/bin/sh"
    )


@pytest.mark.parametrize("detail", KernelDetail)
def test_a_kernel_logs_its_initcalls_in_the_storms_that_are_to_tell_and_off_the_console(detail):
    told = value(words(RunConfig(kernel="k", kernel_detail=detail)), "-append").split()

    asked = [word for word in told if word.startswith(("initcall_debug", "log_buf_len="))]
    assert asked == (["initcall_debug", "log_buf_len=2M"] if detail is KernelDetail.ON else [])
    assert "quiet" in told


@pytest.mark.parametrize("boot", BootMode)
@pytest.mark.parametrize("after", AfterReport)
def test_a_guest_is_asked_to_wait_for_our_word_unless_it_is_to_go_its_own_way(boot, after):
    found = words(RunConfig(kernel="k", boot=boot, after_report=after))

    told = value(found, "-append" if boot is BootMode.KERNEL else "-smbios")
    assert ("vmreport.protocol=3" in told) is (after is not AfterReport.OFF)


def test_firmware_hands_on_number_and_protocol():
    found = words(RunConfig(boot=BootMode.FIRMWARE))

    assert value(found, "-smbios") == "type=1,serial=VMREPORTID:1,family=vmreport.protocol=3"


def test_the_users_qemu_arguments_come_last():
    assert words(RunConfig(kernel="k", qemu_args=("-m", "1G")))[-2:] == ["-m", "1G"]


def test_it_starts_stopped_and_ends_where_a_guest_would_reboot():
    found = words(RunConfig(kernel="k"))

    assert {"-S", "-no-reboot", "-nodefaults", "-no-user-config"} <= set(found)


def test_without_a_kernel_the_image_boots_itself():
    found = words(RunConfig())

    assert not {"-kernel", "-initrd", "-append"} & set(found)
