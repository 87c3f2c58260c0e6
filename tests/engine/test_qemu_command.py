"""The command line QEMU is given."""

import itertools
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from vmtiming_tui.config import Accel, RunConfig
from vmtiming_tui.engine.option import option, split_options
from vmtiming_tui.engine.qemu import Drive, command_line

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


def words(config: RunConfig, image: str = "/vms/vm-1.img", socket: str = "/run/x/report"):
    drive = Drive(path=Path(image), format="qcow2")
    return command_line(1, config, accel=Accel.TCG, drive=drive, report_socket=Path(socket))


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
def test_an_image_of_any_name_is_one_word_that_names_it(name: str):
    image = f"/vms/{name}"
    drive = value(words(RunConfig(kernel="k", prefix="p"), image=image), "-drive")

    assert split_options(drive)[0] == f"file={Path(image)}"


def test_a_relative_image_is_never_taken_for_a_protocol():
    drive = value(words(RunConfig(kernel="k"), image="nbd:host:1-0.img"), "-drive")

    assert split_options(drive)[0] == "file=./nbd:host:1-0.img"


def test_the_image_is_left_alone_unless_the_run_persists():
    assert "snapshot=on" in value(words(RunConfig(kernel="k")), "-drive")
    assert "snapshot=off" in value(words(RunConfig(kernel="k", persist=True)), "-drive")


def test_the_guest_is_told_its_number_and_the_users_arguments_come_last():
    append = value(words(RunConfig(kernel="k", append="panic=0 init=/bin/sh")), "-append")

    assert append == ("root=/dev/vda quiet VMREPORTID:1 console=ttyS0 panic=1 panic=0 init=/bin/sh")


def test_the_users_qemu_arguments_come_last():
    assert words(RunConfig(kernel="k", qemu_args=("-m", "1G")))[-2:] == ["-m", "1G"]


def test_it_starts_stopped_and_ends_where_a_guest_would_reboot():
    found = words(RunConfig(kernel="k"))

    assert {"-S", "-no-reboot", "-nodefaults", "-no-user-config"} <= set(found)


def test_without_a_kernel_the_image_boots_itself():
    found = words(RunConfig())

    assert not {"-kernel", "-initrd", "-append"} & set(found)
