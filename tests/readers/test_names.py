"""What a system calls itself, and what makes a tree a system (os-release(5))."""

import pytest

from readers.memory import Link, tree
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.system.osrelease import folder_of_units, looks_like_root, name_of_system


def named(text: str) -> str:
    return name_of_system(tree({"etc/os-release": text.encode()}))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('ID=tiny\nNAME="Tiny"\nPRETTY_NAME="Tiny Linux 1"\n', "Tiny Linux 1"),
        ('NAME="Tiny"\nID=tiny\n', "Tiny"),
        ('ID=tiny\nVERSION_ID="12"\n', "tiny"),
        ("PRETTY_NAME=\nID=tiny\n", "tiny"),
        ("PRETTY_NAME='Tiny \"1\"'\n", 'Tiny "1"'),
        (r'PRETTY_NAME="five \$ a \"day\" \\"', r'five $ a "day" \\'[:-1]),
        ("# PRETTY_NAME=no\nPRETTY_NAME=Bare word\n", "Bare"),
        ("VERSION=1\n", "a system without os-release"),
        ("PRETTY_NAME=\"open\n", "a system without os-release"),
    ],
)  # fmt: skip
def test_a_system_is_called_by_its_pretty_name_its_name_or_its_id(text, name):
    assert named(text) == name


def test_nothing_in_a_name_is_expanded():
    assert named('PRETTY_NAME="$(id) `id` ${HOME}"') == "$(id) `id` ${HOME}"


def test_the_file_below_usr_counts_where_etc_has_none():
    assert name_of_system(tree({"usr/lib/os-release": b"ID=tiny"})) == "tiny"
    assert name_of_system(tree({})) == "a system without os-release"


@pytest.mark.parametrize(
    ("files", "is_root"),
    [
        ({"etc/fstab": b"", "usr/bin/sh": b""}, True),
        ({"etc/x": b"", "bin/sh": b"", "usr/lib/os-release": b""}, True),
        ({"etc/x": b"", "bin": Link(b"usr/bin"), "usr/bin/sh": b"", "usr/sbin/init": b""}, True),
        ({"etc/fstab": b""}, False),
        ({"usr/bin/sh": b"", "usr/lib/os-release": b""}, False),
        ({"etc/x": b"", "usr/bin/sh": b""}, False),
    ],
)
def test_a_root_has_programs_settings_and_a_sign_of_a_system(files, is_root):
    assert looks_like_root(tree(files)) is is_root


@pytest.mark.parametrize("folder", ["usr/lib/systemd", "lib/systemd"])
def test_units_lie_beside_systemd(folder):
    assert folder_of_units(tree({f"{folder}/systemd": b""})) == f"{folder}/system"


def test_without_systemd_the_init_is_named():
    files = {"etc/os-release": b"ID=tiny", "sbin": Link(b"/usr/sbin"),
             "usr/sbin/init": Link(b"../bin/busybox"), "usr/bin/busybox": b""}  # fmt: skip

    with pytest.raises(ImageError, match=r"tiny has no systemd, .* its init: usr/bin/busybox"):
        folder_of_units(tree(files))
