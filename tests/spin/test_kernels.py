"""Which kernel and initrd are taken, from every place distributions keep them."""

import pytest

from support import disk_images as images
from support.disk_images import Partition
from support.spinning import opened, spin

CENTOS = ("5.14.0-427.el9.x86_64", "5.14.0-427.13.1.el9_4.x86_64", "5.14.0-70.el9.x86_64")


def image_with_esp(folder, tree, fill):
    """A GPT disk whose system has no kernel in /boot; ``fill`` puts files into the ESP."""
    esp = folder / "esp"
    esp.mkdir()
    fill(esp)
    fat = images.vfat(folder / "esp.fs", esp, 34)
    root = images.ext4(folder / "root.fs", images.without_boot(tree, folder / "tree"), 64)
    return images.disk(
        folder / "disk.img", "gpt", [Partition("uefi", fat), Partition("linux", root)]
    )


def image_with_boot(folder, tree, fill):
    """A bare file system whose /boot is what ``fill`` puts there."""
    copy = images.without_boot(tree, folder / "tree")
    fill(copy / "boot")
    return images.ext4(folder / "disk.img", copy, 64)


def test_the_newest_that_is_no_rescue_kernel(bare, folder):
    spun = spin(bare, folder / "out")

    assert "kernel 6.1.0-56 " in spun.said
    assert spun.kernel == b"kernel 6.1.0-56" * 100
    assert spun.initrd.rstrip(b"\0") == b"initrd 6.1.0-56" * 100


def test_another_kernel_when_asked(bare, folder):
    assert (
        spin(bare, folder / "out", "--kernel-version", "6.1.0-9").kernel == b"kernel 6.1.0-9" * 100
    )


def test_a_kernel_that_is_not_there_is_refused_with_a_list_of_those_that_are(bare, folder):
    spun = spin(bare, folder / "out", "--kernel-version", "7.0")

    assert spun.code == 1
    assert "there is no kernel 7.0" in spun.complaint
    for version in ("6.1.0-9 ", "6.1.0-56 ", "0-rescue-1234 "):
        assert version in spun.complaint


@pytest.mark.parametrize(
    ("versions", "newest"),
    [
        (CENTOS, CENTOS[1]),
        (("6.9.0-rc3", "6.9.0", "6.8.12"), "6.9.0"),
        (("6.10.1-arch1", "6.9.9-arch1"), "6.10.1-arch1"),
    ],
)
def test_versions_are_compared_as_distributions_mean_them(versions, newest, tree, folder):
    def fill(boot):
        for version in versions:
            images.write(boot / f"vmlinuz-{version}", f"kernel {version}")
            images.write(boot / f"initramfs-{version}.img", f"initrd {version}")

    assert (
        spin(image_with_boot(folder, tree, fill), folder / "out").kernel
        == f"kernel {newest}".encode()
    )


def test_a_kernel_without_an_initrd_is_passed_over(tree, folder):
    def fill(boot):
        images.add_kernel(boot, "6.1.0-9")
        images.write(boot / "vmlinuz-6.1.0-10", "kernel half removed")

    assert spin(image_with_boot(folder, tree, fill), folder / "out").kernel.startswith(
        b"kernel 6.1.0-9"
    )


def test_boot_loader_entries_on_the_esp(tree, folder):
    def fill(esp):
        for version, title in (("6.8.1", "Tiny"), ("6.9.1", "Tiny"), ("7.0.0", "Tiny (rescue)")):
            entry = (
                f"title {title}\nversion {version}\noptions root=UUID=x\n"
                f"linux /token/{version}/linux\ninitrd /token/{version}/microcode\n"
                f"initrd /token/{version}/initrd $tuned_initrd\n"
            )
            images.write(esp / f"loader/entries/token-{version}.conf", entry)
            images.write(esp / f"token/{version}/linux", f"kernel {version}")
            images.write(esp / f"token/{version}/microcode", "micro")
            images.write(esp / f"token/{version}/initrd", f"initrd {version}")

    spun = spin(image_with_esp(folder, tree, fill), folder / "out")

    assert spun.kernel == b"kernel 6.9.1"
    # One after the other, each at a multiple of four bytes, as the kernel wants them.
    assert spun.initrd.replace(b"\0", b"") == b"microinitrd 6.9.1"
    assert spun.initrd.index(b"initrd") % 4 == 0


def test_a_unified_kernel_image(tree, folder):
    kernel, initrd = b"kernel of a UKI" * 1000, b"initrd of a UKI" * 9000

    def fill(esp):
        parts = {".osrel": b"ID=tiny", ".cmdline": b"quiet", ".uname": b"6.9.2", ".initrd": initrd}
        (esp / "EFI/Linux").mkdir(parents=True)
        images.unified_kernel(esp / "EFI/Linux/tiny.efi", parts | {".linux": kernel})
        images.unified_kernel(esp / "EFI/Linux/loader.efi", {".text": b"no kernel in here"})

    spun = spin(image_with_esp(folder, tree, fill), folder / "out")

    assert "kernel 6.9.2 (EFI/Linux/tiny.efi)" in spun.said
    assert spun.kernel == kernel
    assert spun.initrd == initrd


def test_kernels_beside_their_modules(tree, folder):
    copy = images.without_boot(tree, folder / "tree")
    modules = copy / "usr/lib/modules"
    images.write(modules / "6.9.3/vmlinuz", "kernel 6.9.3")
    images.write(modules / "6.9.3/initrd", "initrd 6.9.3")

    spun = spin(images.ext4(folder / "disk.img", copy, 64), folder / "out")

    assert (spun.kernel, spun.initrd) == (b"kernel 6.9.3", b"initrd 6.9.3")


def test_a_kernel_that_is_a_link_out_of_boot(tree, folder):
    copy = images.without_boot(tree, folder / "tree")
    images.write(copy / "usr/lib/modules/6.4-suse/vmlinuz", "kernel suse")
    (copy / "boot/vmlinuz-6.4-suse").symlink_to("../usr/lib/modules/6.4-suse/vmlinuz")
    images.write(copy / "boot/initrd-6.4-suse", "initrd suse")

    spun = spin(images.ext4(folder / "disk.img", copy, 64), folder / "out")

    assert (spun.kernel, spun.initrd.rstrip(b"\0")) == (b"kernel suse", b"initrd suse")


def test_a_dry_run_says_all_and_writes_nothing(bare, folder):
    spun = spin(bare, folder / "out", "--dry-run")

    assert spun.code == 0
    assert "Tiny Linux 1 on the whole image (ext4)" in spun.said
    assert "0-rescue-1234 (boot/vmlinuz-0-rescue-1234, rescue)" in spun.said
    assert "nothing was written" in spun.said
    assert not spun.out.exists()


def test_the_size_asked_for(bare, folder):
    spun = spin(bare, folder / "out", "--size", "700M")

    assert spun.rootfs.stat().st_size == 700 * images.MIB
    with opened(spun) as root:
        assert (root / "etc/os-release").exists()


def test_selinux_labels_are_set_so_that_nothing_needs_a_relabelling(tree, folder):
    copy = folder / "tree"
    images.sh("cp", "-a", tree, copy)
    images.write(copy / "etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=targeted\n")
    image = images.ext4(folder / "disk.img", copy, 64)
    images.write(folder / "label", b"system_u:object_r:etc_t:s0\0")
    images.sh("debugfs", "-w", "-R", f"ea_set -f {folder}/label /etc security.selinux", image)

    spun = spin(image, folder / "out")

    assert "a relabelling is not needed" in spun.said
    label = images.sh("debugfs", "-R", "ea_get /usr/bin/vm-report security.selinux", spun.rootfs)
    assert "system_u:object_r:bin_t:s0" in label
    unit = images.sh(
        "debugfs",
        "-R",
        "ea_get /lib/systemd/system/vm-report.service security.selinux",
        spun.rootfs,
    )
    assert "systemd_unit_file_t" in unit


def test_selinux_without_labels_is_told_plainly(tree, folder):
    copy = folder / "tree"
    images.sh("cp", "-a", tree, copy)
    images.write(copy / "etc/selinux/config", "SELINUX=enforcing\n")

    spun = spin(images.ext4(folder / "disk.img", copy, 64), folder / "out")

    assert "--append enforcing=0" in spun.said
