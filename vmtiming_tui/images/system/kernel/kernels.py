"""The kernels an image has, and the one to take."""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.files.tree import FileKind, Tree
from vmtiming_tui.images.quoting import shown
from vmtiming_tui.images.system import unified
from vmtiming_tui.images.system.kernel.built_in import lacking, needed
from vmtiming_tui.images.system.kernel.file import release_of
from vmtiming_tui.images.system.kernel.places import (
    MAX_KERNELS,
    PlacedKernel,
    initrd_beside,
    kernels_below,
    kernels_beside_modules,
    kernels_of_menus,
)
from vmtiming_tui.images.system.located import MODULE_FOLDERS, located
from vmtiming_tui.images.system.versions import Key, version_key

MAX_KERNEL_BYTES = 512 << 20
_MAX_READ_THROUGH = 16
_MAX_NAME_BYTES = 256
_DEBUG = ("+debug", "-debug", ".debug")
_RESCUE = ("rescue", "recovery", "fallback")
_VERSION = re.compile(r"[0-9]+\.[0-9].*")
_UNVERSIONED = "unversioned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A kernel in a tree, by path, and its initrds, which a unified one may have inside.

    ``name`` is what it is called in its place: a version, or a flavour. ``initrds`` are in
    ``initrd_tree`` where that is another. ``by_modules`` says that only the modules that are there
    tell the version; ``leads_nowhere``, that it is a link to nothing; ``modules_missing``, that the
    root has modules, but none of it. ``lacks`` is what a VM takes and a kernel without an initrd
    has not built in; None where nothing tells.
    """

    version: str
    tree: Tree
    path: str
    name: str = ""
    initrds: tuple[str, ...] = ()
    initrd_tree: Tree | None = None
    unified: bool = False
    initrd_inside: bool = False
    profile: int = 0
    rescue: bool = False
    by_modules: bool = False
    leads_nowhere: bool = False
    modules_missing: bool = False
    lacks: tuple[str, ...] | None = None

    @property
    def has_initrd(self) -> bool:
        """Whether an initrd goes with it."""
        return self.initrd_inside or bool(self.initrds)

    @property
    def fit(self) -> bool:
        """Whether it finds its root in a VM: by its initrd, or by what it has built in."""
        return self.has_initrd or self.lacks == ()

    @property
    def is_ordinary(self) -> bool:
        """Whether it may be taken unasked."""
        return not (self.rescue or self.leads_nowhere or self.profile)

    def content(self) -> Iterator[bytes]:
        """Yield its bytes, without what is around a unified one; raise ``ImageError``."""
        found = self.tree.find(self.path)
        if found is None or found.node.kind is not FileKind.FILE:
            raise ImageError(f"the kernel {shown(self.path)} cannot be read")
        files, size = self.tree.files, found.node.size
        parts = unified.sections(files, found.node, self.profile) if self.unified else {}
        section = parts.get(".linux")
        if (section.size if section else size) > MAX_KERNEL_BYTES:
            raise ImageError(f"the kernel {shown(self.path)} is larger than any")
        return unified.content(files, found.node, section) if section else files.chunks(found.node)

    @property
    def rank(self) -> tuple[bool, bool, bool, Key]:
        """What to compare kernels by: the one to take is the highest."""
        is_debug = self.version.endswith(_DEBUG)
        return self.is_ordinary, not self.modules_missing, not is_debug, version_key(self.version)

    @property
    def label(self) -> str:
        """What it is asked for by: its version, and its profile where that is not the first."""
        return f"{self.version}@{self.profile}" if self.profile else self.version

    def __str__(self) -> str:
        facts = [shown(self.path)]
        facts += ["rescue"] * self.rescue + ["leads nowhere"] * self.leads_nowhere
        facts += ["taken for the one that the only modules are of"] * self.by_modules
        facts += ["without its modules"] * self.modules_missing
        if not self.has_initrd:
            facts += ["without an initrd"]
            facts += [f"{driver} is not built in" for driver in self.lacks or ()]
        return f"{shown(self.label)} ({', '.join(facts)})"


def find_kernels(
    root: Tree, others: Sequence[Tree], say: Callable[[str], None], *, root_type: str = "ext4"
) -> list[Kernel]:
    """Return the kernels of a root's tree and of the others, each once.

    ``root_type`` is the type of the file system that they are to boot from. Raises ``ImageError``
    where there are more than any system has.
    """
    finder = _Finder(root, others, root_type)

    def search(places: Iterable[tuple[Tree, Iterator[PlacedKernel]]]) -> None:
        for tree, placed in places:
            try:
                finder.add(placed)
            except ImageError as error:
                say(f"{error.message}: {tree.label} is not searched for kernels any further")

    search([(root, kernels_below(root, root, "boot"))])
    search((other, kernels_below(root, other, "")) for other in others)
    search([(root, kernels_below(root, root, "boot/efi")), (root, kernels_beside_modules(root))])
    search([(root, kernels_of_menus(root, others, with_initrds=True))])
    if not finder.kernels():
        search([(root, kernels_of_menus(root, others, with_initrds=False))])
        # Partitions that were made one: seldom, and much is beside them.
        search((root, kernels_below(root, root, folder)) for folder in ("efi", ""))
    return finder.kernels()


def choose_kernel(kernels: Sequence[Kernel], asked: str, *, with_initrd: bool = False) -> Kernel:
    """Return the newest kernel that is fit to boot and no rescue kernel, or the one asked for.

    ``with_initrd`` says that a person gives an initrd, so that none need be there. Raises
    ``ImageError`` with a list of those that are there.
    """
    if not kernels:
        raise ImageError(
            "the image has no kernel: none in /boot, in an EFI system partition or in "
            "/usr/lib/modules (an image of a container?)",
            hint="-k KERNEL -i INITRD takes one of your own",
        )
    matching = [
        kernel
        for kernel in kernels
        if (kernel.fit or with_initrd)
        and (asked in (kernel.label, kernel.name) if asked else kernel.is_ordinary)
    ]
    if not matching:
        what = (
            f"there is no kernel {shown(asked)} with an initrd"
            if asked
            else "none of the kernels is fit to boot (rescue kernels are not taken unasked)"
        )
        raise ImageError(f"{what}; the image has:\n{listed(kernels)}", hint=_what_helps(kernels))
    return max(matching, key=lambda kernel: kernel.rank)


def listed(kernels: Iterable[Kernel]) -> str:
    """Return the kernels, one a line."""
    return "\n".join(f"  {kernel}" for kernel in kernels)


def _what_helps(kernels: Iterable[Kernel]) -> str:
    words = ["--kernel-version takes one of them"] * any(kernel.fit for kernel in kernels)
    words += ["-i INITRD gives one its initrd"] * any(not kernel.fit for kernel in kernels)
    return f"{', '.join(words)}, -k KERNEL -i INITRD takes one of your own"


class _Finder:
    """Puts together what is known of kernels found one after another, for a root to be booted."""

    def __init__(self, root: Tree, others: Sequence[Tree], root_type: str) -> None:
        self._root = root
        self._initrd_places = [(root, "boot"), *((other, "") for other in others)]
        self._needs = needed(root_type)
        self._found: dict[tuple[int, str, int], Kernel] = {}
        self._versions = _versions_of_modules(root)
        self._left_to_read = _MAX_READ_THROUGH

    def add(self, placed: Iterable[PlacedKernel]) -> None:
        """Take in kernels, each file once; raise ``ImageError`` where a place is damaged."""
        for each in itertools.islice(placed, MAX_KERNELS + 1):
            where = located(self._root, each.tree, each.path)
            tree, found = where or (each.tree, each.tree.find(each.path, follow=False))
            if found is None or found.node.kind not in (FileKind.FILE, FileKind.LINK):
                continue
            place = (id(tree), found.path, each.profile)
            known = self._found.get(place)
            if known is None or (each.initrds and not known.has_initrd):
                path = each.path if tree is each.tree else found.path
                kernel = self._kernel(each, tree, path)
                self._found[place] = replace(kernel, leads_nowhere=where is None)

    def kernels(self) -> list[Kernel]:
        """Return what was found; what has no version counts where nothing has one.

        Raises ``ImageError`` where there are more than any system has.
        """
        if len(self._found) > MAX_KERNELS:
            raise ImageError(f"the image has more than {MAX_KERNELS} kernels")
        found = list(self._found.values())
        return [kernel for kernel in found if kernel.version != _UNVERSIONED] or found

    def _kernel(self, placed: PlacedKernel, tree: Tree, path: str) -> Kernel:
        bare = Kernel(
            version="", tree=tree, path=path, unified=placed.unified, profile=placed.profile
        )
        version, by_modules = self._version(placed.name, bare)
        initrd_tree, initrds = placed.tree, placed.initrds
        if not initrds and not placed.initrd_inside:
            initrd_tree, initrds = self._initrds(placed, version)
        without = not initrds and not placed.initrd_inside
        words = f"{version} {placed.name} {placed.title} {placed.path} {initrds}".lower()
        return Kernel(
            version=version,
            tree=tree,
            path=path,
            name=placed.name,
            initrds=initrds,
            initrd_tree=initrd_tree,
            unified=placed.unified,
            initrd_inside=placed.initrd_inside,
            profile=placed.profile,
            rescue=any(word in words for word in _RESCUE),
            by_modules=by_modules,
            modules_missing=bool(self._versions) and version not in self._versions,
            lacks=self._lacks(version, bare) if without else (),
        )

    def _version(self, name: str, kernel: Kernel) -> tuple[str, bool]:
        """Return a kernel's version, and whether only the modules that are there tell it."""
        if name in self._versions:
            return name, False
        if told := self._read(kernel):
            return told, False
        if _VERSION.fullmatch(name):
            return name, False
        packaged = [version for version in self._versions if self._package(version) == name]
        if name and len(packaged) == 1:
            return packaged[0], False
        filled = [version for version in self._versions if self._has_table(version)]
        if len(only := filled or self._versions) == 1:
            return only[0], True
        return name or _UNVERSIONED, False

    def _has_table(self, version: str) -> bool:
        """Whether modules of a version are there; a folder may stay behind, with nothing in it."""
        return any(self._root.has(f"{top}/{version}/modules.dep") for top in MODULE_FOLDERS)

    def _read(self, kernel: Kernel) -> str:
        """Return what a kernel says of itself; only so many are read, for it may take a while."""
        self._left_to_read -= 1
        try:
            return release_of(kernel.content) if self._left_to_read >= 0 else ""
        except ImageError:
            return ""

    def _package(self, version: str) -> str:
        """Return the package that modules are of; Arch names kernel and initrd by it."""
        for folder in MODULE_FOLDERS:
            try:
                name = self._root.read(f"{folder}/{version}/pkgbase", _MAX_NAME_BYTES) or b""
            except ImageError:
                continue
            if name:
                return name.decode(errors="replace").strip()
        return ""

    def _initrds(self, placed: PlacedKernel, version: str) -> tuple[Tree, tuple[str, ...]]:
        """Return the initrd of a version, beside its kernel or where another boot folder is."""
        beside = (placed.tree, str(PurePosixPath(placed.path).parent).removeprefix("."))
        for tree, folder in (beside, *self._initrd_places):
            if initrds := initrd_beside(tree, folder, version):
                return tree, initrds
        return placed.tree, ()

    def _lacks(self, version: str, kernel: Kernel) -> tuple[str, ...] | None:
        try:
            return lacking(self._root, version, kernel.content, self._needs)
        except ImageError:
            return None


def _versions_of_modules(root: Tree) -> list[str]:
    try:
        found = {name for folder in MODULE_FOLDERS for name in root.names(folder)}
    except ImageError:
        return []
    return [name for name in sorted(found) if _VERSION.fullmatch(name)]
