"""The menu of GRUB's own configuration, as far as it can be followed without GRUB."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from vmtiming_tui.images.system.loader.grub_run import Boots, Item, Menu, run
from vmtiming_tui.images.system.loader.grub_script import UnreadableScriptError
from vmtiming_tui.images.system.loader.menu import UNKNOWN, MenuEntry, Place, marked

_FILES = ("grub2/grub.cfg", "grub/grub.cfg", "grub.cfg")
_MAX_VENDORS = 16
_MAX_READ = 4


@dataclass(frozen=True, slots=True)
class GrubMenu:
    """What GRUB would show, a menu a file, the variables that are set, and what is no script."""

    menus: tuple[tuple[MenuEntry, ...], ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def grub_menu(place: Place, kept: Mapping[str, str]) -> GrubMenu:
    """Return the menus of a place; ``kept`` are the variables of GRUB's environment block."""
    vendors = [f"EFI/{name}/grub.cfg" for name in place.names("EFI")]
    menus: list[tuple[MenuEntry, ...]] = []
    variables: dict[str, str] = {}
    remarks: list[str] = []
    names = (name for name in (*_FILES, *vendors[:_MAX_VENDORS]) if place.text(name))
    for name in islice(names, _MAX_READ):
        label = place.label(name)
        folder = f"/{place.path(name)}".rpartition("/")[0]
        try:
            menu = run(place.text(name), folder, kept, place)
        except UnreadableScriptError as error:
            remarks.append(f"{label} cannot be followed ({error}): what it tells kernels is lost")
            continue
        menus.append(tuple(_entries(menu, label)))
        variables |= menu.variables
    return GrubMenu(tuple(menus), variables, tuple(remarks))


def _entries(menu: Menu, place: str) -> Iterator[MenuEntry]:
    default = _default(menu)
    for title, item in _flat(menu.items, ""):
        for boots in item.boots:
            yield _entry(boots, place, title, is_default=item is default)
    for boots in menu.boots:
        yield _entry(boots, place, "", is_default=not menu.items)


def _entry(boots: Boots, place: str, title: str, *, is_default: bool) -> MenuEntry:
    words, unknown = marked(boots.line)
    return MenuEntry(
        place=place, title=title, kernel=boots.kernel.replace(UNKNOWN, ""), words=words,
        unknown=unknown, initrds=boots.initrds, is_default=is_default, is_sure=boots.is_sure,
    )  # fmt: skip


def _flat(items: Sequence[Item], above: str) -> Iterator[tuple[str, Item]]:
    for item in items:
        title = f"{above}{item.title}"
        yield title, item
        yield from _flat(item.items, f"{title} > ")


def _default(menu: Menu) -> Item | None:
    """Return the item booted when nobody chooses: by number, title or id, a menu's by a path."""
    wanted = menu.variables.get("default", "")
    if UNKNOWN in wanted:
        return None
    items, found = menu.items, None
    for word in wanted.split(">"):
        found = _named(items, word)
        items = found.items if found else []
    while found and found.items:
        found = found.items[0]
    return found or (menu.items[0] if menu.items else None)


def _named(items: Sequence[Item], word: str) -> Item | None:
    for item in items:
        if word in (item.id, item.title):
            return item
    number = int(word) if word.isdecimal() and len(word) < 6 else 0 if not word else len(items)
    return items[number] if number < len(items) else None
