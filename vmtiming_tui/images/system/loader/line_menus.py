"""Menus written a setting a line: of Syslinux, U-Boot, GRUB legacy, zipl, Limine, rEFInd and more.

Syntax: syslinux.cfg(5), U-Boot's doc/README.distro, GRUB legacy's manual, zipl.conf(5), Limine's
CONFIG.md, rEFInd's manual, the UEFI Shell specification.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from vmtiming_tui.images.system.loader.menu import UNKNOWN, MenuEntry, Place, marked

_MAX_ITEMS = 500
_MAX_INCLUDED = 32
_MAX_LINES = 20_000
_MAX_CHARS = 16 << 10
_VARIABLE = re.compile(r"\$(?=[A-Za-z_{])")
_SETTING = re.compile(r"([A-Za-z_]+)[ \t]*[:=](.*)")
_RESOURCE = re.compile(r"\$?[a-z]+(?:\([^)]*\):|://)")
_KERNEL_NAME = re.compile(r"linu[xz]|image|kernel")
_REFIND = re.compile(r'\s*"([^"]*)"\s+"((?:[^"]|"")*)"\s*')


@dataclass(slots=True)
class _Item:
    """An item of a menu; ``number`` is its place in it where a default may be named by that."""

    title: str
    name: str = ""
    number: int = -1
    kernel: str = ""
    line: str = ""
    initrds: tuple[str, ...] = ()
    is_default: bool = False
    devicetree: str = ""


Reader = Callable[[Place, str], list[_Item]]


def line_menus(place: Place) -> Iterator[list[MenuEntry]]:
    """Yield the menus of a place."""
    for names, reader in _READERS:
        for name in names:
            if place.text(name):
                yield [_entry(place, name, item) for item in reader(place, name) if item.kernel]


def refind_menu(place: Place, kernel: str) -> list[MenuEntry]:
    """Return what rEFInd tells every kernel of a folder, the first line by default."""
    name = "refind_linux.conf"
    found = [_REFIND.fullmatch(line) for line in _lines(place, name)]
    items = [
        _Item(line[1], kernel=f"/{kernel}", line=line[2].replace('""', '"'))
        for line in found[:_MAX_ITEMS]
        if line
    ]
    for item in items[:1]:
        item.is_default = True
    return [_entry(place, name, item) for item in items]


def _entry(place: Place, name: str, item: _Item) -> MenuEntry:
    words, unknown = marked(_VARIABLE.sub(f"{UNKNOWN}$", item.line))
    folder = f"/{place.path(name)}".rpartition("/")[0]

    def from_top(path: str) -> str:
        return path if path.startswith("/") else f"{folder}/{path}"

    told = [word.value.replace("\\", "/") for word in words if word.name == "initrd"]
    initrds = item.initrds or tuple(path for value in told for path in value.split(","))
    return MenuEntry(
        place=place.label(name), title=item.title, kernel=from_top(item.kernel), words=words,
        unknown=unknown, initrds=tuple(map(from_top, filter(None, initrds))),
        is_default=item.is_default, devicetree=item.devicetree,
    )  # fmt: skip


def _lines(place: Place, name: str) -> Iterator[str]:
    for line in place.text(name).split("\n")[:_MAX_LINES]:
        yield line[:_MAX_CHARS].strip()


def _setting(line: str) -> tuple[str, str]:
    found = _SETTING.match(line)
    return (found[1], found[2].strip()) if found else ("", "")


def _syslinux(place: Place, name: str) -> list[_Item]:
    """An APPEND before all labels is for those that have none; a dash means none at all."""
    items: list[_Item] = []
    common, default = "", ""
    for key, value in _directives(place, name):
        item = items[-1] if items else None
        match key, item:
            case "label", _:
                items.append(_Item(value, name=value))
            case (("default" | "ontimeout"), _):
                default = value if key == "ontimeout" or not default else default
            case "append", None:
                common = value
            case _, None:
                continue
            case (("kernel" | "linux"), _Item()):
                item.kernel, _, behind = value.partition(" ")
                item.line = behind or item.line
            case (("fdt" | "devicetree"), _Item()):
                item.devicetree = value
            case "initrd", _Item():
                item.initrds = tuple(value.split(","))
            case "append", _Item():
                item.line = value
            case "menu label", _Item():
                item.title = value.replace("^", "")
            case "menu default", _Item():
                default = item.name
    for item in items[:_MAX_ITEMS]:
        item.line = "" if item.line == "-" else item.line or common
    named = [item for item in items if item.name == default]
    named = named or [item for item in items if item.name == default.split(" ")[0]]
    for item in (named or items)[:1]:
        item.is_default = True
    return items[:_MAX_ITEMS]


def _directives(place: Place, name: str) -> Iterator[tuple[str, str]]:
    """Yield the directives of a file, those of the files that it includes in their places."""
    pending, included = [_lines(place, name)], 0
    while pending:
        line = next(pending[-1], None)
        if line is None:
            pending.pop()
            continue
        key, _, value = line.replace("\t", " ").partition(" ")
        key, value = key.lower(), value.strip()
        if key == "menu":
            more, _, value = value.partition(" ")
            key, value = f"menu {more.lower()}", value.strip()
        if key in ("include", "menu include"):
            included += 1
            if included <= _MAX_INCLUDED:
                folder = name.rpartition("/")[0]
                pending.append(_lines(place, f"{folder}/{value.split(' ')[0]}"))
        else:
            yield key, value


def _legacy(place: Place, name: str) -> list[_Item]:
    items: list[_Item] = []
    default = "0"
    for line in _lines(place, name):
        key, _, value = re.sub(r"[ \t=]+", " ", line, count=1).partition(" ")
        if key == "title" and len(items) < _MAX_ITEMS:
            items.append(_Item(value, number=len(items)))
        elif key == "default" and not items:
            default = value.strip()
        elif key == "kernel" and items:
            path, _, items[-1].line = value.replace("\t", " ").strip(" ").partition(" ")
            items[-1].kernel = re.sub(r"^\([^)]*\)", "", path)
        elif key == "initrd" and items:
            items[-1].initrds = (re.sub(r"^\([^)]*\)", "", value.strip()),)
    for item in items:
        item.is_default = str(item.number) == default
    return items


def _zipl(place: Place, name: str) -> list[_Item]:
    items: list[_Item] = []
    default = ""
    for line in _lines(place, name):
        key, value = _setting(line)
        value = value.strip("\"'")
        if line.startswith(("[", ":")):
            items.append(_Item(line.strip("[]:")))
        elif key == "default":
            default = value
        elif key == "image" and items:
            items[-1].kernel = value.partition(",")[0]
        elif key == "ramdisk" and items:
            items[-1].initrds = (value.partition(",")[0],)
        elif key == "parameters" and items:
            items[-1].line = value
    for item in items[:_MAX_ITEMS]:
        item.is_default = item.title == default
    return items[:_MAX_ITEMS]


def _limine(place: Place, name: str) -> list[_Item]:
    """Both of its syntaxes: up to version 7 with colons and capitals, then with slashes."""
    items: list[_Item] = []
    default = "1"
    for line in _lines(place, name):
        key, value = _setting(line)
        key = key.lower()
        if line.startswith(("/", ":")):
            if len(items) < _MAX_ITEMS:
                items.append(_Item(line.lstrip("/:+"), number=len(items) + 1))
        elif key == "default_entry":
            default = value
        elif key in ("path", "kernel_path") and items:
            items[-1].kernel = _without_device(value)
        elif key == "module_path" and items:
            items[-1].initrds += (_without_device(value),)
        elif key in ("cmdline", "kernel_cmdline") and items:
            items[-1].line = value
    for item in items:
        item.is_default = default in (str(item.number), item.title)
    return items


def _without_device(value: str) -> str:
    device = _RESOURCE.match(value)
    return value[device.end() if device else 0 :].partition("#")[0]


def _nsh(place: Place, name: str) -> list[_Item]:
    """The EFI shell's script, in which a kernel is a command."""
    items: list[_Item] = []
    for line in _lines(place, name):
        command, _, rest = line.partition(" ")
        path = command.rpartition(":")[2].replace("\\", "/")
        if len(items) < _MAX_ITEMS and _KERNEL_NAME.search(path.rpartition("/")[2].lower()):
            items.append(_Item("", kernel=path, line=rest, is_default=not items))
    return items


_READERS: tuple[tuple[tuple[str, ...], Reader], ...] = (
    (("extlinux/extlinux.conf", "extlinux.conf", "syslinux/extlinux.conf",
      "syslinux/syslinux.cfg", "syslinux.cfg", "EFI/syslinux/syslinux.cfg"), _syslinux),
    (("limine.conf", "limine/limine.conf", "EFI/limine/limine.conf", "EFI/BOOT/limine.conf",
      "limine.cfg", "limine/limine.cfg", "EFI/BOOT/limine.cfg"), _limine),
    (("grub/menu.lst", "grub/grub.conf"), _legacy),
    (("etc/zipl.conf",), _zipl),
    (("startup.nsh",), _nsh),
)  # fmt: skip
