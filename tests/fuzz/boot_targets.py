"""What is fuzzed of how an image boots: its kernels, initrds, tables and texts."""

import contextlib
import io
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from readers.memory import Memory, tree
from vmtiming_tui.errors import ImageError
from vmtiming_tui.escape import printable
from vmtiming_tui.images.files.tree import FileKind, Tree
from vmtiming_tui.images.reader.kernel_reader import KERNEL_ONLY
from vmtiming_tui.images.system import fstab, osrelease, unified
from vmtiming_tui.images.system.initrd import cpio
from vmtiming_tui.images.system.initrd.completed import complete_initrd
from vmtiming_tui.images.system.initrd.contents import Initrd, InitrdKind, LookedAt, names
from vmtiming_tui.images.system.kernel import file as kernel_file, no_kernel
from vmtiming_tui.images.system.kernel.built_in import needed
from vmtiming_tui.images.system.kernel.kernels import Kernel
from vmtiming_tui.images.system.loader import entries
from vmtiming_tui.images.system.loader.carried import MAX_BYTES, RootDisk, beside, carried
from vmtiming_tui.images.system.loader.told import told
from vmtiming_tui.images.system.versions import version_key

VERSION = "6.1"
FOLDER = f"usr/lib/modules/{VERSION}"
_FIRST_LINE = re.compile(r"/dev/vda / ext4 [!-~]+ 0 [0-9]")


def initrd(data: bytes) -> None:
    """An initrd: of some kind or unreadable, its names from its top and no longer than they may."""
    assert LookedAt.file(io.BytesIO(data)).kind in InitrdKind
    reading, found = Initrd(io.BytesIO(data)), list[str]()
    with contextlib.suppress(ValueError):
        for name in reading.names():
            assert len(name) <= 4096
            assert not name.startswith("/")
            found.append(name)
        assert reading.joint.offset <= len(data)
        joined = b"".join(reading.joint.joined([cpio.cpio([cpio.Entry("ours")])]))
        whole = io.BytesIO(data[: reading.joint.offset] + joined)
        assert list(names(whole)) == [*found, "ours"]


def modules(data: bytes) -> None:
    """A modules.dep: what it brings into an initrd lies in that kernel's folder."""
    there = re.findall(rb"[a-z0-9_/-]{1,60}\.ko(?:\.xz)?", data)
    files: dict[str | bytes, bytes] = {f"{FOLDER}/".encode() + path: path for path in there[:50]
                                       if b"//" not in path and path[:1] != b"/"}  # fmt: skip
    files[f"{FOLDER}/modules.dep"] = data
    lean = cpio.cpio([cpio.Entry(f"{FOLDER}/kernel/a.ko")])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "initrd"
        path.write_bytes(lean)
        with contextlib.suppress(ImageError):
            complete_initrd(path, tree(files), VERSION, new_type="", say=_shown)
        made = path.read_bytes()
        assert made.startswith(lean)
        assert [file.name for file in Path(folder).iterdir()] == ["initrd"]
    if added := made[len(lean) :]:
        for name in names(io.BytesIO(added)):
            assert name.startswith(FOLDER) or FOLDER.startswith(name)
            assert ".." not in name.split("/")


def program(data: bytes) -> None:
    """A PE program: its sections lie within it, and give as many bytes as they say."""
    files = Memory({"program": data, "program.extra.d/a.addon.efi": data})
    node = files.entry(files.root, b"program")
    assert node is not None
    assert node.kind is FileKind.FILE
    with contextlib.suppress(ImageError):
        for parts in unified.profiles(files, node):
            for section in parts.values():
                found = b"".join(unified.content(files, node, section))
                assert found == data[section.offset : section.offset + section.size]
                assert len(found) == section.size
        for each, name in unified.initrd(Tree(files, "it"), "program"):
            assert b"".join(each.content(name)) in data


def kernel(data: bytes) -> None:
    """A kernel's file: a version that is fit for a path, known drivers, no more than a kernel."""

    def content() -> Iterator[bytes]:
        return (data[at : at + 999] for at in range(0, len(data), 999))

    assert re.fullmatch(r"([0-9]+\.[A-Za-z0-9._+~-]+)?", kernel_file.release_of(content))
    assert (kernel_file.built_in(content) or frozenset()) <= {*needed("ext4"), *KERNEL_ONLY}
    with contextlib.suppress(ImageError):
        no_kernel.refuse_no_kernel(content, is_unified=False)
    with contextlib.suppress(ImageError):
        no_kernel.refuse_no_initrd(content)
    with contextlib.suppress(ImageError):
        kernel_file.form_in_memory(content)
        assert sum(map(len, kernel_file.plain_kernel(content))) <= kernel_file.MAX_PLAIN_BYTES


def texts(data: bytes) -> None:
    """An os-release, an entry, an fstab and a crypttab: shown safely, kept line by line."""
    name = osrelease.name_of_system(tree({"etc/os-release": data}))
    assert 0 < len(name) < 300
    _shown(name)
    entry = entries.parsed("entry", data)
    assert " " not in entry.linux
    assert version_key(entry.version) <= version_key(entry.version)
    text = data.replace(b"\0", b"").decode(errors="surrogateescape")
    lines = fstab.new_fstab(text, "ext4").split("\n")
    assert _FIRST_LINE.fullmatch(lines[0])
    assert all(
        not line or line.startswith("# not in this image: ") or line in text for line in lines[1:]
    )
    with contextlib.suppress(ImageError):
        below, remarks = fstab.plan_merge(text, [])
        assert below == []
        for remark in remarks:
            _shown(remark)
    for line in fstab.new_crypttab(text).split("\n"):
        assert re.match(r"\s*(#|$)", line)


MENUS = (
    "boot/grub/grub.cfg", "boot/grub/grubenv", "boot/loader/entries/a.conf",
    "boot/loader/loader.conf", "boot/extlinux/extlinux.conf", "boot/limine.conf",
    "boot/grub/menu.lst", "boot/refind_linux.conf", "etc/zipl.conf", "etc/kernel/cmdline",
    "etc/default/grub", "startup.nsh",
)  # fmt: skip


def menus(data: bytes) -> None:
    """A loader's file of any kind: what is carried over is plain, and what is said is shown."""
    for name in MENUS:
        root = tree({name: data, "boot/vmlinuz-6.1": b"", "boot/grub/more.cfg": data})
        found = told(Kernel(version="6.1", tree=root, path="boot/vmlinuz-6.1"), root, [])
        for disk in (RootDisk(type="btrfs"), RootDisk(type="ext4", is_new=True, is_converted=True)):
            kept = carried(found, disk)
            line = beside("root=/dev/vda rootflags=subvol=@", kept.words)
            assert re.fullmatch(r"[ -~]*", line)
            assert len(line) < MAX_BYTES + 100
            assert not any(word.startswith("-") for word in kept.words)
            for said in kept.lines():
                _shown(said)


def _shown(words: str) -> None:
    assert printable(words, keep="") == words
