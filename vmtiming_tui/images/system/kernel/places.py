"""Where distributions and builders of images keep kernels, and which initrds go with them.

Boot loader entries come first, for they say what belongs together; then unified kernel images, then
names: a kernel's and its initrd's share what follows ``vmlinuz-``, be it a version or a flavour.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.files.tree import FileKind, Tree
from vmtiming_tui.images.system import unified
from vmtiming_tui.images.system.kernel.file import KernelForm, form_of, head_of
from vmtiming_tui.images.system.loader.entries import loader_entries
from vmtiming_tui.images.system.loader.told import menu_entries
from vmtiming_tui.images.system.located import joined, located

MODULES = "usr/lib/modules"
MAX_KERNELS = 500
_MAX_PROGRAMS = 200
_MAX_FOLDERS = 200
_PROGRAM_FOLDERS = ("", "efi/*")
_PROGRAM_SUFFIXES = (".efi", ".uki")
_NO_KERNELS = (
    ".old", ".bak", ".dpkg-new", ".dpkg-bak", ".dpkg-tmp", ".rpmsave", ".rpmnew", ".hmac", ".sig",
    ".signed", ".asc", ".sha512", ".img", ".gz", ".xz", ".debug",
)  # fmt: skip
_NAMED = re.compile(r"(?:vmlinuz|vmlinux|Image|Image\.gz|bzImage|kernel)-(?P<name>.+)")
_NIXOS = re.compile(r"[0-9a-z]{32}-linux-(?P<name>.+)-(?:bzImage|Image)(?:\.efi)?")
_NIXOS_INITRD = re.compile(r"[0-9a-z]{32}-initrd-linux-(?P<name>.+)-initrd(?:\.efi)?")
_CLEAR = re.compile(r"(?P<name>org\.clearlinux\..+|com\.solus-project\..+)")
_UNVERSIONED = (
    "vmlinuz", "bzImage", "Image", "Image.gz", "vmlinuz.efi", "linux", "kernel", "kernel_2712.img",
    "kernel8.img", "kernel.img",
)  # fmt: skip
_INITRDS = tuple(
    form + suffix
    for suffix in ("", ".img", ".gz", ".cpio", ".cpio.gz", ".cpio.zst", ".cpio.xz", ".img.gz")
    for form in ("initrd.img-{}", "initramfs-{}", "initrd-{}", "booster-{}", "ugrd-{}")
)
_UNVERSIONED_INITRDS = {
    "kernel8.img": ("initramfs8",), "kernel_2712.img": ("initramfs_2712",),
}  # fmt: skip
_ANY_INITRDS = (
    "initrd.img", "initrd", "initramfs.img", "initramfs", "initrd.gz", "initramfs.cpio.gz",
    "initramfs.cpio.zst",
)  # fmt: skip
_BESIDE_MODULES = ("vmlinuz", "vmlinuz.unsigned", "bzImage", "Image")
# Below what a boot loader sees; a star is any folder, a number sign one named after a version.
_FOLDERS = (
    "", "kernels", "efi/nixos", "firmware", "firmware/current", "current", "ostree/*",
)  # fmt: skip
_OF_KERNEL_INSTALL = "*/#"
_VERSION_FOLDER = re.compile(r"[0-9]+\.[0-9].*")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedKernel:
    """A file that is a kernel by its place: what it is called there, and the initrds beside it.

    ``name`` may be a version, a flavour, or empty; ``title`` is what its boot loader shows;
    ``profile`` the number of a unified one's.
    """

    name: str
    tree: Tree
    path: str
    initrds: tuple[str, ...] = ()
    unified: bool = False
    initrd_inside: bool = False
    profile: int = 0
    title: str = ""


def kernels_below(root: Tree, tree: Tree, folder: str) -> Iterator[PlacedKernel]:
    """Yield what is in a folder that a boot loader may see as its top; raise ``ImageError``."""
    yield from _by_entries(tree, folder)
    for form in _PROGRAM_FOLDERS:
        for where in _matching(tree, folder, form):
            names = [name for name in tree.names(where) if name.lower().endswith(_PROGRAM_SUFFIXES)]
            for name in names[:_MAX_PROGRAMS]:
                yield from _in_a_program(tree, joined(where, name))
    for form in _FOLDERS:
        for where in _matching(tree, folder, form):
            yield from _by_name(root, tree, where)
    for where in _matching(tree, folder, _OF_KERNEL_INSTALL):
        yield from _in_a_folder_of_its_own(tree, where, ("linux", "vmlinuz"))


def kernels_beside_modules(tree: Tree) -> Iterator[PlacedKernel]:
    """Yield a root's kernels that are kept outside of ``/boot`` (Fedora, Debian 14, mkosi)."""
    for version in tree.names(MODULES)[:MAX_KERNELS]:
        yield from _in_a_folder_of_its_own(tree, f"{MODULES}/{version}", _BESIDE_MODULES)
    yield from _by_name(tree, tree, "usr/lib/kernel")


def kernels_of_menus(
    root: Tree, others: Sequence[Tree], *, with_initrds: bool
) -> Iterator[PlacedKernel]:
    """Yield what loaders' menus name, whatever it is called, and where all of it is there.

    ``with_initrds`` passes over what has none in the menu, which may be a test of the memory.
    """
    for entry in menu_entries(root, others):
        if not entry.kernel or (with_initrds and not entry.initrds):
            continue
        for tree, top in itertools.product((root, *others), ("", "boot")):
            names = [joined(top, path) for path in (entry.kernel, *entry.initrds)]
            paths = [path for each in names if (path := _real_path(root, tree, each))]
            if len(paths) == len(names):
                name = PurePosixPath(entry.kernel).name
                found = _NAMED.fullmatch(name)
                yield PlacedKernel(
                    name=found["name"] if found else name,
                    tree=tree,
                    path=paths[0],
                    initrds=tuple(paths[1:]),
                    title=entry.title,
                )
                break


def _real_path(root: Tree, tree: Tree, path: str) -> str:
    """Return where a path leads in its tree; empty where no file is there.

    One that leads into another tree stays as it is.
    """
    try:
        found = located(root, tree, path)
    except ImageError:  # what is damaged there hides nothing elsewhere
        return ""
    if found is None:
        return ""
    return found[1].path if found[0] is tree else path


def initrd_beside(tree: Tree, folder: str, name: str) -> tuple[str, ...]:
    """Return the initrd that goes by its name with a kernel of this name or version, if any."""
    there = frozenset(tree.names(folder))
    found = (form.format(name) for form in _INITRDS)
    return tuple(joined(folder, initrd) for initrd in found if initrd in there)[:1]


def _matching(tree: Tree, folder: str, form: str) -> Iterator[str]:
    """Yield the folders below one whose names are as a form has it, in capitals or not."""
    found = [folder]
    for part in filter(None, form.split("/")):
        found = [
            joined(above, name)
            for above in found[:_MAX_FOLDERS]
            for name in tree.names(above)[:_MAX_FOLDERS]
            if part in ("*", name.lower()) or (part == "#" and _VERSION_FOLDER.fullmatch(name))
        ]
    yield from found[:_MAX_FOLDERS]


def _by_entries(tree: Tree, folder: str) -> Iterator[PlacedKernel]:
    """Entries name their files from the top of their file system, or as it is where it is mounted.

    ostree leaves out the ``/boot`` that the loader does not see, though here it is no mount.
    """
    for entry in loader_entries(tree, joined(folder, "loader/entries")):
        top = next((top for top in ("", folder) if tree.has(joined(top, entry.linux))), None)
        if top is None:
            continue
        path = joined(top, entry.linux)
        name = entry.version or entry.name
        inside = [] if entry.initrds else list(unified_kernel(tree, path, name, entry.title))
        plain = PlacedKernel(
            name=name,
            tree=tree,
            path=path,
            initrds=tuple(joined(top, initrd) for initrd in entry.initrds),
            title=f"{entry.title} {entry.name}",
        )
        yield from inside or [plain]


def unified_kernel(
    tree: Tree, path: str, version: str = "", title: str = ""
) -> Iterator[PlacedKernel]:
    """Yield the kernel in an EFI program; other programs (loaders, shells) have none inside.

    One with several profiles is as many kernels.
    """
    for profile in range(unified.MAX_PROFILES):
        try:
            program = unified.program(tree, path, profile)
        except ImageError:  # one that is cut short boots nothing
            return
        if program is None or not program.has(".linux"):
            return
        inside = program.has(".initrd") or any(
            part == ".initrd" for _, part in unified.initrd(tree, path, profile)
        )
        yield PlacedKernel(
            name=program.uname or version or PurePosixPath(path).stem,
            tree=tree,
            path=path,
            unified=True,
            initrd_inside=inside,
            profile=profile,
            title=title,
        )


def _in_a_program(tree: Tree, path: str) -> Iterator[PlacedKernel]:
    """Yield the kernels in an EFI program, or the one that a firmware starts as a program."""
    inside = False
    for kernel in unified_kernel(tree, path):
        inside = True
        yield kernel
    found = tree.find(path)
    if not inside and found and found.node.kind is FileKind.FILE:
        form = form_of(head_of(partial(tree.files.chunks, found.node)))
        if form in (KernelForm.BZIMAGE, KernelForm.ARM64, KernelForm.RISCV64, KernelForm.ZBOOT):
            yield PlacedKernel(name=PurePosixPath(path).stem, tree=tree, path=path)


def _by_name(root: Tree, tree: Tree, folder: str) -> Iterator[PlacedKernel]:
    # Where both are there, vmlinux is for debuggers.
    names = sorted(tree.names(folder), key=lambda name: name.startswith("vmlinux"))
    for each in names:
        path = joined(folder, each)
        if found := _NIXOS.fullmatch(each):
            pairs = ((name, _NIXOS_INITRD.fullmatch(name)) for name in names)
            fits = [name for name, pair in pairs if pair and pair["name"] == found["name"]]
            only = tuple(joined(folder, name) for name in fits if len(fits) == 1)
            yield PlacedKernel(name=found["name"], tree=tree, path=path, initrds=only)
        elif each.endswith(_NO_KERNELS + _PROGRAM_SUFFIXES):
            continue
        elif found := _NAMED.fullmatch(each) or _CLEAR.fullmatch(each):
            initrds = initrd_beside(tree, folder, found["name"])
            yield PlacedKernel(name=found["name"], tree=tree, path=path, initrds=initrds)
    for each in _UNVERSIONED:
        if each in names and located(root, tree, joined(folder, each)):
            yield from _in_a_folder_of_its_own(tree, folder, (each,), name="")


def _in_a_folder_of_its_own(
    tree: Tree, folder: str, names: Sequence[str], name: str | None = None
) -> Iterator[PlacedKernel]:
    """Yield the first of these names in a folder that says which version it is, if it does."""
    there = frozenset(tree.names(folder))
    for each in names:
        if each in there:
            own = (*_UNVERSIONED_INITRDS.get(each, ()), *_ANY_INITRDS)
            initrds = tuple(joined(folder, initrd) for initrd in own if initrd in there)[:1]
            version = PurePosixPath(folder).name if name is None else name
            path = joined(folder, each)
            yield PlacedKernel(name=version, tree=tree, path=path, initrds=initrds)
            return
