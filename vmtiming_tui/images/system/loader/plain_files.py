"""Files that say what new entries of a loader's menu are to tell kernels."""

import re
from collections.abc import Iterator, Sequence

from vmtiming_tui.images.files.tree import Tree
from vmtiming_tui.images.quoting import shown
from vmtiming_tui.images.system.loader.menu import Place, places
from vmtiming_tui.images.system.loader.words import Told, Word, split

# kernel-install(8), ukify(1), mkinitcpio(8), Clear Linux's kernel manager.
_FILES = ("etc/kernel/cmdline", "etc/cmdline", "usr/lib/kernel/cmdline", "usr/share/kernel/cmdline")
_FOLDERS = ("etc/cmdline.d", "etc/kernel/cmdline.d", "usr/share/kernel/cmdline.d")
_MAX_FILES = 64
# Raspberry Pi's firmware reads both.
_FIRMWARE, _OF_FIRMWARE = "config.txt", "cmdline.txt"
_GRUB = "etc/default/grub"
_GRUB_FOLDER = "etc/default/grub.d"
_ASSIGNMENT = re.compile(
    r"^[ \t]*(?:export[ \t]+)?GRUB_CMDLINE_LINUX(_DEFAULT)?(\+?)="
    r"""(?:"((?:[^"\\\n]|\\.)*)"|'([^'\n]*)'|([^ \t\n"'#;]*))[ \t]*(?:[#;].*)?$""",
    re.MULTILINE,
)
_ESCAPED = re.compile(r"\\([\"`\\])")
_MAX_VALUE = 8192
_OF_A_SHELL = frozenset("$`")
_OLD_VALUE = re.compile(r"\$\{?GRUB_CMDLINE_LINUX(_DEFAULT)?\}?")


def cmdline_file(root: Tree, others: Sequence[Tree]) -> Told | None:
    """Return what the first of the files of command lines says that says anything."""
    for each in places(root, others):
        if each.has(_FIRMWARE) and (words := _words(each.text(_OF_FIRMWARE))):
            return Told(source=shown(each.label(_OF_FIRMWARE)), words=words)
    place = Place(root, "")
    for name in _FILES:
        if words := _words(place.text(name)):
            return Told(source=shown(place.label(name)), words=words)
    for folder in _FOLDERS:
        if words := _words("\n".join(_texts(place, folder, ".conf"))):
            return Told(source=shown(place.label(folder)), words=words)
    return None


def defaults_file(root: Tree) -> Told | None:
    """Return what is set for GRUB's menu to be made of, if anything is."""
    place = Place(root, "")
    words = grub_defaults("\n".join([place.text(_GRUB), *_texts(place, _GRUB_FOLDER, ".cfg")]))
    if not words:
        return None
    unknown = tuple(word for word in words if not _OF_A_SHELL.isdisjoint(word.text))
    return Told(
        source=f"{shown(place.label(_GRUB))}, of which GRUB's menu would be made",
        words=tuple(word for word in words if word not in unknown),
        unknown=unknown,
    )


def _texts(place: Place, folder: str, suffix: str) -> Iterator[str]:
    names = [name for name in place.names(folder) if name.endswith(suffix)]
    for name in names[:_MAX_FILES]:
        yield place.text(f"{folder}/{name}")


def _words(text: str) -> tuple[Word, ...]:
    lines = [line for line in text.split("\n") if not line.lstrip().startswith("#")]
    return split(" ".join(lines))


def grub_defaults(text: str) -> tuple[Word, ...]:
    """Return what grub-mkconfig would have a kernel told, by the files a shell reads for it.

    Nothing is run, and only the old value of either variable is put in.
    """
    values = {"": "", "_DEFAULT": ""}
    for which, added, double, single, bare in _ASSIGNMENT.findall(text):
        plain = _ESCAPED.sub(r"\1", (double or bare)[:_MAX_VALUE])
        value = single or _OLD_VALUE.sub(lambda old: values[old[1] or ""], plain)
        values[which] = (values[which] + value if added else value)[:_MAX_VALUE]
    return split(f"{values['']} {values['_DEFAULT']}")
