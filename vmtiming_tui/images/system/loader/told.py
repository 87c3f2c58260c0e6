"""What a kernel of an image is told by whatever boots it there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.files.tree import Tree
from vmtiming_tui.images.quoting import shown
from vmtiming_tui.images.system import unified
from vmtiming_tui.images.system.loader.entry_menu import entry_menu
from vmtiming_tui.images.system.loader.environment import environment
from vmtiming_tui.images.system.loader.menu import MenuEntry, Place, places
from vmtiming_tui.images.system.loader.plain_files import plain_file
from vmtiming_tui.images.system.loader.words import Word, split

_MAX_CMDLINE_BYTES = 16 << 10
_MAX_ADDONS = 64


class ChosenKernel(Protocol):
    """A kernel in a tree, by path, and whether it is a unified one."""

    @property
    def tree(self) -> Tree: ...

    @property
    def path(self) -> str: ...

    @property
    def unified(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The words a kernel is told, and where they stand, in words for a person.

    ``unknown`` are those that only a running loader could complete.
    """

    source: str = ""
    words: tuple[Word, ...] = ()
    unknown: tuple[Word, ...] = ()


def told(kernel: ChosenKernel, root: Tree, others: Sequence[Tree]) -> Told:
    """Return what a kernel is told.

    What names it counts: an entry of a loader's menu (of several the default one), then what a
    unified kernel has inside. Else it is what new entries would be made of, and at last what the
    menu tells another kernel.
    """
    spots = tuple(places(root, others))
    entries = list(_menus(spots))
    own = [entry for entry in entries if entry.kernel and _is_for(entry, kernel)]
    if kernel.unified:
        own = [entry for entry in own if entry.words] or list(_inside(kernel))
    if own:
        return _of_several(own)
    if found := plain_file(root):
        return Told(source=shown(found.source), words=found.words, unknown=found.unknown)
    if entries:
        chosen = _chosen(entries)
        return Told(
            source=f"{shown(chosen.place)}, which names another kernel",
            words=chosen.words,
            unknown=chosen.unknown,
        )
    return Told()


def _menus(spots: Sequence[Place]) -> Iterator[MenuEntry]:
    variables = environment(spots)
    for place in spots:
        yield from entry_menu(place, variables)


def _of_several(entries: Sequence[MenuEntry]) -> Told:
    chosen = _chosen(entries)
    which = "the default" if chosen.is_default else "the first"
    several = f", {which} of {len(entries)} for this kernel" if len(entries) > 1 else ""
    return Told(
        source=f"{shown(chosen.place)}{several}", words=chosen.words, unknown=chosen.unknown
    )


def _chosen(entries: Sequence[MenuEntry]) -> MenuEntry:
    """Return the default entry, else the first that is for no repairs."""
    return min(entries, key=lambda entry: (not entry.is_default, entry.is_rescue))


def _is_for(entry: MenuEntry, kernel: ChosenKernel) -> bool:
    """Whether an entry is a kernel's, by the file it leads to.

    A path that leads nowhere begins above the volume's top (a subvolume), or below it (a folder
    where another volume belongs): there the file's name alone tells.
    """
    if there := kernel.tree.find(entry.kernel):
        taken = kernel.tree.find(kernel.path)
        return taken is not None and there.path == taken.path
    return PurePosixPath(entry.kernel).name == PurePosixPath(kernel.path).name


def _inside(kernel: ChosenKernel) -> Iterator[MenuEntry]:
    """Yield what a unified kernel and its addons (systemd-stub(7)) tell it, as one entry."""
    folder = PurePosixPath(kernel.path).parent
    words = _cmdline(kernel.tree, kernel.path)
    for extra in (f"{kernel.path}.extra.d", str(folder.parent.parent / "loader/addons")):
        names = [name for name in kernel.tree.names(extra) if name.endswith(".addon.efi")]
        for name in names[:_MAX_ADDONS]:
            words += _cmdline(kernel.tree, f"{extra}/{name}")
    place = f"/{kernel.path} of {kernel.tree.label}"
    yield MenuEntry(place=place, title="", kernel=kernel.path, words=words)


def _cmdline(tree: Tree, path: str) -> tuple[Word, ...]:
    found = tree.find(path)
    try:
        parts = unified.sections(tree.files, found.node) if found else {}
    except ImageError:
        return ()
    section = parts.get(".cmdline")
    if not found or not section or section.size > _MAX_CMDLINE_BYTES:
        return ()
    text = b"".join(unified.content(tree.files, found.node, section))
    return split(text.decode(errors="surrogateescape"))
