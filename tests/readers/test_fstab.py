"""What an image's fstab and crypttab say, and what stands in their place."""

import pytest

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Stretch
from vmtiming_tui.images.disk.volumes import Volume
from vmtiming_tui.images.system.fstab import (
    mapper_name,
    new_crypttab,
    new_fstab,
    plan_merge,
    volume_of,
)

UUID = "5a6f1c3e-0d0b-4c6e-9f8a-0123456789ab"


def volume(name: str, *, here: bool = True, **facts: str) -> Volume:
    return Volume(name=name, type="ext4", size=0, stretch=Stretch(()) if here else None, **facts)


VOLUMES = [
    volume("partition 2", uuid=UUID, label="tiny", partuuid="AB-02", part_label="os-1"),
    volume("vg-a/home"),
    volume("vg-a/thin", here=False, label="thin"),
    volume("partition 12", uuid="1234-ABCD"),
]


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        (f"UUID={UUID.upper()}", "partition 2"),
        (f'UUID="{UUID}"', "partition 2"),
        (f"/dev/disk/by-uuid/{UUID}", "partition 2"),
        ("UUID=1234-abcd", "partition 12"),
        ("LABEL=tiny", "partition 2"),
        ("/dev/disk/by-label/tiny", "partition 2"),
        ("PARTUUID=ab-02", "partition 2"),
        ("PARTLABEL=os-1", "partition 2"),
        ("/dev/disk/by-partlabel/os-1", "partition 2"),
        ("PARTLABEL=OS-1", None),
        ("PARTLABEL=", None),
        ("/dev/mapper/vg--a-home", "vg-a/home"),
        ("/dev/vg-a/home", "vg-a/home"),
        ("/dev/sda2", "partition 2"),
        ("/dev/nvme0n1p12", "partition 12"),
        ("LABEL=TINY", None),
        ("LABEL=", None),
        ("LABEL=thin", None),
        ("/dev/sda", None),
        ("//server/share", None),
        ("tmpfs", None),
    ],
)
def test_a_line_means_a_volume_by_any_of_its_names(spec, name):
    found = volume_of(spec, VOLUMES)

    assert (found.name if found else None) == name


def test_the_device_mapper_doubles_dashes():
    assert mapper_name("my-vg/my-root") == "my--vg-my--root"


def test_file_systems_below_the_root_are_found_with_their_subvolumes():
    text = (
        "# comment\n/dev/sda2 / ext4 defaults 0 1\n"
        "/dev/vg-a/home\t/home btrfs rw,subvol=@home 0 0\n"
        "/dev/sda12 /srv/a\\040b ext4\n/dev/sda12 /boot ext4\n/dev/sdz9 /opt ext4 defaults\n"
        "/dev/sda12 none swap sw\ntmpfs /tmp tmpfs\n"
    )

    below, remarks = plan_merge(text, VOLUMES)

    assert [(place.volume.name, place.path, place.subvolume) for place in below] == [
        ("vg-a/home", "/home", "subvol=@home")
    ]
    assert remarks == [
        "/srv/a b is no place to put partition 12: left out",
        "/opt is on /dev/sdz9, which is not in this image: left out",
    ]


@pytest.mark.parametrize("path", ["/usr", "/var"])
def test_what_no_system_can_do_without_is_not_left_out(path):
    with pytest.raises(ImageError, match=f"{path} is on /dev/sdz9, which is not in this image"):
        plan_merge(f"/dev/sdz9 {path} xfs\n", VOLUMES)


def test_a_new_fstab_names_no_disk_that_is_not_there():
    text = (
        "# made by the installer\n\nUUID=x / ext4 errors=remount-ro,noatime 0 1\n"
        "UUID=y /boot ext4 defaults 0 2\ntmpfs /tmp  tmpfs  nosuid 0 0\n"
        "/srv/a /srv/b none bind 0 0\n/dev/sda3 none swap sw 0 0\n/swap.img none swap sw\n"
        "cgroup2 /cg cgroup2\nserver:/x /x nfs\n"
    )

    assert new_fstab(text, "ext4").splitlines() == [
        "/dev/vda / ext4 errors=remount-ro,noatime 0 1",
        "# not in this image: UUID=y /boot ext4 defaults 0 2",
        "tmpfs /tmp  tmpfs  nosuid 0 0",
        "/srv/a /srv/b none bind 0 0",
        "# not in this image: /dev/sda3 none swap sw 0 0",
        "# not in this image: /swap.img none swap sw",
        "cgroup2 /cg cgroup2",
        "# not in this image: server:/x /x nfs",
    ]


def test_options_of_another_kind_of_file_system_are_not_kept():
    assert new_fstab("UUID=x / btrfs subvol=@,compress 0 0", "ext4") == (
        "/dev/vda / ext4 defaults 0 0\n"
    )


def test_a_crypttab_is_emptied_and_one_without_volumes_left():
    assert new_crypttab("# none\n\n") == ""
    assert new_crypttab("# a\nluks UUID=x none\n\t b /dev/c\n") == (
        "# a\n# not in this image: luks UUID=x none\n# not in this image: \t b /dev/c\n"
    )
