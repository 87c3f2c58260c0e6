"""Paths of an image that lead out of it are followed inside it."""

import pytest

from hostile.words.spun import assert_reports, ext4, spun, spun_again
from readers.memory import Link, tree
from support import disk_images as images
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.system.osrelease import folder_of_units, name_of_system

OUT = [
    "/../../../../../../..{decoy}/etc/passwd",
    "../../../../..{decoy}/etc/passwd",
    "{decoy}/etc/passwd",
]


@pytest.mark.parametrize("path", OUT)
def test_a_kernel_named_by_a_path_that_leads_out_is_looked_for_in_the_image(
    path, system, host, tmp_path, monkeypatch
):
    path = path.replace("{decoy}", str(host.decoy))
    entries = system / "boot/loader/entries"
    images.write(entries / "a.conf", f"version 99\nlinux {path}\ninitrd {path}\n")
    images.write(entries / "b.conf", "version 98\nlinux /usr/../../etc/passwd\ninitrd /a\n")
    (system / "boot/vmlinuz-97").symlink_to(path)
    images.write(system / "boot/initrd-97", "initrd")

    dry = spun(ext4(tmp_path, system), monkeypatch, dry_run=True)
    outside = spun_again(tmp_path, monkeypatch, kernel_version="97")
    inside = spun_again(tmp_path, monkeypatch, kernel_version="98")

    assert "/etc/passwd" in "\n".join(dry.said)
    assert "(boot/vmlinuz-97" in "\n".join(dry.said)
    assert not any("99 (" in line for line in dry.said)
    assert outside.refused is not None
    assert "the kernel boot/vmlinuz-97 cannot be read" in outside.refused.message
    assert inside.refused is not None
    assert (inside.work / "vmlinuz").read_text() == "the image's own"


@pytest.mark.parametrize("place", ["etc/os-release", "etc/fstab", "etc/machine-id", "etc/crypttab"])
def test_a_text_that_is_a_link_out_is_read_in_the_image(place, system, host, tmp_path, monkeypatch):
    (system / place).unlink(missing_ok=True)
    (system / place).symlink_to(f"/../../../..{host.decoy}/etc/passwd")

    made = spun(ext4(tmp_path, system), monkeypatch)

    assert_reports(made)
    assert not any("the host's own" in line for line in made.said)
    assert b"the host's own" not in (made.work / "rootfs.img").read_bytes()


def test_links_in_a_circle_end():
    files = tree({"etc/os-release": Link(b"../etc/os-release"), "usr/lib": Link(b"/usr/lib"),
                  "etc/fstab": Link(b"/" + b"etc/../" * 500 + b"fstab")})  # fmt: skip

    assert name_of_system(files) == "a system without os-release"
    with pytest.raises(ImageError, match="no init at all"):
        folder_of_units(files)
