"""GRUB's own configuration, read as far as that goes without GRUB."""

import time

import pytest

from readers.memory import tree
from readers.test_loaders import Chosen, told_by, words
from vmtiming_tui.images.system.loader.grub_run import run
from vmtiming_tui.images.system.loader.grub_script import UnreadableScriptError, parse, pieces
from vmtiming_tui.images.system.loader.menu import Place
from vmtiming_tui.images.system.loader.told import told
from vmtiming_tui.images.system.loader.words import Told

# As grub-mkconfig writes it, cut to what matters.
HEAD = """\
if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
else
   set default="DEFAULT"
fi
if [ x"${feature_menuentry_id}" = xy ]; then
  menuentry_id_option="--id"
else
  menuentry_id_option=""
fi
function load_video {
  if [ x$feature_all_video_module = xy ]; then insmod all_video; else insmod vga; fi
}
if loadfont unicode ; then
  set gfxmode=auto
fi
"""


def entry(title: str, line: str, ident: str = "") -> str:
    return (
        f"menuentry '{title}' --class os $menuentry_id_option '{ident or title}' {{\n"
        "\tload_video\n\tif [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi\n"
        f"\tset root='hd0,gpt1'\n\tsearch --no-floppy --fs-uuid --set=root ab12\n\tlinux\t{line}\n"
        "\tinitrd\t/boot/initrd.img-6.1\n}\n"
    )


MENU = (
    entry("Tiny", "/boot/vmlinuz-6.1 root=UUID=x ro plain")
    + "submenu 'More of Tiny' $menuentry_id_option 'more' {\n"
    + entry("Tiny, with 6.1", "/boot/vmlinuz-6.1 root=UUID=x ro again", "id-again")
    + entry("Tiny, with 6.1 (recovery mode)", "/boot/vmlinuz-6.1 root=UUID=x ro single", "id-rec")
    + entry("Tiny, with 5.9", "/boot/vmlinuz-5.9 root=UUID=x ro old")
    + "}\n"
)


def by_grub(config: str, more=(), place="boot/grub/grub.cfg") -> Told:
    return told_by({place: config.encode(), **dict(more)})


@pytest.mark.parametrize(
    ("default", "found"),
    [
        ("0", "plain"),
        ("Tiny", "plain"),
        ("More of Tiny>Tiny, with 6.1", "again"),
        ("more>id-again", "again"),
        ("1>0", "again"),
        ("1", "again"),
        ("1>1", "single"),
        ("no such", "plain"),
        ("${saved_entry}", "plain"),
        ("$fromgrub", "plain"),
    ],
)
def test_the_default_entry_is_named_by_number_title_or_id(default, found):
    told_words = by_grub(HEAD.replace("DEFAULT", default) + MENU)

    assert words(told_words) == f"root=UUID=x ro {found}"
    assert "the default of 3 for this kernel" in told_words.source


def test_the_saved_entry_is_in_the_environment_block():
    saved = {"boot/grub/grubenv": b"# GRUB Environment Block\nsaved_entry=more>id-again\n####"}

    assert words(by_grub(HEAD.replace("DEFAULT", "${saved_entry}") + MENU, saved)).endswith("again")


def test_a_default_for_another_kernel_leaves_the_first_that_is_for_no_repairs():
    menu = (
        entry("Tiny (recovery mode)", "/boot/vmlinuz-6.1 single")
        + entry("Tiny", "/boot/vmlinuz-6.1 plain")
        + entry("Old", "/boot/vmlinuz-5.9 old")
    )
    found = by_grub("set default=2\n" + menu)

    assert words(found) == "plain"
    assert "the first of 2 for this kernel" in found.source


def test_a_variable_that_depends_on_the_hardware_is_not_known():
    # as Ubuntu has it
    config = """
function gfxmode {
  set gfxpayload="${1}"
  if [ "${1}" = "keep" ]; then set vt_handoff=vt.handoff=7; else set vt_handoff=; fi
}
if [ "${recordfail}" != 1 ]; then
  if [ -e ${prefix}/gfxblacklist.txt ]; then
    if hwmatch ${prefix}/gfxblacklist.txt 3; then
      if [ ${match} = 0 ]; then set linux_gfx_mode=keep; else set linux_gfx_mode=text; fi
    else
      set linux_gfx_mode=text
    fi
  else
    set linux_gfx_mode=keep
  fi
fi
menuentry 'Ubuntu' { gfxmode $linux_gfx_mode
  linux /boot/vmlinuz-6.1 ro a $vt_handoff b }
"""
    blacklist = {"boot/grub/gfxblacklist.txt": b""}

    assert words(by_grub(config)) == "ro a vt.handoff=7 b"
    undecided = by_grub(config, blacklist)
    assert words(undecided) == "ro a b"
    assert [word.text for word in undecided.unknown] == ["$vt_handoff"]


def test_entries_of_fedora_are_told_what_grub_sets_where_its_environment_does_not():
    config = """
insmod blscfg
if [ -z "${kernelopts}" ]; then
  set kernelopts="root=UUID=x ro from-cfg "
fi
blscfg
"""
    files = {
        "grub2/grub.cfg": config.encode(),
        "loader/entries/a.conf": b"linux /vmlinuz-6.1\noptions $kernelopts $tuned_params\n",
        "vmlinuz-6.1": b"k",
    }
    kept = {"grub2/grubenv": b"# GRUB\nkernelopts=root=UUID=x ro from-env\n"}

    def found(more) -> str:
        return words(told_by({}, [files | more], path="vmlinuz-6.1"))

    assert found({}) == "root=UUID=x ro from-cfg"
    assert found(kept) == "root=UUID=x ro from-env"


def test_coreos_is_told_of_its_first_boot_by_a_file_on_the_boot_partition():
    config = """
set ignition_firstboot=""
if [ -f "/ignition.firstboot" ]; then
  set ignition_network_kcmdline=''
  if [ -s "/ignition.firstboot" ]; then source "/ignition.firstboot"; fi
  set ignition_firstboot="ignition.firstboot ${ignition_network_kcmdline}"
fi
blscfg
"""
    files = {
        "grub2/grub.cfg": config.encode(),
        "loader/entries/a.conf": b"linux /vmlinuz-6.1\noptions $ignition_firstboot a\n",
        "vmlinuz-6.1": b"k",
    }
    first = {"ignition.firstboot": b"set ignition_network_kcmdline='rd.neednet=1'\n"}

    def found(more) -> str:
        return words(told_by({}, [files | more], path="vmlinuz-6.1"))

    assert found({}) == "a"
    assert found(first) == "ignition.firstboot rd.neednet=1 a"


@pytest.mark.parametrize(
    ("config", "found"),
    [
        # wic: a brace right behind a quote, no set
        ("default=boot\nmenuentry 'boot'{\nlinux /boot/vmlinuz-6.1 root=PARTUUID=x rootwait\n}\n",
         "root=PARTUUID=x rootwait"),
        # NixOS: a device from a search, two slashes
        ("menuentry \"NixOS\" {\nsearch --set=drive1 --fs-uuid x\n"
         "linux ($drive1)/boot//vmlinuz-6.1 init=/nix/store/x/init loglevel=4\n}\n",
         "init=/nix/store/x/init loglevel=4"),
        # openSUSE: a snapshot's words, set by another menu
        ("menuentry 'openSUSE' { linux /boot/vmlinuz-6.1 root=UUID=x ${extra_cmdline} a }\n",
         "root=UUID=x a"),
        # no menu at all
        ("linux /boot/vmlinuz-6.1 a\ninitrd /boot/initrd.img-6.1\nboot\n", "a"),
        # a device with brackets of its own
        ("set root='(hd0,1)'\nmenuentry x { linux ($root)/boot/vmlinuz-6.1 a }", "a"),
        # BIOS and EFI names of the command
        ("menuentry x { linux16 /boot/vmlinuz-6.1 a }", "a"),
        ("menuentry x { linuxefi ($root)/boot/vmlinuz-6.1 a }", "a"),
        # words that GRUB's quotes keep together, a semicolon in them or escaped
        ("menuentry x { linux /boot/vmlinuz-6.1 'a b=c' \"d;e\" f\\;g # no\n }", '"a b=c" d;e f;g'),
        # a variable of several words, a loop, a continued line
        ("set more='a b'\nfor x in 1 2; do set y=$x; done\n"
         "menuentry x { linux /boot/vmlinuz-6.1 \\\n $more \"c$more\" }", 'a b "ca b"'),
        # another file of the same folder
        ("source $prefix/more.cfg", "sourced"),
        ("if [ -f ${config_directory}/more.cfg ]; then\nsource ${config_directory}/more.cfg\nfi",
         "sourced"),
        ("if ! [ -f /boot/grub/none.cfg -o ! -n \"$prefix\" ]; then set a=yes; fi\n"
         "menuentry x { linux /boot/vmlinuz-6.1 $a }", "yes"),
        ("if test a = b -o c != d; then set a=yes; else set a=no; fi\n"
         "menuentry x { linux /boot/vmlinuz-6.1 $a }", "yes"),
    ],
)  # fmt: skip
def test_what_builders_write_is_followed(config, found):
    more = {"boot/grub/more.cfg": b"menuentry m { linux /boot/vmlinuz-6.1 sourced }\n"}

    assert words(by_grub(config, more)) == found


@pytest.mark.parametrize(
    "config",
    [
        'if [ "$grub_platform" = efi ]; then set a=b; fi\n',
        "if [ x$grub_cpu != x ]; then set a=b; else set a=c; fi\n",
        "search --set=a --label x\n",
        "regexp --set 1:a '(.*)' \"$cmdpath\"\n",
        "if cpuid -l; then set a=64; elif keystatus --shift; then set a=1; else set a=2; fi\n",
        "for a in 1 2; do true; done\n",
        'source "($oem)/grub.cfg"\nset a=$net_default_mac\n',
    ],
)
def test_what_only_the_running_grub_knows_is_not_guessed(config):
    found = by_grub(config + "menuentry x { linux /boot/vmlinuz-6.1 b=$a c }")

    assert words(found) == "c"
    assert [word.text for word in found.unknown] in (["b=$a"], ["b=$net_default_mac"])


def test_what_stands_behind_a_condition_only_grub_decides_is_said():
    behind = "stands behind an if that only the loader can decide"
    inside = (
        "menuentry x {\nif [ $grub_platform = efi ]; then linux /boot/vmlinuz-6.1 a\n"
        "else linux /boot/vmlinuz-6.1 b\nfi\n}\n"
    )
    around = f"if keystatus --shift; then\n{entry('x', '/boot/vmlinuz-6.1 a')}fi\n"

    for config in (inside, around):
        found = by_grub(config)
        assert words(found) == "a"
        assert any(behind in remark for remark in found.remarks)
    assert by_grub(around + entry("y", "/boot/vmlinuz-6.1 sure") + "set default=y\n").remarks == ()


def test_a_default_that_only_grub_knows_is_none():
    menu = entry("x", "/boot/vmlinuz-6.1 a") + entry("y", "/boot/vmlinuz-6.1 b")

    found = by_grub(
        'if [ "$grub_cpu" = i386 ]; then set default=x; else set default=y; fi\n' + menu
    )

    assert words(found) == "a"
    assert found.source.endswith(
        "of which the loader knows the default when it runs: the first of 2 for this kernel ('x')"
    )


def test_a_configuration_beside_the_loader_of_a_vendor_is_found():
    esp = {"EFI/tiny/grub.cfg": b"menuentry x { linux /vmlinuz-6.1 a }", "vmlinuz-6.1": b"k"}

    assert words(told_by({}, [esp], path="vmlinuz-6.1")) == "a"


@pytest.mark.parametrize(
    "config",
    [
        "menuentry 'x {\n",
        "if true; then set a=b\n",
        "}\n",
        "if true\n",
        "{" * 100,
        "function f { f; }\nf\n",
        "function f { g; g; }\nfunction g { h; h; }\nfunction h { true; true; }\n"
        + "f\n" * 4_000,
        "set a=x\n" + "set a=$a$a\n" * 100 + "linux /boot/vmlinuz-6.1 " + "$a" * 20_000,
        "set b='" + "c " * 4000 + "'\nlinux /x " + "$b " * 2_000,
        "".join(f"set a{number}=1\n" for number in range(1000)),
        "menuentry a { submenu b {\n" * 60 + "}}\n" * 60,
        "if [ $x ]; then a; " + "elif cmd; then b; " * 5000 + "fi",
        "menuentry a { b; }\n" * 2500,
    ],
    ids=[
        "a quote", "no fi", "a brace", "no then", "braces", "itself", "functions", "doubling",
        "words", "variables", "menus", "ways", "entries",
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_said_and_takes_no_time(config):
    began = time.process_time()
    found = by_grub(config)

    assert time.process_time() - began < 5
    assert found.words == ()
    (remark,) = found.remarks
    assert remark.startswith("/boot/grub/grub.cfg of the disk cannot be followed (")


def test_another_menu_counts_where_one_cannot_be_followed():
    found = by_grub("}", {"boot/loader/entries/a.conf": b"linux /vmlinuz-6.1\noptions a\n"})

    assert (words(found), found.remarks) == ("a", ())


def test_words_are_of_pieces_that_are_quoted_or_not():
    assert [(piece.text, piece.is_variable) for piece in pieces("a${b}'$c'\"$d\\$e\"\\$f$1")] == [
        ("a", False), ("b", True), ("$c", False), ("", False), ("d", True), ("$", False),
        ("e", False), ("$", False), ("f", False), ("1", True),
    ]  # fmt: skip


def test_a_script_ends_at_its_bounds():
    place = Place(tree({}), "")

    with pytest.raises(UnreadableScriptError):
        parse("a " * 61_000)
    with pytest.raises(UnreadableScriptError):
        run("source /g.cfg\n", "/", {}, Place(tree({"g.cfg": b"source /g.cfg\n"}), ""))
    assert run("", "/", {}, place).items == []


def test_a_kernel_on_a_subvolume_is_named_from_the_top():
    files = {
        "boot/grub2/grub.cfg": b"menuentry x { linux /@/.snapshots/1/snapshot/boot/vmlinuz-6.1 a }",
        "boot/vmlinuz-6.1": b"k",
    }
    root = tree(files)

    assert words(told(Chosen(root), root, [])) == "a"
