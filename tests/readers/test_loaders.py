"""What boot loaders tell a kernel, and what of it is carried over to a boot without them."""

from dataclasses import dataclass

import pytest

from readers.memory import Link, Memory, tree
from support import disk_images as images
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.files.tree import Tree
from vmtiming_tui.images.system.loader.carried import MAX_BYTES, RootDisk, beside, carried
from vmtiming_tui.images.system.loader.told import default_root, told
from vmtiming_tui.images.system.loader.words import Told, Word, split

KERNEL = "boot/vmlinuz-6.1"


@dataclass(frozen=True)
class Chosen:
    """A kernel that was chosen."""

    tree: Tree
    path: str = KERNEL
    unified: bool = False
    profile: int = 0


def told_by(files, others=(), *, path=KERNEL, unified=False, profile=0) -> Told:
    """What the kernel of these files is told."""
    root = tree({KERNEL: b"k"} | files)
    volumes = [tree(other) for other in others]
    here = next(each for each in (root, *volumes) if each.has(path))
    return told(Chosen(here, path, unified, profile), root, volumes)


def words(found: Told) -> str:
    return " ".join(word.text for word in found.words)


def entry(options: str, *, linux: str = "/boot/vmlinuz-6.1", more: str = "") -> bytes:
    return f"title Tiny\nlinux {linux}\n{more}options {options}\n".encode()


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (" a  b=c\td\n", ["a", "b=c", "d"]),
        ('dyndbg="file a.c +p" b', ['dyndbg="file a.c +p"', "b"]),
        ('"foo=a b" c', ['"foo=a b"', "c"]),
        ('open="never closed here', ['open="never closed here']),
        ("", []),
    ],
)
def test_a_line_is_split_as_the_kernel_does_it(line, found):
    assert [word.text for word in split(line)] == found


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a=b", True), ('a="b c"', True), ("ds=nocloud;s=http://x/", True), ("--help", False),
        ("-append", False), ('open="a b', False), ("a\x1bb", False), ("caf\u00e9", False),
        ("a\udc80", False),
    ],
)  # fmt: skip
def test_words_for_a_command_line_are_plain_ones(text, plain):
    assert Word(text).is_plain is plain


# --- who tells it --------------------------------------------------------------------------------


def test_all_options_of_the_entry_that_names_the_kernel_count():
    files = {
        "boot/loader/entries/a.conf": entry("a=1", more="options b=2\n"),
        "boot/loader/entries/other.conf": entry("c", linux="/boot/vmlinuz-7"),
    }

    found = told_by(files)

    assert words(found) == "b=2 a=1"
    assert found.source == "/boot/loader/entries/a.conf of the disk"


@pytest.mark.parametrize(
    "linux",
    [
        # a path from the top of a volume that belongs below /boot, or above a subvolume
        "/vmlinuz-6.1",
        "/@/boot/vmlinuz-6.1",
        "boot/../boot/vmlinuz-6.1",
    ],
)
def test_an_entry_names_a_kernel_by_its_path_from_any_top(linux):
    assert words(told_by({"boot/loader/entries/a.conf": entry("a", linux=linux)})) == "a"


def test_an_entry_names_a_kernel_by_a_link_even_one_out_of_the_boot_partition():
    target = "usr/lib/modules/6.1/vmlinuz"
    boot = {"loader/entries/a.conf": entry("a", linux="/vmlinuz-6.1"),
            "vmlinuz-6.1": Link(b"../usr/lib/modules/6.1/vmlinuz")}  # fmt: skip

    assert words(told_by({target: b"k"}, [boot], path=target)) == "a"


def test_a_copy_of_a_kernel_is_known_by_a_name_that_tells_its_version():
    esp = {"loader/entries/a.conf": entry("a", linux="/EFI/os/vmlinuz-6.1"),
           "EFI/os/vmlinuz-6.1": b"k"}  # fmt: skip
    unversioned = {"loader/entries/a.conf": entry("a", linux="/vmlinuz"), "vmlinuz": b"k"}

    assert words(told_by({}, [esp])) == "a"
    assert "another kernel" in told_by({"boot/x/vmlinuz": b"k"}, [unversioned],
                                       path="boot/x/vmlinuz").source  # fmt: skip


def test_of_kernels_of_one_name_each_has_its_own_entries():
    files = {
        f"boot/loader/entries/ostree-{number}.conf": entry(
            f"ostree=/ostree/boot.1/{number}", linux=f"/ostree/os-{number}/vmlinuz-6.1"
        )
        for number in (1, 2)
    } | {f"boot/ostree/os-{number}/vmlinuz-6.1": b"k" for number in (1, 2)}

    found = told_by(files, path="boot/ostree/os-1/vmlinuz-6.1")

    assert words(found) == "ostree=/ostree/boot.1/1"


class Damaged(Memory):
    """Files whose folders cannot be read."""

    def entries(self, folder):
        raise ImageError("a damaged folder")

    def entry(self, folder, name):
        raise ImageError("a damaged folder")


def test_a_fault_of_one_volume_hides_no_menu_of_another():
    root = tree({KERNEL: b"k", "boot/loader/entries/a.conf": entry("a")})

    found = told(Chosen(root), root, [Tree(Damaged({}), "partition 3")])

    assert words(found) == "a"


def test_an_entry_without_options_has_grubs_default_ones():
    files = {"boot/loader/entries/a.conf": b"linux /boot/vmlinuz-6.1\n",
             "boot/grub2/grubenv": b"# GRUB\ndefault_kernelopts=root=x ro\n"}  # fmt: skip

    assert words(told_by(files)) == "root=x ro"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("boot/loader/entries/a.conf", "linux /boot/vmlinuz-6.1\ndevicetree /dtbs/a.dtb\n"),
        ("boot/extlinux/extlinux.conf", "label a\nlinux /boot/vmlinuz-6.1\nfdt /dtbs/a.dtb\n"),
    ],
)
def test_a_device_tree_is_said_to_be_left_out(name, text):
    found = told_by({name: text.encode()})

    assert found.remarks == (
        "the device tree /dtbs/a.dtb is left out: the VM's machine has its own",
    )


def test_an_entry_of_another_volume_names_its_own_kernel():
    esp = {"loader/entries/a.conf": entry("a", linux="/t/6.1/linux"), "t/6.1/linux": b"k"}

    assert words(told_by({}, [esp], path="t/6.1/linux")) == "a"


def test_of_several_entries_the_default_counts_and_is_named():
    files = {
        "boot/loader/entries/tiny-10.conf": entry("new"),
        "boot/loader/entries/tiny-9.conf": entry("old"),
    }

    first = told_by(files)
    by_file = told_by(files | {"boot/loader/loader.conf": b"timeout 3\ndefault *-9.conf\n"})
    apart = told_by(files, [{"loader/loader.conf": b"default *-9.conf\n"}])
    by_grub = told_by(files | {"boot/grub2/grubenv": b"# GRUB\nsaved_entry=tiny-9\n####"})

    assert words(first) == "new"
    assert first.source.endswith(
        "tiny-10.conf of the disk, the default of 2 for this kernel ('Tiny')"
    )
    assert words(by_file) == words(apart) == words(by_grub) == "old"


def test_a_loader_that_boots_another_kernel_by_default_is_said():
    files = {
        "boot/loader/entries/a.conf": entry("a"),
        "boot/loader/entries/b.conf": entry("b", linux="/boot/vmlinuz-5.9"),
        "boot/loader/loader.conf": b"default b\n",
    }

    found = told_by(files)

    assert words(found) == "a"
    assert found.remarks == (
        "by default the loader boots another kernel, /boot/vmlinuz-5.9: --kernel-version takes it",
    )
    assert told_by({**files, "boot/loader/loader.conf": b"default a\n"}).remarks == ()


def test_the_first_entry_is_by_sort_key_and_version_and_has_tries_left():
    def first(**more: str) -> str:
        names = {name.replace("_", "+"): text for name, text in more.items()}
        return words(told_by({f"boot/loader/entries/{name}.conf": entry(name, more=text)
                              for name, text in names.items()}))  # fmt: skip

    assert first(a9="version 2\n", a10="version 1\n") == "a10"
    assert first(a="version 10\nsort-key x\n", b="version 9\nsort-key x\n") == "a"
    assert first(a="version 9\n", b="version 10\nsort-key z\n", c="sort-key y\n") == "c"
    assert first(b_0="", a="", c_0="") == "a"
    assert first(b_3="", a="", c_0="") == "b+3"


def test_an_entry_for_repairs_is_not_taken_for_another():
    files = {
        "boot/loader/entries/a.conf": entry("single", more="version 7\n", linux="/boot/vmlinuz-7"),
        "boot/loader/entries/b.conf": entry("rescue", more="title Tiny (rescue)\nversion 6\n"),
        "boot/loader/entries/c.conf": entry("plain", more="version 5\n"),
    }

    assert words(told_by(files)) == "plain"


def test_variables_of_an_entry_are_grubs():
    options = entry("$kernelopts ${tuned_params} a=$x.")
    files = {
        "boot/loader/entries/a.conf": options,
        "boot/grub2/grubenv": b"# GRUB\nkernelopts=root=UUID=x ro b=\\\\1 \nx=1\n####",
    }

    assert words(told_by(files)) == r"root=UUID=x ro b=\1 a=1."


def test_a_unified_kernel_is_told_what_is_inside_it_and_its_addons(tmp_path):
    def program(name: str, **sections: bytes) -> bytes:
        parts = {f".{key}": content for key, content in sections.items()}
        return images.unified_kernel(tmp_path / name, parts).read_bytes()

    esp = {
        "EFI/Linux/t.efi": program("t", linux=b"k", cmdline=b"a b\n\0"),
        "EFI/Linux/t.efi.extra.d/x.addon.efi": program("x", cmdline=b"c"),
        "loader/addons/y.addon.efi": program("y", cmdline=b"d"),
    }
    over = {"loader/entries/t.conf": b"uki /EFI/Linux/t.efi\noptions e\n"}
    bare = {"loader/entries/t.conf": b"uki /EFI/Linux/t.efi\n"}

    def found(*more) -> str:
        files = esp | (more[0] if more else {})
        return words(told_by({}, [files], path="EFI/Linux/t.efi", unified=True))

    assert found() == found(bare) == "a b d c"
    assert found(over) == "e"


def test_another_profile_of_a_unified_kernel_has_words_of_its_own(tmp_path):
    parts = (
        {".linux": b"k", ".cmdline": b"a"},
        {".profile": b""},
        {".profile": b"", ".cmdline": b"b"},
    )
    esp = {"t.efi": images.unified_kernel(tmp_path / "t", *parts).read_bytes()}

    told = [
        words(told_by({}, [esp], path="t.efi", unified=True, profile=number)) for number in range(3)
    ]

    assert told == ["a", "b", ""]


def test_without_an_entry_for_it_what_new_entries_would_be_made_of_counts():
    other = {"boot/loader/entries/a.conf": entry("menu", linux="/boot/vmlinuz-7")}
    grub = {
        "etc/default/grub": b"GRUB_CMDLINE_LINUX_DEFAULT='quiet'\nGRUB_CMDLINE_LINUX=\"grub\"\n"
    }
    vendor = {"usr/lib/kernel/cmdline": b"vendor\n"}
    own = {"etc/kernel/cmdline": b"# of mine\nown\nmore\n"}

    assert words(told_by(other | grub | vendor | own)) == "own more"
    assert words(told_by(other | grub | vendor)) == "vendor"
    assert words(told_by(other | grub)) == "menu"
    assert told_by(other).source.endswith("which names another kernel")
    assert words(told_by(grub)) == "grub quiet"
    assert "of which GRUB's menu would be made" in told_by(grub).source
    assert told_by({}) == Told()


def test_an_entry_that_names_no_kernel_counts_where_nothing_else_does():
    found = told_by({"boot/loader/entries/a.conf": b"title Tiny\noptions a\n"})

    assert words(found) == "a"
    assert found.source.endswith("a.conf of the disk, which names no kernel")


def test_grubs_defaults_are_read_as_a_shell_would_without_running_anything():
    files = {
        "etc/default/grub": b'GRUB_CMDLINE_LINUX="a" # why\nGRUB_CMDLINE_LINUX+=" b"\n'
        b'#GRUB_CMDLINE_LINUX="no"\nGRUB_DEFAULT=0\n',
        "etc/default/grub.d/50-cloud.cfg": b'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX c"\n'
        b"GRUB_CMDLINE_LINUX_DEFAULT=d\n",
        "etc/default/grub.d/60-evil.cfg": b'GRUB_CMDLINE_LINUX_DEFAULT="e=$(reboot) f=\\"g h\\""\n',
    }

    found = told_by(files)

    assert words(found) == 'a b c f="g h"'
    assert [word.text for word in found.unknown] == ["e=$(reboot)"]


def test_the_root_of_the_default_entry_is_told_where_all_menus_agree():
    one = {"boot/grub/grub.cfg": b"menuentry a { linux /boot/k root=/dev/sda2 a }\n"
           b"menuentry b { linux /boot/k root=/dev/sda3 b }\n"}  # fmt: skip
    same = {"loader/entries/a.conf": entry("root=/dev/sda2")}
    other = {"loader/entries/a.conf": entry("root=/dev/sda3")}

    assert default_root([tree(one), tree({}), tree(same)]) == "/dev/sda2"
    assert default_root([tree(one), tree(other)]) == default_root([tree({})]) == ""


# --- what is carried over ------------------------------------------------------------------------

CASE = "root=LABEL=old init=/opt/sys/init rootflags=subvol=root mount.usr=/dev/vda3 quiet"


IN_IMAGE = RootDisk(type="ext4")
NEW = RootDisk(type="ext4", is_new=True)
CONVERTED = RootDisk(type="ext4", is_new=True, is_converted=True)
WHOLE = RootDisk(type="ext4", is_new=True, merged=frozenset({"/usr"}))


def carried_of(line: str, disk: RootDisk = IN_IMAGE):
    return carried(Told(source="it", words=split(line)), disk)


def test_all_but_root_console_quiet_and_resume_is_carried_over_and_said():
    more = f"{CASE} console=ttyS0,115200 resume=UUID=x splash rhgb BOOT_IMAGE=/x initrd=y"

    for disk in (IN_IMAGE, NEW):
        found = carried_of(more, disk)

        assert found.words == ("init=/opt/sys/init", "rootflags=subvol=root", "mount.usr=/dev/vda3")
        assert next(found.lines()) == f"carried over from it: {' '.join(found.words)}"


def test_words_keep_their_order_for_the_last_of_a_name_counts():
    assert carried_of("a=1 a=2 a=1").words == ("a=1", "a=2", "a=1")


def test_nothing_to_say_is_not_said():
    assert list(carried_of("root=x quiet").lines()) == []


@pytest.mark.parametrize(
    ("word", "disk", "why"),
    [
        ("rd.luks.uuid=luks-1", NEW, "is on no disk of the VM"),
        ("luks.name=1=x", NEW, "is on no disk of the VM"),
        ("rd.lvm.lv=vg/root", NEW, "is on no disk of the VM"),
        ("usrhash=abc", NEW, "is on no disk of the VM"),
        ("cryptdevice=UUID=x:root", NEW, "is on no disk of the VM"),
        ("systemd.mount-extra=LABEL=x:/y", NEW, "is on no disk of the VM"),
        ("mount.usr=UUID=x", WHOLE, "/usr is part of the root"),
        ("rootflags=subvol=@", CONVERTED, "the root is an ext4 now"),
        ("rootfstype=xfs", CONVERTED, "the root is an ext4 now"),
    ],
)
def test_what_means_a_disk_that_is_not_there_is_left_out_and_said_why(word, disk, why):
    found = carried_of(f"a {word} b", disk)

    assert found.words == ("a", "b")
    (line,) = [line for line in found.lines() if "left out" in line]
    assert word in line
    assert why in line
    assert carried_of(word).words == (word,)


@pytest.mark.parametrize(
    "word", ["rd.luks=0", "rd.md=0", "rootfstype=ext4", "rootwait", "ostree=/ostree/boot.1/x/0"]
)
def test_what_means_no_disk_is_carried_over_to_any(word):
    assert carried_of(word, CONVERTED).words == (word,)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("a -- -x single", "is for init"),
        ("a --version", "no plain word"),
        ("a b\x1b[2J", "no plain word"),
        ('a b="c', "no plain word"),
        ("a panic=30", "each run says its own"),
        ("a VMREPORTID:7", "each run says its own"),
        ("a vga=0x314", "waits 30 s"),
        ("a " + "b" * MAX_BYTES, "takes no more than"),
    ],
)
def test_no_word_gets_onto_a_command_line_as_anything_else(line, why):
    found = carried_of(line)

    assert found.words == ("a",)
    assert any(why in said for said in found.lines())
    assert all(said.isprintable() for said in found.lines())


@pytest.mark.parametrize(
    ("word", "disk", "said"),
    [
        ("rootflags=subvol=@", NEW, "is for a btrfs: an ext4 may not be mounted by it"),
        ("rootflags=subvol=@", RootDisk(type="btrfs"), None),
        ("mount.usr=/dev/vda3", NEW, "the VM has no disk but its root"),
        ("mount.usr=/dev/vda3", IN_IMAGE, None),
        ("fips=1", NEW, "may end the boot"),
        ("fips=1", IN_IMAGE, None),
        ("systemd.unit=rescue.target", NEW, "a boot stops before it has booted"),
        ("rd.break", IN_IMAGE, "a boot stops before it has booted"),
    ],
)
def test_what_may_keep_a_guest_from_booting_is_said(word, disk, said):
    first, *more = carried_of(word, disk).lines()

    assert first.endswith(word)
    assert len(more) == (said is not None)
    assert said is None or said in more[0]


def test_that_an_initrd_waits_for_a_network_is_said():
    found = carried_of("ip=dhcp rd.neednet=1 a")

    assert found.words == ("ip=dhcp", "rd.neednet=1", "a")
    assert list(found.lines())[1] == (
        "by ip=dhcp rd.neednet=1 the initrd waits for a network: "
        "give each VM a card by -- -nic user"
    )
    assert len(list(carried_of("ip=off rd.neednet=0").lines())) == 1


def test_no_number_of_words_is_too_much_to_say():
    (line,) = carried_of(" ".join(["\1" * 60] * 250)).lines()

    assert " and 210 more (no plain word)" in line
    assert len(line) < 10_000


def test_words_that_only_the_loader_knows_are_said():
    found = carried(Told(source="it", unknown=split("root=$r a=$b $vt_handoff")), NEW)

    assert list(found.lines()) == [
        "left out of what the loader says: a=$b (only the loader knows its value, when it runs)"
    ]


@pytest.mark.parametrize(
    ("own", "more", "line"),
    [
        ("root=/dev/vda1", ["a", "rootflags=x"], "root=/dev/vda1 a rootflags=x"),
        (
            "root=/dev/vda rootflags=subvol=@2",
            ["rootflags=subvol=@,noatime", "a"],
            "root=/dev/vda rootflags=subvol=@2,noatime a",
        ),
        (
            "root=/dev/mapper/v-r rd.lvm.lv=v/r",
            ["rd.lvm.lv=v/r", "rd.lvm.lv=v/s"],
            "root=/dev/mapper/v-r rd.lvm.lv=v/r rd.lvm.lv=v/s",
        ),
    ],
)
def test_beside_words_of_ours_each_is_said_once(own, more, line):
    assert beside(own, more) == line


# --- other menus ---------------------------------------------------------------------------------

SYSLINUX = """\
DEFAULT arch
APPEND common
LABEL old
  LINUX ../vmlinuz-5.9
  APPEND old
LABEL again
    MENU LABEL Arch ^Linux
    LINUX ../vmlinuz-6.1
    APPEND root=UUID=x again
INCLUDE more.cfg
"""
UBOOT = """\
default l0
menu title U-Boot menu
label l0
\tmenu label Debian
\tlinux /boot/vmlinuz-6.1
\tinitrd /boot/initrd.img-6.1
\tfdtdir /usr/lib/linux-image-6.1/
\tappend ${cbootargs} root=UUID=x ro uboot
label l0r
\tlinux /boot/vmlinuz-6.1
\tappend root=UUID=x ro single
"""
LEGACY = """\
default=1
timeout=5
title Old
\troot (hd0,0)
\tkernel /vmlinuz-5.9 ro old
title Tiny
\troot (hd0,0)
\tkernel (hd0,0)/vmlinuz-6.1 ro root=/dev/sda1 legacy
\tinitrd /initrd.img-6.1
"""
ZIPL = """\
[defaultboot]
defaultmenu=menu
[linux]
target=/boot
image=/boot/vmlinuz-6.1
ramdisk=/boot/initrd.img-6.1,0x2000000
parameters = "root=/dev/dasda1 zipl"
:menu
default=1
1=linux
"""
LIMINE = """\
timeout: 3
default_entry: 3
/+Arch Linux
  //linux-lts
    protocol: linux
    path: boot():/vmlinuz-6.1#abcdef
    cmdline: root=UUID=x lts
  //linux
    protocol: linux
    path: uuid(1-2):/boot/vmlinuz-6.1
    cmdline: root=UUID=x limine
"""
OLD_LIMINE = """\
TIMEOUT=3
:Arch Linux
    PROTOCOL=linux
    KERNEL_PATH=boot:///vmlinuz-6.1
    CMDLINE=root=UUID=x rw limine
"""
NSH = "@echo -off\r\nfs0:\\boot\\vmlinuz-6.1 root=PARTUUID=x initrd=\\initrd rw nsh\r\n"
REFIND = '''\
"Boot with standard options"  "root=UUID=x rw refind a=""b c"""
"Boot to single-user mode"    "root=UUID=x rw single"
'''


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("boot/syslinux/syslinux.cfg", SYSLINUX, "common"),
        ("boot/extlinux/extlinux.conf", UBOOT, "root=UUID=x ro uboot"),
        ("boot/grub/menu.lst", LEGACY, "ro root=/dev/sda1 legacy"),
        ("etc/zipl.conf", ZIPL, "root=/dev/dasda1 zipl"),
        ("boot/limine.conf", LIMINE, "root=UUID=x limine"),
        ("boot/limine.cfg", OLD_LIMINE, "root=UUID=x rw limine"),
        ("boot/efi/startup.nsh", NSH, "root=PARTUUID=x initrd=\\initrd rw nsh"),
        ("boot/refind_linux.conf", REFIND, 'root=UUID=x rw refind a="b c"'),
    ],
)  # fmt: skip
def test_menus_of_other_loaders_are_read(name, text, found):
    more = {"boot/syslinux/more.cfg": b"label arch\nkernel ../vmlinuz-6.1\n"}

    told_words = told_by({name: text.encode()} | more)

    assert words(told_words) == found
    assert told_words.source.startswith(f"/{name} of the disk")


@pytest.mark.parametrize(
    ("default", "found"), [("a b", "two"), ("a", "one"), ("a root=x", "one"), ("none", "one")]
)
def test_a_label_of_syslinux_may_have_blanks_and_no_default_is_the_first(default, found):
    text = f"default {default}\nlabel a\nkernel /boot/vmlinuz-6.1\nappend one\n"
    text += "label a b\nkernel /boot/vmlinuz-6.1\nappend two\n"

    told_words = told_by({"boot/extlinux/extlinux.conf": text.encode()})

    assert words(told_words) == found
    assert "the default of 2" in told_words.source


def test_what_u_boot_adds_is_not_known():
    found = told_by({"boot/extlinux/extlinux.conf": UBOOT.encode()})

    assert [word.text for word in found.unknown] == ["${cbootargs}"]


def test_a_file_that_includes_itself_ends():
    files = {"boot/extlinux/extlinux.conf": b"include extlinux.conf\n" * 50}

    assert told_by(files) == Told()


def test_what_raspberrys_firmware_tells_is_beside_its_settings():
    pi = {"config.txt": b"arm_64bit=1\n", "cmdline.txt": b"console=tty1 root=PARTUUID=x rootwait\n"}

    assert words(told_by({}, [pi])) == "console=tty1 root=PARTUUID=x rootwait"
    assert told_by({}, [{"cmdline.txt": b"of somebody\n"}]) == Told()
