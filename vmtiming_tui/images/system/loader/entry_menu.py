"""The menu that boot loader entries make, as systemd-boot and GRUB's blscfg show it."""

import fnmatch
from collections.abc import Iterable, Iterator, Mapping

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.system.loader.entries import LoaderEntry, read_entries
from vmtiming_tui.images.system.loader.menu import MenuEntry, Place, expanded
from vmtiming_tui.images.system.versions import Key, version_key

_FOLDER = "loader/entries"
_DEFAULT = "default"
_SAVED = "saved_entry"
# What GRUB's blscfg takes for an entry without options.
_NO_OPTIONS = "default_kernelopts"


def default_pattern(places: Iterable[Place]) -> str:
    """Return what loader.conf names as the default; it is not always where the entries are."""
    for place in places:
        for line in place.text("loader/loader.conf").split("\n"):
            key, _, value = line.replace("\t", " ").strip(" ").partition(" ")
            if key == _DEFAULT:
                return value.strip(" ")
    return ""


def entry_menu(place: Place, variables: Mapping[str, str], pattern: str) -> Iterator[MenuEntry]:
    """Yield the entries of a place in a menu's order, the default one marked.

    The default is what loader.conf's pattern or GRUB's saved entry names, else the first.
    """
    try:
        entries = _in_order(list(read_entries(place.tree, place.path(_FOLDER))))
    except ImageError:
        return
    default = _default(entries, pattern, variables.get(_SAVED, ""))
    for entry in entries:
        words, unknown = expanded(entry.options or variables.get(_NO_OPTIONS, ""), variables)
        yield MenuEntry(
            place=place.label(f"{_FOLDER}/{entry.name}.conf"),
            title=entry.title,
            kernel=entry.linux,
            words=words,
            unknown=unknown,
            initrds=entry.initrds,
            is_default=entry is default,
            devicetree=entry.devicetree,
        )


def _in_order(entries: list[LoaderEntry]) -> list[LoaderEntry]:
    """The specification's order: first those with a sort key, by it; of them, the newest first.

    Others are in the order of their names, the newest first, too; those without tries come last.
    """

    def newest(entry: LoaderEntry) -> tuple[Key, Key]:
        return version_key(entry.version if entry.sort_key else ""), version_key(entry.name)

    by_age = sorted(entries, key=newest, reverse=True)
    return sorted(by_age, key=lambda entry: (entry.tried_out, not entry.sort_key, entry.sort_key))


def _default(entries: list[LoaderEntry], pattern: str, saved: str) -> LoaderEntry | None:
    for wanted in (pattern, saved):
        for entry in entries:
            if wanted and fnmatch.fnmatchcase(
                f"{entry.name}.conf", wanted.removesuffix(".conf") + ".conf"
            ):
                return entry
    return entries[0] if entries else None
