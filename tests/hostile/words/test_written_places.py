"""Folders and files we write into, under names of the image's own."""

import os
import shutil

import pytest

from hostile.words.spun import EVIL, assert_reports, ext4, spun
from support import disk_images as images
from vmtiming_tui.images.files.tree import FileKind

PLACES = [
    "usr/bin", "etc", "etc/systemd", "etc/systemd/system", "etc/systemd/system-preset",
    "etc/systemd/system/multi-user.target.wants", "usr/lib/systemd/system", "usr/lib",
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_folders_that_are_links_to_any_name_are_written_into(
    place, system, host, tmp_path, monkeypatch
):
    for number, words in enumerate(EVIL):
        root = tmp_path / f"tree-{number}"
        shutil.copytree(system, root, symlinks=True)
        name = host.name(words)
        real = root / "srv" / name
        real.parent.mkdir()
        there = root / place
        if there.exists():
            there.rename(real)
        else:
            real.mkdir()
            there.parent.mkdir(parents=True, exist_ok=True)
        there.symlink_to("/srv/" + name)
        folder = tmp_path / f"spin-{number}"
        folder.mkdir()

        made = spun(ext4(folder, root), monkeypatch)

        assert_reports(made)
        assert made.files().has(f"srv/{name}")
        shutil.rmtree(root)
        shutil.rmtree(folder)


@pytest.mark.parametrize("place", PLACES[:-2])
@pytest.mark.parametrize("target", ["{decoy}/usr/bin", "/../../..{decoy}", EVIL[0], EVIL[1], "."])
def test_links_that_lead_nowhere_in_the_image_lead_nowhere_at_all(
    place, target, system, host, tmp_path, monkeypatch
):
    there = system / place
    if there.exists():
        shutil.rmtree(there)
    there.parent.mkdir(parents=True, exist_ok=True)
    there.symlink_to(host.evil(target).replace("{decoy}", str(host.decoy)))

    made = spun(ext4(tmp_path, system), monkeypatch)

    assert made.refused is not None or target == "."


def test_a_file_in_the_place_of_a_folder_is_refused(system, host, tmp_path, monkeypatch):
    images.write(system / "etc/systemd", "a file")

    made = spun(ext4(tmp_path, system), monkeypatch)

    assert made.refused is not None
    assert "is no folder, and leads to none" in made.refused.message


@pytest.mark.parametrize("place", ["usr/bin/vm-report", "etc/fstab", "etc/crypttab"])
def test_links_in_the_place_of_our_files_are_replaced_not_followed(
    place, system, host, tmp_path, monkeypatch
):
    images.write(system / "etc/crypttab", "luks UUID=x none\n")
    images.write(system / "srv/aim", "luks UUID=x none\n")
    (system / place).unlink(missing_ok=True)
    (system / place).symlink_to("/srv/aim")

    made = spun(ext4(tmp_path, system), monkeypatch)

    assert_reports(made)
    files = made.files()
    assert files.text("srv/aim") == "luks UUID=x none\n"
    found = files.find(place, follow=False)
    assert found is not None
    assert found.node.kind is FileKind.FILE


def test_a_folder_in_the_place_of_our_file_is_refused(system, host, tmp_path, monkeypatch):
    (system / "usr/bin/vm-report").mkdir()

    made = spun(ext4(tmp_path, system), monkeypatch)

    assert made.refused is not None
    assert "/usr/bin/vm-report could not be written" in made.refused.message


def test_selinux_labels_are_set_by_our_words(system, host, tmp_path, monkeypatch):
    images.write(system / "etc/selinux/config", "SELINUX=$(id)\nSELINUX=enforcing\x1b[2J\n")
    for folder in ("etc", "usr/bin"):
        os.setxattr(system / folder, "user.note", b'"\nrm /etc/passwd\n')
    image = ext4(tmp_path, system)
    images.write(tmp_path / "label", b"system_u:object_r:etc_t:s0\0")
    images.sh("debugfs", "-w", "-R", f"ea_set -f {tmp_path}/label /etc security.selinux", image)

    made = spun(image, monkeypatch)

    assert_reports(made)
    assert "SELinux is enforcing: the new files get their labels, a relabelling is not needed" in (
        made.said
    )
