"""What a kernel of an image is told by whatever boots it there."""

import contextlib
import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Protocol

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.files.tree import Tree
from vmtiming_tui.images.quoting import shown
from vmtiming_tui.images.system import unified
from vmtiming_tui.images.system.loader.entry_menu import default_pattern, entry_menu
from vmtiming_tui.images.system.loader.environment import environment
from vmtiming_tui.images.system.loader.grub_menu import grub_menu
from vmtiming_tui.images.system.loader.line_menus import line_menus, refind_menu
from vmtiming_tui.images.system.loader.menu import MenuEntry, Place, places
from vmtiming_tui.images.system.loader.plain_files import cmdline_file, defaults_file
from vmtiming_tui.images.system.loader.words import Told, Word, split
from vmtiming_tui.images.system.located import joined, located

_VERSION = re.compile(r"[0-9]\.[0-9]")
_MAX_CMDLINE_BYTES = 16 << 10


class ChosenKernel(Protocol):
    """A kernel in a tree, by path, and whether, and by which profile, it is a unified one."""

    @property
    def tree(self) -> Tree: ...

    @property
    def path(self) -> str: ...

    @property
    def unified(self) -> bool: ...

    @property
    def profile(self) -> int: ...


def told(kernel: ChosenKernel, root: Tree, others: Sequence[Tree]) -> Told:
    """Return what a kernel is told.

    What names it counts: an entry of a loader's menu (of several the default one), then what a
    unified kernel has inside. Else it is the file that new entries are made of, then what the menu
    tells another kernel, and at last what GRUB's menu would be made of.
    """
    menus, remarks = _menus(tuple(places(root, others)))
    folder = str(PurePosixPath(kernel.path).parent)
    menus.append(refind_menu(Place(kernel.tree, folder), kernel.path))
    for menu in menus:
        own = _for_kernel(menu, kernel, (root, *others))
        if kernel.unified:  # words of an entry's come in the place of those inside
            own = [entry for entry in own if entry.words]
        if own:
            return _of_several(own, menu)
    if kernel.unified:
        return _inside(kernel)
    found = cmdline_file(root, others) or _of_another(menus) or defaults_file(root)
    found = found or Told()
    return replace(found, remarks=(*remarks, *found.remarks))


def _of_another(menus: Sequence[Sequence[MenuEntry]]) -> Told | None:
    for menu in menus:
        if any(entry.words for entry in menu):
            chosen = _chosen(menu)
            which = "another kernel" if chosen.kernel else "no kernel"
            return _told(chosen, f", which names {which}")
    return None


def _told(entry: MenuEntry, which: str) -> Told:
    remarks = []
    if entry.devicetree:
        tree = shown(entry.devicetree)
        remarks.append(f"the device tree {tree} is left out: the VM's machine has its own")
    if not entry.is_sure:
        remarks.append("what is carried over stands behind an if that only the loader can decide")
    return Told(
        source=f"{shown(entry.place)}{which}",
        words=entry.words,
        unknown=entry.unknown,
        remarks=tuple(remarks),
    )


def menu_entries(root: Tree, others: Sequence[Tree]) -> Sequence[MenuEntry]:
    """Return what all menus of a disk's loaders tell."""
    menus, _ = _menus(tuple(places(root, others)))
    return [entry for menu in menus for entry in menu]


def default_root(trees: Sequence[Tree]) -> str:
    """Return the root that a disk's loader boots by default, as it says it.

    Empty where no menu says it, or they do not agree.
    """
    menus, _ = _menus([Place(tree, folder) for tree in trees for folder in ("", "boot")])
    roots = {
        word.value for menu in menus if menu for word in _chosen(menu).words if word.name == "root"
    }
    return roots.pop() if len(roots) == 1 else ""


def _menus(
    spots: Sequence[Place],
) -> tuple[list[Sequence[MenuEntry]], tuple[str, ...]]:
    """Return the menus in the order in which they count, and what to say of unreadable ones."""
    kept = environment(spots)
    grubs = [grub_menu(place, kept) for place in spots]
    variables = dict(kept)
    for grub in grubs:
        variables = {**grub.variables, **variables}
    pattern = default_pattern(spots)
    menus: list[Sequence[MenuEntry]] = [
        list(entry_menu(place, variables, pattern)) for place in spots
    ]
    menus += [menu for grub in grubs for menu in grub.menus]
    menus += [menu for place in spots for menu in line_menus(place)]
    return menus, tuple(shown(remark) for grub in grubs for remark in grub.remarks)


def _of_several(own: Sequence[MenuEntry], menu: Sequence[MenuEntry]) -> Told:
    chosen = _chosen(own)
    which = "the default" if chosen.is_default else "the first"
    if not any(entry.is_default for entry in menu):
        which = "of which the loader knows the default when it runs: the first"
    title = f" ('{shown(chosen.title)}')" if chosen.title else ""
    several = f", {which} of {len(own)} for this kernel{title}" if len(own) > 1 else ""
    found = _told(chosen, several)
    default = next((entry for entry in menu if entry.is_default), chosen)
    if default.kernel in ("", *(entry.kernel for entry in own)):
        return found
    other = f"by default the loader boots another kernel, {shown(default.kernel)}"
    return replace(found, remarks=(*found.remarks, f"{other}: --kernel-version takes it"))


def _chosen(entries: Sequence[MenuEntry]) -> MenuEntry:
    """Return the default entry, else the first that is for no repairs; the surest of them."""
    return min(
        entries, key=lambda entry: (not entry.is_default, entry.is_rescue, not entry.is_sure)
    )


def _for_kernel(
    menu: Sequence[MenuEntry], kernel: ChosenKernel, trees: Sequence[Tree]
) -> list[MenuEntry]:
    """Return the entries of a kernel, by the file they lead to.

    Where none leads to it, the name of the file alone tells: a path may begin above the top of a
    volume that is here, on that of a subvolume, or lead to a copy, if a version is in its name.
    """
    taken = kernel.tree.find(kernel.path)
    if not taken:
        return []
    leading = [(entry, _targets(entry, trees)) for entry in menu if entry.kernel]
    own = [entry for entry, targets in leading if (id(kernel.tree), taken.path) in targets]
    name = PurePosixPath(kernel.path).name
    versioned = _VERSION.search(name) is not None
    return own or [
        entry
        for entry, targets in leading
        if PurePosixPath(entry.kernel).name == name and (versioned or not targets)
    ]


def _targets(entry: MenuEntry, trees: Sequence[Tree]) -> set[tuple[int, str]]:
    """Return the files that a path may mean, each by its tree and its path there."""
    paths = (entry.kernel, joined("boot", entry.kernel))
    targets = set()
    for tree, path in itertools.product(trees, paths):
        with contextlib.suppress(ImageError):
            if found := located(trees[0], tree, path):
                targets.add((id(found[0]), found[1].path))
    return targets


def _inside(kernel: ChosenKernel) -> Told:
    """Return what a unified kernel and its addons tell it."""
    words: tuple[Word, ...] = ()
    try:
        for program in unified.with_addons(kernel.tree, kernel.path, kernel.profile):
            words += _cmdline(program)
    except ImageError:  # what cannot be read tells nothing
        pass
    return Told(source=shown(f"/{kernel.path} of {kernel.tree.label}"), words=words)


def _cmdline(program: unified.Program) -> tuple[Word, ...]:
    section = program.sections.get(".cmdline")
    if not section or section.size > _MAX_CMDLINE_BYTES:
        return ()
    text = b"".join(program.content(".cmdline"))
    return split(text.decode(errors="surrogateescape"))
