"""What is in an initrd, and what it is given where it lacks what a VM takes."""

import gzip
import io
import os
import subprocess

import pytest

from readers.memory import Hollow, tree
from support.packers import PACKERS, zstd
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.guard.isolated import isolated
from vmtiming_tui.images.system.initrd.completed import Modules, complete_initrd
from vmtiming_tui.images.system.initrd.contents import InitrdKind, names
from vmtiming_tui.images.system.initrd.cpio import Entry, cpio
from vmtiming_tui.images.system.initrd.joint import gap

VERSION = "6.1.0-56"
FOLDER = f"usr/lib/modules/{VERSION}"
BLOCK, RING = "kernel/drivers/block/virtio_blk.ko.xz", "kernel/drivers/virtio/virtio_ring.ko.xz"
PCI, EXT4 = "kernel/drivers/virtio/virtio-pci.ko.xz", "kernel/fs/ext4/ext4.ko.xz"
DEP = f"{BLOCK}: {RING}\n{PCI}: {RING}\n{RING}:\n{EXT4}:\nkernel/fs/xfs/xfs.ko.xz:\n"
LEAN = cpio([Entry("init", b"#!"), Entry(f"{FOLDER}/{RING}", b"x")])


def listed(data: bytes) -> list[str]:
    return list(names(io.BytesIO(data)))


def system(dep: str = DEP, **more):
    files = {f"{FOLDER}/{path}": path.encode() for path in (BLOCK, RING, PCI, EXT4)}
    files[f"{FOLDER}/modules.dep"] = dep.encode()
    files[f"{FOLDER}/modules.builtin"] = b"kernel/fs/fat/fat.ko\n"
    return tree(files | more)


def completed(folder, data: bytes, files=None, *, new_type: str = ""):
    path = folder / "initrd"
    path.write_bytes(data)
    said: list[str] = []
    complete_initrd(path, files or system(), VERSION, new_type=new_type, say=said.append)
    return path.read_bytes(), said


@pytest.mark.parametrize(
    ("root_type", "added"),
    [
        ("xfs", {"xfs"}),
        ("btrfs", {"btrfs", "xxhash_generic", "raid6_pq"}),
        ("squashfs", {"squashfs"}),
        ("ext4", {"ext4"}),
    ],
)
def test_it_gets_what_the_file_system_of_its_root_takes(root_type, added, tmp_path):
    folder = "kernel/fs"
    dep = DEP + (
        f"{folder}/btrfs.ko: {folder}/raid6_pq.ko\n{folder}/raid6_pq.ko:\n"
        f"{folder}/xxhash-generic.ko:\n{folder}/squashfs.ko:\n"
    )
    names_of_files = ("btrfs", "raid6_pq", "xxhash-generic", "squashfs")
    more = {f"{FOLDER}/{folder}/{name}.ko": b"x" for name in names_of_files}
    files = system(dep, **{f"{FOLDER}/kernel/fs/xfs/xfs.ko.xz": b"x"}, **more)
    path = tmp_path / "initrd"
    path.write_bytes(LEAN)

    complete_initrd(path, files, VERSION, root_type=root_type, new_type="", say=lambda _: None)

    there = {name.rpartition("/")[2].partition(".ko")[0].replace("-", "_")
             for name in listed(path.read_bytes()) if ".ko" in name}  # fmt: skip
    assert there - {"virtio_ring", "virtio_blk", "virtio_pci"} == added


@pytest.mark.parametrize("pack", PACKERS[1:])
def test_one_that_is_cut_short_is_not_believed(pack):
    packed = pack(cpio([Entry("init", os.urandom(300_000)), Entry("late")]))

    with pytest.raises(ValueError, match=r"cut short|damaged"):
        listed(packed[:200_000])


@pytest.mark.parametrize("path", ["./init", "/init", "//init", "init"])
def test_names_are_paths_from_the_top(path):
    assert listed(cpio([Entry(path)])) == ["init"]


def test_zeros_that_fill_up_after_a_name_are_none_of_it():
    """Tools write them for contents to lie at multiples of a block's size."""
    whole = cpio([Entry("conf/conf.d", b"x")])
    name = b"conf/conf.d" + bytes(1 + 2)
    padded = whole.replace(b"0000000C00000000" + name, b"0000001000000000" + name + bytes(4))

    assert len(padded) > len(whole)
    assert listed(padded) == ["conf/conf.d"]


@pytest.mark.parametrize("pack", PACKERS)
def test_as_a_program_it_prints_the_kind(pack, tmp_path):
    entries = [Entry("usr/lib/dracut/hooks"), Entry("bin/sh"), Entry("big", bytes(1 << 20))]
    dracut = pack(cpio(entries))
    (tmp_path / "initrd").write_bytes(dracut)

    with (tmp_path / "initrd").open("rb") as file:
        told = subprocess.check_output(isolated("system.initrd.contents"), stdin=file)

    kind, offset, *_ = told.decode().split()
    assert (InitrdKind(kind), int(offset)) == (InitrdKind.DRACUT, len(dracut))


def test_what_is_missing_is_appended_with_the_tables_that_name_it(tmp_path):
    packed = gzip.compress(LEAN)

    made, said = completed(tmp_path, packed)

    assert said == [
        "the initrd was made for another machine: added virtio-pci virtio_blk ext4 from its modules"
    ]
    assert made.startswith(packed + gap(len(packed)) + b"070701")
    assert listed(made[len(packed) :]) == [
        f"{FOLDER}/kernel",
        f"{FOLDER}/kernel/drivers", f"{FOLDER}/kernel/drivers/block",
        f"{FOLDER}/kernel/drivers/virtio", f"{FOLDER}/kernel/fs", f"{FOLDER}/kernel/fs/ext4",
        f"{FOLDER}/{PCI}", f"{FOLDER}/{BLOCK}", f"{FOLDER}/{EXT4}",
        f"{FOLDER}/modules.builtin", f"{FOLDER}/modules.dep",
    ]  # fmt: skip


def test_cpio_itself_reads_what_is_appended(tmp_path):
    made, _ = completed(tmp_path, LEAN)

    (tmp_path / FOLDER).mkdir(parents=True)
    subprocess.run(
        ["cpio", "-idm", "--quiet"], input=made[len(LEAN + gap(len(LEAN))) :], cwd=tmp_path,
        check=True,
    )  # fmt: skip
    assert (tmp_path / FOLDER / EXT4).read_text() == EXT4


def test_modules_go_where_the_initrd_keeps_its_own(tmp_path):
    lean = cpio([Entry(f"lib/modules/{VERSION}/{RING}")])

    made, _ = completed(tmp_path, lean)

    assert f"lib/modules/{VERSION}/{EXT4}" in listed(made)


@pytest.mark.parametrize(
    "data",
    [
        cpio([Entry("init"), *(Entry(f"{FOLDER}/{path}") for path in (BLOCK, PCI, RING, EXT4))]),
        cpio([Entry(f"usr/lib/modules/{path[path.rindex('/') :]}") for path in (BLOCK, PCI, EXT4)]),
    ],
)
def test_one_that_lacks_nothing_is_left_as_it_is(data, tmp_path):
    assert completed(tmp_path, data) == (data, [])


def test_modules_in_an_archive_of_their_own_are_not_missed(tmp_path):
    """As mkosi has them: an initrd for all kernels, and behind it the modules of each."""
    base = zstd(cpio([Entry("init", b"#!"), Entry("usr/lib/systemd/systemd")]))
    modules = zstd(cpio([Entry(f"{FOLDER}/{path}") for path in (BLOCK, PCI, RING, EXT4)]))
    joined = base + bytes(-len(base) % 4) + modules + bytes(4 - len(modules) % 4)

    assert completed(tmp_path, joined) == (joined, [])


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["init"], "no modules"),
        (["init", "usr/lib/modules/booster.ko"], "modules in a place of its own"),
        (["init", f"usr/lib/modules/5.4/{EXT4}"], "modules of the kernel 5.4 alone"),
    ],
)
def test_one_that_cannot_be_completed_and_lacks_what_a_vm_takes_is_told(names, words, tmp_path):
    data = cpio(map(Entry, names))

    made, said = completed(tmp_path, data)

    assert made == data
    assert said[0].startswith(f"the initrd has {words}, and the kernel {VERSION} has virtio_pci, ")
    assert "-i INITRD gives it another" in said[0]


def test_what_it_knows_of_the_old_root_is_undone(tmp_path):
    full = [Entry(f"{FOLDER}/{path}") for path in (BLOCK, PCI, RING, EXT4)]
    knowing = cpio([*full, Entry("etc/cmdline.d/95root-dev.conf")])

    made, _ = completed(tmp_path, knowing, new_type="ext4")

    assert listed(made)[5:] == ["etc/cmdline.d/99-vm-report.conf"]
    assert b" rootfstype=ext4 rootflags=\n" in made
    assert completed(tmp_path, knowing)[0] == knowing


def test_what_no_initrd_can_make_good_is_said(tmp_path):
    dep = DEP.replace(f"{EXT4}:\n", "")

    _, said = completed(tmp_path, LEAN, system(dep))

    assert said[0] == f"the kernel {VERSION} has no ext4: it will not find its root in a VM"


def test_what_is_built_in_is_not_missed():
    built_in = "kernel/fs/ext4/ext4.ko\nkernel/drivers/virtio/virtio_pci.ko\nvirtio_blk.ko\n"
    files = tree(
        {f"{FOLDER}/modules.dep": b"a.ko:\n", f"{FOLDER}/modules.builtin": built_in.encode()}
    )

    modules = Modules.find(files, VERSION)

    assert modules is not None
    assert modules.lacking() == modules.missing(frozenset()) == []


def test_a_module_that_is_named_but_not_there(tmp_path):
    dep = DEP + "kernel/lib/crc32c_generic.ko:\n"

    with pytest.raises(ImageError, match=r"crc32c_generic\.ko is named in modules\.dep, but not"):
        completed(tmp_path, LEAN, system(dep))


def test_a_module_larger_than_any_is_refused(tmp_path):
    with pytest.raises(ImageError, match="is larger"):
        completed(tmp_path, LEAN, system(**{f"{FOLDER}/{EXT4}": Hollow(1 << 40)}))
