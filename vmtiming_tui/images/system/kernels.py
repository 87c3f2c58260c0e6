"""The kernels an image has, and the one to take.

They are found where distributions keep them: boot loader entries, unified kernel images,
``vmlinuz-VERSION`` beside its initrd, ``usr/lib/modules``.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.files.tree import FileKind, Tree
from vmtiming_tui.images.quoting import shown
from vmtiming_tui.images.system import unified
from vmtiming_tui.images.system.loader.entries import loader_entries
from vmtiming_tui.images.system.versions import version_key

MAX_KERNELS = 500
MODULES = "usr/lib/modules"
_MAX_UNAME_BYTES = 256
_MAX_PROGRAMS = 200
_UNIFIED_FOLDERS = ("EFI/Linux", "efi/linux", "EFI/LINUX", "")
_UNIFIED_SUFFIXES = (".efi", ".uki")
_PREFIXES = ("vmlinuz-", "vmlinux-", "Image-", "bzImage-", "kernel-")
_NO_KERNELS = (*_UNIFIED_SUFFIXES, ".old", ".hmac", ".sig", ".signed")
_INITRDS = (
    "initrd.img-{}", "initramfs-{}.img", "initrd-{}", "initrd-{}.img", "initramfs-{}",
)  # fmt: skip
_RESCUE = ("rescue", "recovery")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A kernel in a tree, by path, and its initrds, which a unified one has inside."""

    version: str
    tree: Tree
    path: str
    initrds: tuple[str, ...] = ()
    unified: bool = False
    rescue: bool = False

    @property
    def fit(self) -> bool:
        """Whether it has an initrd."""
        return self.unified or bool(self.initrds)

    def __str__(self) -> str:
        facts = [shown(self.path)]
        facts += ["rescue"] * self.rescue + ["without an initrd"] * (not self.fit)
        return f"{shown(self.version)} ({', '.join(facts)})"


def find_kernels(root: Tree, others: Sequence[Tree], say: Callable[[str], None]) -> list[Kernel]:
    """Return the kernels of a root's tree and of the others, each once.

    Raises ``ImageError`` where there are more than any system has.
    """
    found: dict[tuple[int, str], Kernel] = {}

    def add(tree: Tree, kernels: Iterator[Kernel]) -> None:
        try:
            for kernel in itertools.islice(kernels, MAX_KERNELS + 1):
                found.setdefault((id(tree), kernel.path), kernel)
        except ImageError as error:
            say(f"{error.message}: {tree.label} is not searched for kernels any further")

    for tree, folder in ((root, "boot"), *((other, "") for other in others), (root, "boot/efi")):
        add(tree, _below(tree, folder))
        if not found:
            add(tree, _without_version(tree, folder))
    add(root, _beside_modules(root))
    if len(found) > MAX_KERNELS:
        raise ImageError(f"the image has more than {MAX_KERNELS} kernels")
    return list(found.values())


def choose_kernel(kernels: Sequence[Kernel], asked: str) -> Kernel:
    """Return the newest kernel that is no rescue kernel and has an initrd, or the one asked for.

    Raises ``ImageError`` with a list of those that are there.
    """
    if not kernels:
        raise ImageError(
            "the image has no kernel: none in /boot, in an EFI system partition or in "
            "/usr/lib/modules (an image of a container?)"
        )
    matching = [
        kernel
        for kernel in kernels
        if kernel.fit and (kernel.version == asked if asked else not kernel.rescue)
    ]
    if not matching:
        what = (
            f"there is no kernel {shown(asked)} with an initrd"
            if asked
            else "none of the kernels is fit to boot (rescue kernels are not taken unasked)"
        )
        raise ImageError(f"{what}; the image has:\n{listed(kernels)}")
    return max(matching, key=lambda kernel: version_key(kernel.version))


def listed(kernels: Iterable[Kernel]) -> str:
    """Return the kernels, one a line."""
    return "\n".join(f"  {kernel}" for kernel in kernels)


def _kernel(
    version: str, tree: Tree, path: str, initrds: tuple[str, ...], title: str = ""
) -> Kernel:
    words = f"{version}{title}{path}".lower()
    return Kernel(
        version=version,
        tree=tree,
        path=path.lstrip("/"),
        initrds=initrds,
        rescue=any(word in words for word in _RESCUE),
    )


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _below(tree: Tree, folder: str) -> Iterator[Kernel]:
    yield from _by_entries(tree, folder)
    for name in _UNIFIED_FOLDERS:
        where = _joined(folder, name).rstrip("/")
        programs = [name for name in tree.names(where) if name.lower().endswith(_UNIFIED_SUFFIXES)]
        for program in programs[:_MAX_PROGRAMS]:
            yield from _unified_kernel(tree, _joined(where, program))
    yield from _by_name(tree, folder)


def _by_entries(tree: Tree, folder: str) -> Iterator[Kernel]:
    """Entries name their files from the top of their own file system."""
    for entry in loader_entries(tree, _joined(folder, "loader/entries")):
        if not tree.has(entry.linux):
            continue
        if entry.linux.lower().endswith(".efi") and not entry.initrds:
            yield from _unified_kernel(tree, entry.linux.lstrip("/"), entry.version, entry.title)
        else:
            title = f"{entry.title} {entry.name}"
            yield _kernel(entry.version or entry.name, tree, entry.linux, entry.initrds, title)


def _unified_kernel(tree: Tree, path: str, version: str = "", title: str = "") -> Iterator[Kernel]:
    """Yield the kernel in an EFI program; other programs (loaders, shells) have none inside."""
    found = tree.find(path)
    if found is None or found.node.kind is not FileKind.FILE:
        return
    try:
        parts = unified.sections(tree.files, found.node)
    except ImageError:  # one that is cut short boots nothing
        return
    if ".linux" not in parts or not parts[".linux"].size:
        return
    if (uname := parts.get(".uname")) and uname.size <= _MAX_UNAME_BYTES:
        raw = b"".join(unified.content(tree.files, found.node, uname))
        version = raw.translate(None, b"\0\n").decode(errors="replace") or version
    plain = _kernel(version or PurePosixPath(path).stem, tree, path, (), title)
    yield Kernel(
        version=plain.version, tree=tree, path=plain.path, unified=True, rescue=plain.rescue
    )


def _by_name(tree: Tree, folder: str) -> Iterator[Kernel]:
    names = tree.names(folder)
    there = frozenset(names)
    for name in names:
        if name.startswith(_PREFIXES) and not name.endswith(_NO_KERNELS):
            version = name.partition("-")[2]
            initrds = [
                _joined(folder, initrd)
                for form in _INITRDS
                if (initrd := form.format(version)) in there
            ]
            yield _kernel(version, tree, _joined(folder, name), tuple(initrds[:1]))


def _without_version(tree: Tree, folder: str) -> Iterator[Kernel]:
    """Yield the kernel of a folder that has but one and gives it no version at all."""
    found = tree.find(_joined(folder, "vmlinuz"), follow=False)
    if found is None or found.node.kind is not FileKind.FILE:
        return
    there = frozenset(tree.names(folder))
    initrds = [
        _joined(folder, name) for name in ("initrd.img", "initrd", "initramfs.img") if name in there
    ]
    yield _kernel("unversioned", tree, _joined(folder, "vmlinuz"), tuple(initrds[:1]))


def _beside_modules(tree: Tree) -> Iterator[Kernel]:
    """Yield the kernels kept beside their modules (Fedora, mkosi, image-based systems)."""
    for version in tree.names(MODULES)[:MAX_KERNELS]:
        folder = f"{MODULES}/{version}"
        if tree.has(f"{folder}/vmlinuz"):
            initrds = [
                f"{folder}/{name}"
                for name in ("initrd.img", "initramfs.img", "initrd")
                if tree.has(f"{folder}/{name}")
            ]
            yield _kernel(version, tree, f"{folder}/vmlinuz", tuple(initrds[:1]))
