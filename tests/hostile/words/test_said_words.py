"""An image's words where they are said: shown as they can be, and never obeyed."""

import pytest

from hostile.words.spun import VERSION, assert_reports, ext4, spun, spun_again
from support import disk_images as images
from vmtiming_tui.images.spin.wanted import Made

TEXTS = ["\x1b[2J", "$(touch {marker})", '"; touch {marker}; "', "\r\x00\x7f\u202e", "x" * 5000]


@pytest.mark.parametrize("words", TEXTS)
def test_names_of_systems_kernels_and_disks_are_said_as_they_can_be_shown(
    words, system, host, tmp_path, monkeypatch
):
    evil = host.evil(words)
    images.write(system / "etc/os-release", f'PRETTY_NAME="{evil}\nready: x"\nNAME={evil}\n')
    images.write(system / "etc/fstab", f"/dev/{evil} /{evil} xfs\nLABEL={evil} /home ext4\n")
    name = host.name(words).replace("\0", "")[:150]
    images.write(system / f"boot/vmlinuz-9{name}", "kernel")
    images.write(system / f"boot/initrd.img-9{name}", "initrd")
    images.write(
        system / "boot/loader/entries/a.conf",
        f"title {evil}\nversion 10{evil}\nlinux /boot/vmlinuz-{VERSION}\ninitrd {evil}\n",
    )

    made = spun(ext4(tmp_path, system), monkeypatch, kernel_version=f"9{name}")
    dry = spun_again(tmp_path, monkeypatch, dry_run=True)
    unknown = spun_again(tmp_path, monkeypatch, kernel_version=evil)

    assert_reports(made)
    assert (made.work / "vmlinuz").read_text() == "kernel"
    assert dry.made is not None
    assert dry.made == Made(
        files=("rootfs.img", "vmlinuz", "initrd"), root_bytes=dry.made.root_bytes
    )
    assert unknown.refused is not None


def test_two_systems_with_forged_names(system, host, tmp_path, monkeypatch):
    images.write(system / "etc/os-release", "NAME='a\x1b[2J'\n")
    part = images.Partition("linux", ext4(tmp_path, system))
    image = images.disk(tmp_path / "two.img", "gpt", [part, part])

    made = spun(image, monkeypatch)

    assert made.refused is not None
    assert made.refused.message.splitlines()[1:] == [
        r"  partition 1: a\x1b[2J", r"  partition 2: a\x1b[2J",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "where", ["srv\nBlock count: a[$(touch {marker})]", "/mnt\x1b[2J", "$(touch {marker})"]
)
def test_where_it_was_last_mounted_is_nobodys_business(where, system, host, tmp_path, monkeypatch):
    image = ext4(tmp_path, system)
    images.sh("tune2fs", "-M", host.evil(where)[:64], image)
    images.sh("tune2fs", "-L", "\x1b[2J$(id)", image)

    assert_reports(spun(image, monkeypatch))
