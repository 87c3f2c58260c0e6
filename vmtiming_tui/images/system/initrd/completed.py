"""An initrd made for one machine alone, completed for the VM.

Such an initrd (dracut's host-only mode, initramfs-tools' MODULES=dep) has the drivers of that
machine's disk and file system only. A second archive with the missing modules, and the tables that
name them all, completes it. Both come from the image's own root (depmod's modules.dep(5)).
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.files.tree import Tree
from vmtiming_tui.images.quoting import shown
from vmtiming_tui.images.system.initrd import cpio
from vmtiming_tui.images.system.initrd.contents import Initrd
from vmtiming_tui.images.system.initrd.joint import append
from vmtiming_tui.images.system.located import MODULE_FOLDERS

_DISK = ("virtio_pci", "virtio_blk")
_CHECKSUMS = ("crc32c_generic", "crc32c_intel")
# What lies between the kernel and a file system on /dev/vda, with what it asks for by name.
_FILE_SYSTEMS = {
    "ext4": ("ext4",),
    "xfs": ("xfs",),
    "btrfs": ("btrfs", "xxhash_generic", "sha256_generic", "blake2b_generic"),
    "f2fs": ("f2fs", "crc32_generic"),
    "erofs": ("erofs",),
    "squashfs": ("squashfs",),
}
_MAX_TABLE_BYTES = 16 << 20
_MAX_MODULE_BYTES = 64 << 20
_MAX_MODULES = 64
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}")
_TABLE = re.compile(r"modules\.[a-z_]{1,32}(\.[a-z_]{1,32}){0,2}")
_PART = r"(?!\.)[A-Za-z0-9_.+,@=-]{1,128}"
_MODULE = re.compile(rf"(?:{_PART}/){{0,16}}{_PART}\.ko(?:\.(?:gz|xz|zst|lzma))?")
_ALL = (*_DISK, *_CHECKSUMS, *itertools.chain.from_iterable(_FILE_SYSTEMS.values()))
_NAMES = "|".join(_ALL).replace("_", "[-_]").encode()
_DEPENDING = re.compile(
    rb"^((?:[^:\n]*/)?(?:" + _NAMES + rb")\.ko[^:/ \n]*):([^\n]*)$", re.MULTILINE
)
_BUILTIN = re.compile(rb"(?:^|/)((?:" + _NAMES + rb")\.ko)", re.MULTILINE)
_WAITING = re.compile(r"(devexists-.*|\.wants/dev-)mapper")
_KNOWS_ROOT = re.compile(r"etc/cmdline\.d/.*conf")
_OF_A_VERSION = re.compile(r"(?:usr/)?lib/modules/([^/]{1,128})/.")
_CMDLINE = "etc/cmdline.d/99-vm-report.conf"


def _musts(root_type: str) -> tuple[str, ...]:
    """Return what a VM must have to mount its root."""
    return (*_DISK, _FILE_SYSTEMS.get(root_type, _FILE_SYSTEMS["ext4"])[0])


def bare_name(path: str) -> str:
    """Return a module's name, spelt as the kernel does it: a table's may have dashes."""
    return path.rpartition("/")[2].partition(".ko")[0]


def _spelt(path: str) -> str:
    return bare_name(path).replace("-", "_")


@dataclass(frozen=True, slots=True)
class Modules:
    """A kernel's modules in a tree: their folder, and of those a VM takes the path and its needs.

    ``builtin`` are those of them that are in the kernel itself; None where no table tells.
    """

    tree: Tree
    folder: str
    lines: dict[str, tuple[str, ...]]
    builtin: frozenset[str] | None

    @classmethod
    def find(cls, tree: Tree, version: str) -> "Modules | None":
        """Return the modules of a kernel; None where the image has none."""
        if not _VERSION.fullmatch(version):
            return None
        found = next(
            filter(None, (tree.find(f"{place}/{version}") for place in MODULE_FOLDERS)), None
        )
        table = tree.read(f"{found.path}/modules.dep", _MAX_TABLE_BYTES) if found else None
        if not found or not table:
            return None
        lines: dict[str, tuple[str, ...]] = {}
        for path, needs in _DEPENDING.findall(table):
            words = (path, *needs.split(None, _MAX_MODULES))
            paths = tuple(word.decode(errors="replace") for word in words)
            lines.setdefault(_spelt(paths[0]), paths)
        builtin = tree.read(f"{found.path}/modules.builtin", _MAX_TABLE_BYTES)
        names = frozenset(_spelt(path.decode()) for path in _BUILTIN.findall(builtin or b""))
        return cls(tree, found.path, lines, names if builtin else None)

    def lacking(self, root_type: str = "ext4") -> list[str]:
        """Return what a VM must have and this kernel has neither built in nor as a module."""
        if self.builtin is None:
            return []
        needed = _musts(root_type)
        return [name for name in needed if name not in self.builtin and name not in self.lines]

    def unmet(self, there: frozenset[str], root_type: str) -> list[str]:
        """Return what a VM must have of modules, and is not among these names."""
        return [name for name in _musts(root_type) if name in self.lines and name not in there]

    def missing(self, there: frozenset[str], root_type: str = "ext4") -> list[str]:
        """Return the paths of what a VM takes, with all it needs, and is not among these names.

        Raises ``ImageError`` where ``modules.dep`` names what can be no module of its folder.
        """
        wanted: dict[str, None] = {}
        needed = _FILE_SYSTEMS.get(root_type, _FILE_SYSTEMS["ext4"])
        for name in (*_DISK, *needed, *_CHECKSUMS):
            wanted |= dict.fromkeys(self.lines.get(name, ()))
        found = [path for path in wanted if _spelt(path) not in there]
        wrong = [path for path in found if not _MODULE.fullmatch(path)]
        if wrong or len(found) > _MAX_MODULES:
            what = (
                f"{shown(wrong[0])} is no module's path below it" if wrong else "too many modules"
            )
            raise ImageError(f"modules.dep of {shown(self.folder)} is damaged: {what}")
        return found

    def tables(self) -> list[str]:
        """Return the names of depmod's tables."""
        return [name for name in self.tree.names(self.folder) if _TABLE.fullmatch(name)]


@dataclass(frozen=True, slots=True)
class Contents:
    """What matters of the names in an initrd.

    ``prefix`` is where it keeps the kernel's modules, empty where it has none of them; ``other``, a
    version whose modules it has beside them or instead; ``waits``, whether it waits for that
    machine's own volumes; ``knows_root``, whether it knows the old root.
    """

    prefix: str
    other: str
    modules: frozenset[str]
    waits: bool
    knows_root: bool


def look_into(names: Iterable[str], version: str) -> Contents:
    """Return what matters of an initrd's names."""
    known = tuple(f"{folder}/{version}/" for folder in MODULE_FOLDERS)
    prefix, other, waits, knows_root = "", "", False, False
    modules: set[str] = set()
    for name in names:
        if not prefix and name.startswith(known):
            prefix = next(place for place in known if name.startswith(place))
        if ".ko" in name:
            modules.add(_spelt(name))
            if not other and not name.startswith(known) and (found := _OF_A_VERSION.match(name)):
                other = found[1]
        waits = waits or _WAITING.search(name) is not None
        knows_root = knows_root or _KNOWS_ROOT.search(name) is not None
    return Contents(prefix, other, frozenset(modules), waits, knows_root)


def is_mountable(tree: Tree, version: str, root_type: str) -> bool:
    """Whether a kernel of the image's can mount a type of file system, as far as tables tell."""
    modules = Modules.find(tree, version)
    return modules is None or root_type not in modules.lacking(root_type)


def complete_initrd(
    path: Path, tree: Tree, version: str, *, new_type: str, say: Callable[[str], None],
    root_type: str = "ext4",
) -> None:  # fmt: skip
    """Append to an initrd what it lacks, if it lacks anything, and say what cannot be mended.

    ``root_type`` is the type of the root's file system, ``new_type`` too where the initrd may know
    another one.
    """
    modules = Modules.find(tree, version)
    if modules is None:
        return
    for name in modules.lacking(root_type):
        say(f"the kernel {shown(version)} has no {name}: it will not find its root in a VM")
    with path.open("rb") as file:
        initrd = Initrd(file)
        try:
            contents = look_into(initrd.names(), version)
        except ValueError as error:
            say(f"whether the initrd has all the VM takes cannot be told: it is {error}")
            return
    if not contents.prefix:
        if unmet := modules.unmet(contents.modules, root_type):
            say(
                f"the initrd has {_what_it_has(contents)}, and the kernel {shown(version)} has"
                f" {', '.join(unmet)} as modules: it may not find its root in a VM; -i INITRD gives"
                " it another"
            )
        return
    if contents.waits:
        say(
            "the initrd waits for that machine's own volumes: should the guest hang there, make it"
            " anew in that machine (dracut --force --no-hostonly)"
        )
    lacks = modules.missing(contents.modules, root_type)
    if lacks:
        say(
            "the initrd was made for another machine: added"
            f" {' '.join(map(bare_name, lacks))} from its modules"
        )
    undo = new_type if contents.knows_root else ""
    if lacks or undo:
        append(path, initrd.joint, _archive(modules, contents.prefix, lacks, undo))


def _what_it_has(contents: Contents) -> str:
    if contents.other:
        return f"modules of the kernel {shown(contents.other)} alone"
    return "modules in a place of its own" if contents.modules else "no modules"


def _archive(modules: Modules, prefix: str, lacks: Sequence[str], new_type: str) -> Iterator[bytes]:
    """Yield a second archive, a file at a time: folders first, for the kernel makes none itself.

    Those above the modules are there, and may be links, whose place a folder would take.
    """
    files = [*lacks, *modules.tables()] if lacks else []
    targets = [prefix + name for name in files] + [_CMDLINE] * bool(new_type)
    folders = {str(folder) for path in targets for folder in PurePosixPath(path).parents}
    number = itertools.count(1)
    for folder in sorted(folder for folder in folders if folder.startswith(prefix)):
        yield cpio.packed(next(number), cpio.Entry(folder))
    for name in files:
        data = modules.tree.read(f"{modules.folder}/{name}", _MAX_MODULE_BYTES)
        if data is None:
            path = shown(f"{modules.folder}/{name}")
            raise ImageError(f"{path} is named in modules.dep, but not there")
        yield cpio.packed(next(number), cpio.Entry(prefix + name, data))
    if new_type:
        # A root= of ours does not undo what such an initrd knows of the old root.
        text = f" rootfstype={new_type} rootflags=\n".encode()
        yield cpio.packed(next(number), cpio.Entry(_CMDLINE, text))
    yield cpio.end()
