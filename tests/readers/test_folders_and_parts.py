"""A folder, or a part of a split file, given for a disk image: told by names, nothing is opened."""

import pytest

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.packed.folders import refuse_folder
from vmtiming_tui.images.packed.split_files import refuse_part


def made(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def words(error):
    return f"{error.message}; {error.hint}"


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (["image.raw", "image.manifest", "image.vmlinuz", "image.initrd"], "prepare {}/image.raw"),
        (["vm.vmx", "vm.vmdk", "vm-s001.vmdk", "vm-flat.vmdk"], "prepare {}/vm.vmdk"),
        (["Data/a b.qcow2", "config.plist"], "prepare '{}/Data/a b.qcow2'"),
        (["a.img.xz", "b.img.xz"], "prepare {}/a.img.xz (or b.img.xz)"),
        ([], "name the disk image itself; "),
        (["README", "notes.txt"], "name the disk image itself; "),
    ],
)
def test_the_disk_in_a_folder_is_named(names, hint, tmp_path):
    error = refuse_folder(str(made(tmp_path, *names)))

    assert "is a folder; name the disk image itself" in error.message
    assert words(error).endswith(hint.format(tmp_path))


@pytest.mark.parametrize(
    ("kernel", "rest"), [("boot/vmlinuz-6.1", ""), ("boot/grub/grub.cfg", " -k KERNEL -i INITRD")]
)
def test_a_folder_with_the_files_of_a_system_becomes_a_disk(kernel, rest, tmp_path):
    said = words(refuse_folder(str(made(tmp_path, "usr/lib/os-release", kernel))))

    assert "is a folder with the files of a system" in said
    assert f"mke2fs -q -t ext4 -d {tmp_path} root.img 8G" in said
    assert said.endswith(f"vm-timing-report prepare root.img{rest}")


def test_a_folder_with_a_containers_image(tmp_path):
    error = refuse_folder(str(made(tmp_path, "oci-layout", "index.json", "blobs/sha256/0.raw")))

    assert "container's image (OCI), which has no kernel" in error.message


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (("disk.raw.001", "disk.raw.002"), "cat {0}/disk.raw.[0-9][0-9][0-9] > {0}/disk.raw && "),
        (("disk.raw.002", "disk.raw.001"), "vm-timing-report prepare {0}/disk.raw"),
        (("disk.xz.aa", "disk.xz.ab"), "cat {0}/disk.xz.[a-z][a-z] > {0}/disk.xz && "),
        (("disk.zip", "disk.z01"), "zip -s 0 {0}/disk.zip --out {0}/disk-whole.zip && "),
        (("disk.z01", "disk.zip"), "vm-timing-report prepare {0}/disk-whole.zip"),
    ],
)
def test_a_part_of_a_split_file(names, hint, tmp_path):
    made(tmp_path, *names)

    with pytest.raises(ImageError) as refused:
        refuse_part(str(tmp_path / names[0]))

    assert f"as {tmp_path}/{names[1]} is" in refused.value.message
    assert hint.format(tmp_path) in refused.value.hint


@pytest.mark.parametrize(
    "names", [("disk.raw.001",), ("debian-12.7", "debian-12.8"), ("disk.zip",), ("data", "datb")]
)
def test_a_file_that_only_looks_like_a_part_is_taken(names, tmp_path):
    made(tmp_path, *names)

    refuse_part(str(tmp_path / names[0]))


def test_a_larger_neighbour_is_no_next_part(tmp_path):
    made(tmp_path, "daily.001")
    (tmp_path / "daily.002").write_bytes(b"larger")

    refuse_part(str(tmp_path / "daily.001"))
