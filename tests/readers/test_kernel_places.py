"""Kernels and initrds where distributions and builders of images put them."""

import gzip

import pytest

from readers.kernel_files import ALL_DRIVERS, arm64_image, bz_image, zboot
from readers.memory import Link, tree
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.system.kernel.kernels import choose_kernel, find_kernels
from vmtiming_tui.images.system.kernel.taking import take_kernel

MACHINE = "0123456789abcdef0123456789abcdef"
HASH = "ab" * 16


def chosen(files, others=(), asked=""):
    kernels = find_kernels(tree(files), [tree(other) for other in others], print)
    return choose_kernel(kernels, asked)


def entry(linux: str, *more: str) -> bytes:
    return "\n".join(["title Tiny", f"linux {linux}", *more, ""]).encode()


LAYOUTS = {
    "Arch": (
        {"boot/vmlinuz-linux": "6.9.1-arch1-1", "boot/initramfs-linux.img": "initrd",
         "boot/initramfs-linux-fallback.img": "fallback"}, (),
        "6.9.1-arch1-1", "boot/vmlinuz-linux", "boot/initramfs-linux.img",
    ),
    "Arch with booster": (
        {"boot/vmlinuz-linux": "6.9.1-arch1-1", "boot/booster-linux.img": "initrd"}, (),
        "6.9.1-arch1-1", "boot/vmlinuz-linux", "boot/booster-linux.img",
    ),
    "Manjaro": (
        {"boot/vmlinuz-6.6-x86_64": "6.6.30-1-MANJARO", "boot/initramfs-6.6-x86_64.img": "initrd"},
        (), "6.6.30-1-MANJARO", "boot/vmlinuz-6.6-x86_64", "boot/initramfs-6.6-x86_64.img",
    ),
    "openSUSE": (
        {"boot/vmlinuz": Link(b"vmlinuz-6.4.0-default"),
         "boot/initrd": Link(b"initrd-6.4.0-default"),
         "boot/vmlinuz-6.4.0-default": Link(b"../usr/lib/modules/6.4.0-default/vmlinuz"),
         "boot/vmlinux-6.4.0-default.gz": "unversioned", "boot/initrd-6.4.0-default": "initrd",
         "usr/lib/modules/6.4.0-default/vmlinuz": "6.4.0-default"}, (),
        "6.4.0-default", "boot/vmlinuz-6.4.0-default", "boot/initrd-6.4.0-default",
    ),
    "openSUSE with a boot partition": (
        {"usr/lib/modules/6.4.0-default/vmlinuz": "6.4.0-default"},
        ({"vmlinuz-6.4.0-default": Link(b"../usr/lib/modules/6.4.0-default/vmlinuz"),
          "initrd-6.4.0-default": "initrd"},),
        "6.4.0-default", "usr/lib/modules/6.4.0-default/vmlinuz", "initrd-6.4.0-default",
    ),
    "Gentoo": (
        {"boot/kernel-6.6.30-gentoo-dist": "6.6.30-gentoo-dist",
         "boot/initramfs-6.6.30-gentoo-dist.img": "initrd"}, (),
        "6.6.30-gentoo-dist", "boot/kernel-6.6.30-gentoo-dist",
        "boot/initramfs-6.6.30-gentoo-dist.img",
    ),
    "Gentoo's genkernel": (
        {"boot/kernel-genkernel-x86_64-4.19.44-gentoo": "4.19.44-gentoo",
         "boot/initramfs-genkernel-x86_64-4.19.44-gentoo": "initrd"}, (),
        "4.19.44-gentoo", "boot/kernel-genkernel-x86_64-4.19.44-gentoo",
        "boot/initramfs-genkernel-x86_64-4.19.44-gentoo",
    ),
    "NixOS": (
        {f"boot/kernels/{HASH}-linux-6.6.30-bzImage": "6.6.30",
         f"boot/kernels/{HASH}-initrd-linux-6.6.30-initrd": "initrd"}, (),
        "6.6.30", f"boot/kernels/{HASH}-linux-6.6.30-bzImage",
        f"boot/kernels/{HASH}-initrd-linux-6.6.30-initrd",
    ),
    "NixOS with systemd-boot": (
        {},
        ({f"EFI/nixos/{HASH}-linux-6.6.30-bzImage.efi": "6.6.30",
          f"EFI/nixos/{HASH}-initrd-linux-6.6.30-initrd.efi": "initrd",
          "loader/entries/nixos-generation-1.conf": entry(
              f"/EFI/nixos/{HASH}-linux-6.6.30-bzImage.efi",
              f"initrd /EFI/nixos/{HASH}-initrd-linux-6.6.30-initrd.efi",
              "version Generation 1")},),
        "6.6.30", f"EFI/nixos/{HASH}-linux-6.6.30-bzImage.efi",
        f"EFI/nixos/{HASH}-initrd-linux-6.6.30-initrd.efi",
    ),
    "ostree": (
        {"boot/ostree/fedora-abc/vmlinuz-6.8.5": "6.8.5",
         "boot/ostree/fedora-abc/initramfs-6.8.5.img": "initrd"}, (),
        "6.8.5", "boot/ostree/fedora-abc/vmlinuz-6.8.5",
        "boot/ostree/fedora-abc/initramfs-6.8.5.img",
    ),
    "ostree by its entry, no boot partition": (
        {"boot/ostree/fedora-abc/vmlinuz-6.8.5": "6.8.5",
         "boot/ostree/fedora-abc/initramfs-6.8.5.img": "initrd",
         "boot/loader/entries/ostree-1.conf": entry(
             "/ostree/fedora-abc/vmlinuz-6.8.5", "initrd /ostree/fedora-abc/initramfs-6.8.5.img")},
        (), "6.8.5", "boot/ostree/fedora-abc/vmlinuz-6.8.5",
        "boot/ostree/fedora-abc/initramfs-6.8.5.img",
    ),
    "kernel-install without entries": (
        {f"boot/{MACHINE}/6.8.5-200/linux": "6.8.5-200",
         f"boot/{MACHINE}/6.8.5-200/initrd": "initrd"},
        (), "6.8.5-200", f"boot/{MACHINE}/6.8.5-200/linux", f"boot/{MACHINE}/6.8.5-200/initrd",
    ),
    "Raspberry": (
        {}, ({"kernel8.img": gzip.compress(arm64_image("6.6.31-v8+")), "initramfs8": "initrd",
              "kernel.img": bytes(9000)},),
        "6.6.31-v8+", "kernel8.img", "initramfs8",
    ),
    "Ubuntu on arm64": (
        {"boot/firmware/vmlinuz": arm64_image("6.8.0-1004-raspi"),
         "boot/firmware/initrd.img": "initrd"}, (),
        "6.8.0-1004-raspi", "boot/firmware/vmlinuz", "boot/firmware/initrd.img",
    ),
    "arm64 zboot": (
        {"boot/vmlinuz-linux": zboot("6.9.1-arch1-1"), "boot/initramfs-linux.img": "initrd"}, (),
        "6.9.1-arch1-1", "boot/vmlinuz-linux", "boot/initramfs-linux.img",
    ),
    "Ubuntu on a Raspberry since 25.10": (
        {}, ({"current/vmlinuz": arm64_image("6.17.0-1004-raspi"), "current/initrd.img": "initrd",
              "config.txt": "os_prefix=current/"},),
        "6.17.0-1004-raspi", "current/vmlinuz", "current/initrd.img",
    ),
    "Debian 14": (
        {"usr/lib/modules/7.2.13+deb14-amd64/vmlinuz.unsigned": "7.2.13+deb14-amd64",
         "boot/initrd.img-7.2.13+deb14-amd64": "initrd"}, (),
        "7.2.13+deb14-amd64", "usr/lib/modules/7.2.13+deb14-amd64/vmlinuz.unsigned",
        "boot/initrd.img-7.2.13+deb14-amd64",
    ),
    "at the top of the root": (
        {"vmlinuz": "6.8.5", "initrd.img": "initrd"}, (), "6.8.5", "vmlinuz", "initrd.img",
    ),
    "an EFI partition that became a folder": (
        {"efi/tiny/6.8.5/linux": "6.8.5", "efi/tiny/6.8.5/initrd": "initrd"}, (),
        "6.8.5", "efi/tiny/6.8.5/linux", "efi/tiny/6.8.5/initrd",
    ),
    "an initrd by the version alone": (
        {"boot/bzImage": "6.6.23-yocto", "boot/initramfs-6.6.23-yocto.img": "initrd"}, (),
        "6.6.23-yocto", "boot/bzImage", "boot/initramfs-6.6.23-yocto.img",
    ),
    "a kernel beside its modules, its initrd in /boot": (
        {"usr/lib/modules/6.8.5/vmlinuz": "6.8.5", "boot/initramfs-6.8.5.img": "initrd"}, (),
        "6.8.5", "usr/lib/modules/6.8.5/vmlinuz", "boot/initramfs-6.8.5.img",
    ),
}  # fmt: skip


def made(files):
    """The files of a layout: a version stands for a kernel of it."""
    return {
        name: bz_image(what) if isinstance(what, str) and what[0].isdigit()
        else what.encode() if isinstance(what, str) else what
        for name, what in files.items()
    }  # fmt: skip


@pytest.mark.parametrize(
    ("root", "others", "version", "path", "initrd"), LAYOUTS.values(), ids=LAYOUTS
)
def test_kernel_and_initrd_are_found(root, others, version, path, initrd):
    common = {"etc/x": b""}

    kernel = chosen(made(root) | common, [made(other) for other in others])

    assert (kernel.version, kernel.path, kernel.initrds) == (version, path, (initrd,))


ALONE = {
    "Yocto's boot partition": ({}, {"bzImage": bz_image("6.6.23", ALL_DRIVERS)}),
    "Yocto's entry": (
        {}, {"kernel/bzImage": bz_image("6.6.23", ALL_DRIVERS),
             "loader/entries/boot.conf": entry("/kernel/bzImage", "options root=PARTUUID=1")},
    ),
    "buildroot": ({"boot/bzImage": bz_image("6.6.23", ALL_DRIVERS)}, {}),
    "Clear Linux": (
        {"usr/lib/kernel/org.clearlinux.kvm.6.6.23-1400": bz_image("6.6.23", ALL_DRIVERS)}, {}
    ),
    "Clear Linux's boot partition": (
        {}, {"EFI/org.clearlinux/kernel-org.clearlinux.kvm.6.6.23-1":
                 bz_image("6.6.23", ALL_DRIVERS),
             "loader/entries/clear.conf": entry(
                 "/EFI/org.clearlinux/kernel-org.clearlinux.kvm.6.6.23-1")},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("root", "other"), ALONE.values(), ids=ALONE)
def test_a_kernel_that_has_all_a_vm_takes_needs_no_initrd(root, other, tmp_path):
    kernel = chosen({"etc/x": b""} | root, [other])

    assert (kernel.version, kernel.has_initrd) == ("6.6.23", False)
    assert take_kernel(kernel, tmp_path) == ("vmlinuz",)
    assert [path.name for path in tmp_path.iterdir()] == ["vmlinuz"]


def test_what_a_kernel_without_an_initrd_lacks_is_said():
    with pytest.raises(ImageError, match="none of the kernels is fit to boot") as refused:
        chosen({"boot/bzImage": bz_image("6.6.23", ["ext4"])})

    assert "(boot/bzImage, without an initrd, virtio_pci is not built in" in refused.value.message
    assert "-i INITRD" in refused.value.hint


FLAVOURS = {
    "boot/vmlinuz-linux": bz_image("6.9.1-arch1-1"), "boot/initramfs-linux.img": b"i",
    "boot/vmlinuz-linux-lts": bz_image("6.6.30-1-lts"), "boot/initramfs-linux-lts.img": b"lts",
}  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "version"),
    [("", "6.9.1-arch1-1"), ("linux-lts", "6.6.30-1-lts"), ("6.6.30-1-lts", "6.6.30-1-lts")],
)
def test_the_newest_flavour_is_taken_or_one_by_its_name_or_version(asked, version):
    assert chosen(FLAVOURS, asked=asked).version == version


def test_a_fallback_is_never_taken_unasked():
    esp = {
        "loader/entries/arch.conf": entry("/vmlinuz-linux", "initrd /initramfs-linux.img"),
        "loader/entries/fallback.conf": entry("/fallback/vmlinuz-linux",
                                              "initrd /initramfs-linux-fallback.img"),
        "vmlinuz-linux": bz_image("6.9.1-arch1-1"), "initramfs-linux.img": b"i",
        "fallback/vmlinuz-linux": bz_image("6.10.0-arch1-1"),
        "initramfs-linux-fallback.img": b"fallback",
    }  # fmt: skip

    assert chosen({}, [esp]).initrds == ("initramfs-linux.img",)
    assert chosen({}, [esp], "6.10.0-arch1-1").initrds == ("initramfs-linux-fallback.img",)


def test_modules_tell_which_version_a_kernel_is_that_does_not_say_it():
    files = {"boot/vmlinuz-linux": b"k", "boot/initramfs-linux.img": b"i",
             "usr/lib/modules/6.9.1-arch1-1/modules.dep": b""}  # fmt: skip
    another = {"usr/lib/modules/6.6.30-1-lts/modules.dep": b""}
    packaged = {"usr/lib/modules/6.9.1-arch1-1/pkgbase": b"linux\n"}

    assert chosen(files | {"usr/lib/modules/6.1.0-1/kernel": b""}).version == "6.9.1-arch1-1"
    only = chosen(files)
    assert (only.version, only.by_modules) == ("6.9.1-arch1-1", True)
    assert "taken for the one that the only modules are of" in str(only)
    assert chosen(files | another).version == "linux"
    assert chosen(files | another | packaged).version == "6.9.1-arch1-1"


def test_initrds_of_two_systems_of_one_version_are_not_mixed_up():
    files = {f"boot/kernels/{HASH}-linux-6.6.30-bzImage": bz_image("6.6.30")}
    files |= {
        f"boot/kernels/{which * 16}-initrd-linux-6.6.30-initrd": b"i" for which in ("ab", "cd")
    }

    with pytest.raises(ImageError, match="without an initrd"):
        chosen(files)


def test_a_zboot_kernel_is_taken_out_unpacked(tmp_path):
    kernel = chosen({"boot/vmlinuz-6.9.1": zboot("6.9.1"), "boot/initramfs-6.9.1.img": b"i"})

    take_kernel(kernel, tmp_path)

    assert (tmp_path / "vmlinuz").read_bytes() == arm64_image("6.9.1", ALL_DRIVERS)


def test_a_kernel_that_a_firmware_starts_as_a_program_is_one():
    stub = {"EFI/Gentoo/gentoo.efi": bz_image("6.6.30-gentoo", ALL_DRIVERS),
            "EFI/Gentoo/shim.efi": b"MZ" + bytes(999)}  # fmt: skip

    kernel = chosen({}, [stub])

    assert (kernel.version, kernel.path) == ("6.6.30-gentoo", "EFI/Gentoo/gentoo.efi")
    by_entry = {"loader/entries/a.conf": entry("/EFI/Gentoo/gentoo.efi")}
    assert chosen({}, [stub | by_entry]).name == "a"


def test_a_kernel_whose_modules_are_there_goes_before_a_newer_one_of_another_system():
    root = {"boot/vmlinuz-6.1": b"k", "boot/initrd-6.1": b"i", "lib/modules/6.1/modules.dep": b""}
    other = {"vmlinuz-6.9": b"k", "initrd-6.9": b"i"}

    assert chosen(root, [other]).version == "6.1"
    assert str(chosen(root, [other], "6.9")) == "6.9 (vmlinuz-6.9, without its modules)"


def test_a_kernel_made_for_debugging_goes_after_the_same_without():
    both = {f"boot/vmlinuz-6.8.5{more}": b"k" for more in ("", "+debug")}
    both |= {f"boot/initramfs-6.8.5{more}.img": b"i" for more in ("", "+debug")}

    assert chosen(both).version == "6.8.5"


def test_what_is_for_debuggers_is_not_taken_for_the_kernel():
    files = {"boot/vmlinux-6.8.5": b"\x7fELF", "boot/vmlinuz-6.8.5": b"k",
             "boot/initrd-6.8.5": b"i"}  # fmt: skip

    assert chosen(files).path == "boot/vmlinuz-6.8.5"


@pytest.mark.parametrize("suffix", [".old", ".dpkg-bak", ".rpmsave", ".efi.signed", ".hmac"])
def test_what_a_package_manager_left_beside_a_kernel_is_none(suffix):
    files = {f"boot/vmlinuz-6.9{suffix}": b"k", f"boot/initrd-6.9{suffix}": b"i",
             "boot/vmlinuz-6.1": b"k", "boot/initrd-6.1": b"i"}  # fmt: skip

    assert chosen(files).version == "6.1"


MENUS = {
    "boot/grub/grub.cfg": "menuentry x {\nsearch --set=d --label y\nlinux ($d)/boot/tiny.bin a\n"
    "initrd ($d)/boot/ucode ($d)/boot/ram.gz\n}\n",
    "boot/extlinux/extlinux.conf": "label x\nkernel /boot/tiny.bin\n"
    "initrd /boot/ucode,/boot/ram.gz\n",
    "boot/syslinux/syslinux.cfg": "label x\nkernel ../tiny.bin\n"
    "append initrd=../ucode,../ram.gz a\n",
    "boot/grub/menu.lst": "title x\nkernel (hd0,0)/tiny.bin a\ninitrd /ram.gz\n",
    "boot/limine.conf": "/x\n path: boot():/tiny.bin\n module_path: boot():/ucode\n"
    " module_path: boot():/ram.gz\n",
    "etc/zipl.conf": "[x]\nimage=/boot/tiny.bin\nramdisk=/boot/ram.gz\n",
}


@pytest.mark.parametrize("menu", MENUS)
def test_a_kernel_of_any_name_is_found_by_the_menu_that_boots_it(menu):
    files = {"boot/tiny.bin": bz_image("6.1.9"), "boot/ram.gz": b"i", "boot/ucode": b"u"}

    kernel = chosen(files | {menu: MENUS[menu].encode()})

    assert (kernel.version, kernel.path) == ("6.1.9", "boot/tiny.bin")
    assert kernel.initrds[-1] == "boot/ram.gz"
    with pytest.raises(ImageError, match="no kernel"):
        chosen(files)


def test_an_initrd_of_any_name_is_found_by_the_menu_and_a_test_of_the_memory_is_no_kernel():
    menu = b"menuentry a { linux /boot/vmlinuz-6.1 a\ninitrd /boot/ram.gz\n}\n"
    menu += b"menuentry memtest { linux16 /boot/memtest.bin }\n"
    files = {"boot/vmlinuz-6.1": bz_image("6.1"), "boot/ram.gz": b"i", "boot/memtest.bin": b"m"}

    kernels = find_kernels(tree(files | {"boot/grub/grub.cfg": menu}), [], print)

    assert [(kernel.path, kernel.initrds) for kernel in kernels] == [
        ("boot/vmlinuz-6.1", ("boot/ram.gz",))
    ]


def test_what_a_menu_names_and_is_not_there_is_passed_over():
    menu = {"boot/grub/grub.cfg": b"menuentry a { linux /boot/gone a\ninitrd /boot/ram.gz\n}\n"}

    assert find_kernels(tree({"boot/ram.gz": b"i"} | menu), [], print) == []
