"""Texts of any size and shape in an image's settings."""

import re
import time

import pytest

from readers.memory import tree
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Stretch
from vmtiming_tui.images.disk.volumes import Volume
from vmtiming_tui.images.spin.root_words import root_arguments
from vmtiming_tui.images.system.fstab import new_crypttab, new_fstab, plan_merge
from vmtiming_tui.images.system.osrelease import name_of_system


@pytest.mark.parametrize(
    "text",
    ["x" * (3 << 20), "\n" * (1 << 20), "PRETTY_NAME=" + '"\\' * 200_000, "A=" * 300_000,
     "PRETTY_NAME='" + "x" * 900_000],
)  # fmt: skip
def test_an_os_release_of_megabytes_names_nothing(text):
    began = time.monotonic()
    name = name_of_system(tree({"etc/os-release": text.encode()}))

    assert len(name) < 300
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "line",
    ["a b\x1b[2J c d\n", "UUID= / ext4\n", "/dev/sda1 " + "/x" * 200 + " ext4\n", "\\040 " * 9],
)
def test_an_fstab_of_megabytes_takes_seconds_at_most(line):
    began = time.monotonic()
    text = line * ((1 << 20) // len(line))
    volumes = [Volume(name="partition 1", type="ext4", size=0, stretch=Stretch(()))] * 20

    _, remarks = plan_merge(text, volumes)
    new_fstab(text, "ext4")
    new_crypttab(text)

    assert all(remark.isprintable() for remark in remarks)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("options", ["rw\x1b[2J", "x" * 5000, "a\u2028b", "", "rw,\x00", "$(id)"])
def test_a_roots_options_stay_one_word_of_one_line(options):
    made = new_fstab(f"UUID=x / ext4 {options} 0 1\n", "ext4")

    assert re.fullmatch(r"/dev/vda / ext4 [!-~]+ 0 [01]\n", made)


@pytest.mark.parametrize(
    "path", ["/../../etc", "/a/../b", "/a\x1b", "/a'b", "/a\\012b", "/a$(id)", "a", "/a//b", "/a/."]
)
def test_only_plain_paths_are_mounted_on(path):
    volumes = [Volume(name="partition 1", type="ext4", size=0, stretch=Stretch(()))]

    below, remarks = plan_merge(f"/dev/sda1 {path} ext4 subvol=$(id),subvol=a'b\n", volumes)

    assert below == []
    assert remarks[0].isprintable()


@pytest.mark.parametrize(
    "name",
    ["a b", "a\nb", "a'b", "$(id)", "a\x1b", "", "a" * 300, "a,b", "..", "../a", "a/../b", "a\n"],
)
def test_a_subvolume_that_is_no_word_of_a_command_line_is_refused(name):
    volume = Volume(name="partition 1", type="btrfs", size=0, stretch=None, number=1)

    if not name:
        assert root_arguments(volume, name) == "root=/dev/vda1"
        return
    with pytest.raises(ImageError) as refused:
        root_arguments(volume, name)
    assert refused.value.message.isprintable()
