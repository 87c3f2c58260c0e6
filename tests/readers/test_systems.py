"""Which kind of system an image has, and whether a copy of its root would be honest."""

import pytest

from readers.memory import Hollow, Link, Memory, tree
from vmtiming_tui.errors import AsItIsError, ImageError
from vmtiming_tui.images.byte_range import Stretch
from vmtiming_tui.images.disk.volumes import Volume
from vmtiming_tui.images.files.joined import below, with_usr
from vmtiming_tui.images.files.tree import Tree
from vmtiming_tui.images.spin.parts import Part
from vmtiming_tui.images.spin.whole_systems import (
    other_trees,
    plan_below,
    with_whole_roots,
    with_words_of_ours,
)
from vmtiming_tui.images.system.discoverable import below_by_type
from vmtiming_tui.images.system.layout import (
    refuse_copy,
    refuse_disk,
    refuse_root,
    systemd_version,
    without_root,
)
from vmtiming_tui.images.system.loader.carried import Carried

ROOT = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
ROOT_VERITY = "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5"
USR = "8484680c-9521-48c6-9c11-b0720656f69e"
USR_VERITY = "77ff5f63-e7b6-4633-acf4-1565b864c0e6"
HOME = "933ac7e1-2eb4-4f13-b844-0e14e2aef915"
VAR = "4d21b016-b534-45c2-a9fb-5c16e091fd2d"
CHROMEOS_KERNEL = "fe3a2a5d-4f32-41a7-b725-accc3285a309"
FLATCAR_USR = "5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6"
BOTTLEROCKET_ROOT = "5526016a-1a97-4ea4-b39a-b7c8c6ca4502"
MICROSOFT_RESERVED = "e3c9e316-0b5c-4db8-817d-f92df00215ae"
FREEBSD_UFS = "516e7cb6-6ecf-11d6-8ff8-00022d09712b"
STORE = "nix/store/0c5b6sw1dfsz7dqfs0x1m3z0zqpzqzqz-systemd-257.6/lib/systemd/systemd"
MACHINE_ID = "0123456789abcdef0123456789abcdef"
# As `systemd-id128 machine-id --app-specific=` of its type answers on that machine.
ITS_VAR = "c0c46eff-e386-4746-a2bd-0962cd326ea2"


def volume(number: int, kind_of_files: str = "ext4", **facts: str) -> Volume:
    return Volume(
        name=f"partition {number}",
        type=kind_of_files,
        size=0,
        stretch=Stretch(()),
        number=number,
        **facts,
    )


def part(volume: Volume, files, *, is_root: bool = False) -> Part:
    return Part(volume=volume, tree=Tree(Memory(files), volume.name), is_root=is_root)


EMPTY_ROOT = {
    "etc/machine-id": b"1\n", "bin": Link(b"usr/bin"), "lib": Link(b"usr/lib"),
    "sbin": Link(b"usr/sbin"),
}  # fmt: skip
OWN_USR = {
    "bin/sh": b"", "lib/os-release": b"ID=tiny\n", "lib/systemd/systemd": b"",
    "lib/x86_64-linux-gnu/systemd/libsystemd-shared-257.so": b"",
}  # fmt: skip


def told(tree: Tree, parts, *words: str, untouched: bool = True) -> list[str]:
    root = parts[0] if parts else part(volume(1), {})
    loaders = with_words_of_ours(Carried(words=words), tree, root, parts, untouched=untouched)
    return list(loaders.words)


# Put together


def test_files_of_two_file_systems_are_found_as_one_tree():
    root = tree({"etc/x": b"1", "usr/shadowed": b"", "lib": Link(b"usr/lib")})
    usr = tree({"lib/y": b"2", "up": Link(b"../etc/x"), "to": Link(b"/etc/x")})

    whole = with_usr(root, usr)

    assert whole.names("") == ["etc", "lib", "usr"]
    assert whole.names("usr") == ["lib", "to", "up"]
    assert [whole.text(path) for path in ("etc/x", "lib/y", "usr/lib/y", "usr/up", "usr/to")] == [
        "1", "2", "2", "1", "1",
    ]  # fmt: skip
    numbers = [
        found.node.number
        for path in ("", "etc", "etc/x", "usr", "usr/lib", "usr/lib/y")
        if (found := whole.find(path))
    ]
    assert len(set(numbers)) == 6


def test_a_folder_as_the_top_is_never_left():
    whole = tree({"deploy/etc/x": b"in", "etc/x": b"out", "deploy/up": Link(b"../../etc/x")})
    folder = whole.find("deploy")
    assert folder

    inside = below(whole, folder)

    assert inside.text("/etc/x") == inside.text("up") == "in"


def test_a_usr_of_its_own_is_found_by_its_type_where_no_fstab_tells():
    root, usr = volume(2, kind=ROOT), volume(3, kind=USR)

    whole = with_whole_roots([part(root, EMPTY_ROOT), part(usr, OWN_USR)])

    assert [each.is_root for each in whole] == [True, False]
    assert whole[0].whole and whole[0].whole.has("bin/sh")
    assert told(whole[0].whole, whole) == ["mount.usr=/dev/vda3", "mount.usrflags=ro"]
    assert told(whole[0].whole, whole, untouched=False) == []
    assert told(whole[0].whole, whole, "mount.usr=PARTUUID=1") == ["mount.usr=PARTUUID=1"]


def test_a_usr_of_its_own_is_found_by_the_fstab_before_any_type():
    root, usr, other = volume(2), volume(3), volume(4, kind=USR)
    fstab = EMPTY_ROOT | {"etc/fstab": b"/dev/sda3 /usr ext4 ro 0 0\n"}

    whole = with_whole_roots([part(root, fstab), part(usr, OWN_USR), part(other, {})])

    tree = whole[0].whole
    assert tree
    assert [(each.path, each.volume.number) for each in plan_below(tree, whole)[0]] == [("/usr", 3)]
    assert told(tree, whole) == []


def test_a_usr_that_is_not_here_is_why_there_is_no_root():
    fstab = EMPTY_ROOT | {"etc/fstab": b"UUID=12-34 /usr ext4 ro 0 0\n"}

    [whole] = with_whole_roots([part(volume(1), fstab)])

    assert whole.fault
    assert whole.fault.message == "/usr is on UUID=12-34, which is not in this image"


def test_of_two_slots_the_one_with_the_newest_name_is_taken():
    slots = [
        volume(2, kind=USR, part_label="os_9"), volume(3, kind=USR, part_label="os_10"),
        volume(4, kind=USR, part_label="_empty"),
    ]  # fmt: skip

    assert [each.volume.number for each in below_by_type(slots, "", ())] == [3]


def test_home_is_found_by_its_type_and_var_by_its_machine_as_well():
    home, var = volume(2, kind=HOME), volume(3, kind=VAR, partuuid=ITS_VAR)

    def found(machine_id: str, *taken: str) -> list[str]:
        return [each.path for each in below_by_type([home, var], machine_id, taken)]

    assert found(f"{MACHINE_ID}\n") == ["/home", "/var"]
    assert found(MACHINE_ID, "/home") == ["/var"]
    assert found("") == found("f" * 32) == found("uninitialized") == ["/home"]


def test_what_belongs_below_but_is_not_read_is_told():
    root = part(volume(1), EMPTY_ROOT, is_root=True)
    home = Part(volume=volume(2, "crypto_LUKS", kind=HOME))
    assert root.tree

    assert plan_below(root.tree, [root, home]) == (
        [], ["/home is on partition 2 (crypto_LUKS), which is not read here: left out"],
    )  # fmt: skip


@pytest.mark.parametrize("machine_id", [b"", b"\n", b"uninitialized\n"])
def test_a_first_boot_asks_nobody(machine_id):
    files = {"etc/machine-id": machine_id}
    first = tree(files | {"usr/lib/systemd/system/systemd-firstboot.service": b""})

    loaders = with_words_of_ours(
        Carried(words=("a",)), first, part(volume(1), {}), [], untouched=False
    )

    assert loaders.words == ("a", "systemd.firstboot=no")
    assert loaders.said == (
        "its first boot would ask at the console: systemd.firstboot=no has it ask nobody",
    )
    assert told(tree(files), []) == []
    assert told(first, [], "systemd.firstboot=yes") == ["systemd.firstboot=yes"]


# Which systemd


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("usr/lib/systemd/libsystemd-shared-252.so", 252),
        ("usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-257.so", 257),
        ("usr/lib64/systemd/libsystemd-shared-257.7-1.fc42.so", 257),
        ("usr/lib/systemd/libsystemd-shared-256~rc3.so", 256),
        ("lib/systemd/libsystemd-shared-249.so", 249),
        (STORE, 257),
        ("usr/lib/systemd/libsystemd-shared-9999999.so", 0),
        ("usr/lib/systemd/libsystemd-core-252.so", 0),
    ],
)
def test_systemd_tells_its_version_by_its_library(path, version):
    assert systemd_version(tree({path: b"", "bin/sh": b""})) == version


# What is refused, and what helps


def refusal(volumes, trees=()) -> ImageError:
    error = without_root(volumes, list(trees))
    assert error
    return error


def labelled(label: str, files) -> Tree:
    return Tree(Memory(files), label)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"systems/1/model": b"", "snaps/core24.snap": b""}, "Ubuntu Core, whose root is inside"),
        ({"live/filesystem.squashfs": b""}, "a live system: its root is in the file /live/files"),
        ({"LiveOS/squashfs.img": b""}, "/LiveOS/squashfs.img of partition 1"),
        ({"cOS/active.img": b""}, "/cOS/active.img"),
        ({"casper/minimal.squashfs": b""}, "/casper/minimal.squashfs"),
        ({"arch/x86_64/airootfs.sfs": b""}, "/arch/x86_64/airootfs.sfs"),
        ({"boot/1.5-rolling/1.5-rolling.squashfs": b""}, "/boot/1.5-rolling/1.5-rolling.squashfs"),
    ],
)
def test_a_system_that_is_put_together_at_boot_boots_as_it_is(files, words):
    error = refusal([volume(1)], [labelled("partition 1", files)])

    assert isinstance(error, AsItIsError)
    assert words in error.message


@pytest.mark.parametrize(
    ("volumes", "words"),
    [
        ([volume(1, "vfat", label="ubuntu-seed")], "an Ubuntu Core"),
        ([volume(3, "btrfs", kind=FLATCAR_USR), volume(9)], "as a /usr alone (partition 3)"),
        ([volume(2, "erofs", kind=USR), volume(3, "unknown", kind=USR_VERITY)], "a /usr alone"),
        ([volume(5, "squashfs", part_label="hassos-system0")], "read-only on partition 5 (squ"),
        ([volume(1, "zfs_member")], "on partition 1 (zfs_member), which is not read here"),
        ([volume(1, "linux_raid_member")], "(linux_raid_member), which is not read here"),
    ],
)
def test_volumes_without_a_root_that_is_read_tell_what_boots_as_it_is(volumes, words):
    error = refusal(volumes)

    assert isinstance(error, AsItIsError)
    assert words in error.message


@pytest.mark.parametrize(
    ("volumes", "files", "name"),
    [
        ([volume(n, part_label=name) for n, name in
          enumerate(("EFI", "BOOT", "META", "STATE", "EPHEMERAL"))], {}, "Talos Linux"),
        ([volume(1, "vfat")], {"EFI/Linux/Talos-v1.10.0.efi": b""}, "Talos Linux"),
        ([volume(1, part_label="super")], {}, "Android"),
        ([volume(2, "unknown", kind=FREEBSD_UFS)], {}, "a BSD"),
        ([volume(1, "zfs_member", kind=FREEBSD_UFS.replace("b6", "ba"))], {}, "a BSD"),
        ([volume(1, "unknown", kind=MICROSOFT_RESERVED), volume(2, "ntfs")], {}, "Windows"),
        ([volume(1, "ntfs")], {}, "Windows"),
        ([volume(1, "apfs")], {}, "macOS"),
    ],
)  # fmt: skip
def test_what_can_never_report_is_refused_by_its_name(volumes, files, name):
    error = refusal(volumes, [labelled("partition 1", files)])

    assert not isinstance(error, AsItIsError)
    assert error.message.startswith(f"the image is {name}, which has n")
    assert "manual guests" in error.hint


def test_what_nobody_knows_is_left_to_others():
    assert without_root([volume(1), volume(2, "vfat")], [tree({"srv/x": b""})]) is None


def test_a_usr_alone_tells_its_name_and_its_systemd():
    error = refusal([volume(2, kind=USR)], [labelled("partition 2", OWN_USR)])

    assert isinstance(error, AsItIsError)
    assert error.systemd == 257
    assert error.message.startswith("the image has tiny as a /usr alone (partition 2)")


def test_verified_roots_boot_as_they_are_alone():
    root = tree({f"usr/{path}": content for path, content in OWN_USR.items()})
    for own, hashes, path in ((ROOT, ROOT_VERITY, "/"), (USR, USR_VERITY, "/usr")):
        disk = [volume(2, kind=own), volume(3, "unknown", kind=hashes)]
        with pytest.raises(AsItIsError) as raised:
            refuse_root(root, disk)
        assert raised.value.message == (
            f"tiny has its {path} (partition 2) verified at every boot, by the hashes on "
            "partition 3"
        )
        assert raised.value.systemd == 257
        refuse_root(root, disk[:1])


def test_chromeos_like_disks_boot_as_they_are_where_they_have_systemd():
    disk = [volume(2, "unknown", kind=CHROMEOS_KERNEL), volume(3), volume(5)]
    cos = tree({"etc/os-release": b"ID=cos\n", "usr/lib/systemd/systemd": b""})

    with pytest.raises(
        AsItIsError, match="cos has two slots for its root, of which its own loader"
    ):
        refuse_disk(disk, [cos, cos])
    refuse_disk(disk, [tree({"sbin/init": b"upstart"})])
    refuse_disk(disk[1:], [cos])
    with pytest.raises(AsItIsError, match="two slots"):
        refuse_disk([volume(5, "squashfs", part_label="hassos-system0")], [cos])


def test_a_system_without_a_shell_cannot_report():
    with pytest.raises(ImageError, match="Bottlerocket, which has no shell"):
        refuse_disk([volume(2, kind=BOTTLEROCKET_ROOT)], [])


def test_nixos_takes_no_service_in_a_copy():
    nixos = tree({"etc/NIXOS": b"", "etc/os-release": b"NAME=NixOS\n", STORE: Hollow(1)})

    with pytest.raises(AsItIsError, match="NixOS has its units in /nix/store alone") as raised:
        refuse_copy(nixos, nixos)
    assert (raised.value.systemd, raised.value.untouched) == (257, True)
    debian = tree({"nix/store/x": b"", "etc/os-release": b"ID=debian\n"})
    refuse_copy(debian, debian)


def test_nixos_is_a_root_before_its_first_boot_made_the_rest():
    files = {"nix-path-registration": b"", STORE: Hollow(1), "boot/kernels/a": b""}

    [root] = with_whole_roots([part(volume(2), files)])

    assert root.is_root


# Deployments


def deployed(*systems: str, boot: str = "boot.1") -> dict[str, bytes | Link]:
    """Deployments as ostree lays them out, each with a kernel of its name."""
    files: dict[str, bytes | Link] = {
        "ostree/repo/config": b"",
        f"ostree/{boot}": Link(b"boot.1.1"),
    }
    for version in systems:
        folder = f"ostree/deploy/fcos/deploy/{version}.0"
        files |= {
            f"{folder}/usr/bin/sh": b"", f"{folder}/usr/lib/systemd/systemd": b"",
            f"{folder}/usr/lib/os-release": f"ID=fcos\nNAME={version}\n".encode(),
            f"{folder}/etc/fstab": b"", f"{folder}/ostree": Link(b"sysroot/ostree"),
            f"{folder}/usr/lib64/systemd/libsystemd-shared-257.9-1.fc43.so": b"",
            f"{folder}/usr/lib/modules/{version}/vmlinuz": b"",
            f"ostree/boot.1.1/fcos/sum-{version}/0":
                Link(f"../../../deploy/fcos/deploy/{version}.0".encode()),
        }  # fmt: skip
    return files


def test_a_deployment_is_a_root_that_boots_untouched():
    disk = volume(4, "xfs")
    [root] = with_whole_roots([part(disk, deployed("6.9", "6.17", "6.11"))])

    assert root.is_root
    assert root.whole
    assert root.whole.names("usr/lib/modules") == ["6.17"]
    with pytest.raises(AsItIsError, match=r"6\.17 is a deployment of ostree, whose /usr") as raised:
        refuse_copy(root.whole, root.tree)
    assert (raised.value.systemd, raised.value.untouched) == (257, True)
    assert told(root.whole, [root]) == ["ostree=/ostree/boot.1/fcos/sum-6.17/0"]
    assert told(root.whole, [root], "ostree=/a") == ["ostree=/a"]
    assert told(root.whole, [root], untouched=False) == []


def test_a_deployment_whose_name_is_no_plain_word_is_none():
    files = {path.replace("sum-6.17", 'a" init=/x'): content for path, content in
             deployed("6.17").items()}  # fmt: skip

    [part_of_them] = with_whole_roots([part(volume(4), files)])

    assert not part_of_them.is_root


def test_a_loader_may_start_from_the_boot_folder_beside_deployments():
    files = deployed("6.17") | {"boot/loader/entries/ostree-1.conf": b""}
    [root] = with_whole_roots([part(volume(4), files)])

    [boot] = other_trees(root, [root])

    assert boot.has("loader/entries/ostree-1.conf")


@pytest.mark.parametrize(
    "files", [{"ostree/deploy/fcos/var/x": b""}, {"composefs/images/a": b"", "state/deploy/a": b""}]
)
def test_deployments_that_cannot_be_read_boot_as_they_are(files):
    [part_of_them] = with_whole_roots([part(volume(4), files)])

    assert not part_of_them.is_root
    assert part_of_them.tree
    error = refusal([part_of_them.volume], [part_of_them.tree])
    assert isinstance(error, AsItIsError)
    assert "deployments on partition 4" in error.message
