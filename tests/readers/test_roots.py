"""From an image to a root: copied, checked, sized and furnished, in an order of steps."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from hostile import forged
from support import disk_images as images
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Piece, Stretch
from vmtiming_tui.images.disk.volumes import Volume
from vmtiming_tui.images.files.ext import Ext
from vmtiming_tui.images.files.tree import Tree
from vmtiming_tui.images.quoting import human, shown
from vmtiming_tui.images.reader.kernel_reader import Excerpt, Mount, Writing
from vmtiming_tui.images.spin import rootfs
from vmtiming_tui.images.spin.install_service import Report
from vmtiming_tui.images.spin.root_words import root_arguments
from vmtiming_tui.images.spin.steps import spin
from vmtiming_tui.images.spin.wanted import Made, Wanted

MIB = images.MIB
REPORT = Report(script=b"#!/bin/sh\n", unit=b"[Service]\n")
UUID = "5a6f1c3e-0d0b-4c6e-9f8a-0123456789ab"


@pytest.mark.parametrize(
    "count",
    [0, 1, 1023, 1024, 1025, 10239, 10240, 10241, MIB - 1, MIB, 64 * MIB + 1, 999 * MIB,
     1023 * MIB + 1, 1 << 30, (1 << 30) * 10 - 1, 5 << 40],
)  # fmt: skip
def test_sizes_are_said_as_numfmt_says_them(count):
    assert human(count) == images.sh("numfmt", "--to=iec", "--suffix=B", str(count)).strip()


def test_foreign_words_are_shown_in_part():
    assert shown("a\x1b[2J\n") == r"a\x1b[2J\x0a"
    assert len(shown("\x00" * 10_000)) < 250


@pytest.mark.parametrize("asked", [None, 700 * MIB + 5])
def test_a_root_is_roomy_or_of_the_size_asked_for(asked):
    assert rootfs.wanted_size(asked, 100 * MIB) == (700 if asked else 381) * MIB
    with pytest.raises(ImageError, match=r"--size 1\.0MB is too small; the content alone takes 2"):
        rootfs.wanted_size(MIB, 2 * MIB)


def test_a_disk_without_room_is_told_before_it_is_full(tmp_path):
    with pytest.raises(ImageError, match=r"there is room for \S+, but this takes 8EB"):
        rootfs.check_space(tmp_path, 8 << 60)


@pytest.fixture
def pieces(tmp_path) -> Iterator[list[Piece]]:
    """Two files with words among holes and zeros."""
    fds = []
    for number in (1, 2):
        path = tmp_path / f"source-{number}"
        with path.open("wb") as file:
            file.truncate(8 * MIB)
            file.seek(3 * MIB + 100 * number)
            file.write(b"word" + bytes(MIB) + b"more")
        fds.append(os.open(path, os.O_RDONLY))
    yield [Piece(fds[0], 512, 5 * MIB + 7), Piece(fds[1], 3 * MIB, 4 * MIB), Piece(fds[0], 0, 99)]
    for fd in fds:
        os.close(fd)


def test_a_copy_has_the_same_bytes_in_fewer_blocks(pieces, tmp_path):
    stretch = Stretch(pieces)

    rootfs.copy_stretch(stretch, tmp_path / "copy")

    assert (tmp_path / "copy").read_bytes() == stretch.read(0, stretch.size)
    assert (tmp_path / "copy").stat().st_blocks * 512 < MIB // 2


def test_a_copy_never_replaces_a_file_or_follows_a_link(pieces, tmp_path):
    (tmp_path / "copy").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(FileExistsError):
        rootfs.copy_stretch(Stretch(pieces), tmp_path / "copy")
    assert not (tmp_path / "elsewhere").exists()


# The order of steps, with a kernel reader that has the files in a folder


@dataclass
class FolderReader:
    """What a kernel would read of a volume is in a folder."""

    folder: Path
    work: Path
    subvolume: str = ""
    fault: str = ""
    faulty: str = "xfs"
    others: tuple[str, ...] = ()
    labelled: bool = False
    read_only: bool = False
    full: bool = False
    writes: bool = True
    mounts: list[Mount] = field(default_factory=list)
    on_logical: str = ""
    written: dict[str, Writing] = field(default_factory=dict)

    def assembled(self, volumes):
        if not self.on_logical:
            raise ImageError("not here", hint="try elsewhere")
        return {volume: replace(volume, type=self.on_logical) for volume in volumes}

    def excerpts(self, volumes):
        if self.fault and self.faulty in {volume.type for volume in volumes}:
            raise ImageError(self.fault)
        return [
            Excerpt(
                volume, self.subvolume,
                images.ext4(self.work / f"excerpt-{number}", self.folder, 24), 5 * MIB, 90,
                passed_over=self.others, labelled=self.labelled, read_only=self.read_only,
                full=self.full,
            )
            for number, volume in enumerate(volumes)
        ]  # fmt: skip

    def copy(self, mounts, target, *, size, uuid, label):
        self.mounts += mounts
        images.ext4(target, self.folder, size(5 * MIB, 90) // MIB)

    def write(self, mount, image, writings):
        assert image.name == "rootfs.img"
        self.mounts.append(mount)
        self.written |= {each.path: each for each in writings}


@dataclass(frozen=True)
class Spun:
    """What one spin made and said."""

    made: Made
    said: list[str]
    root: Path

    @property
    def tree(self) -> Tree:
        fd = os.open(self.root, os.O_RDONLY)
        return Tree(Ext(Stretch([Piece(fd, 0, self.root.stat().st_size)])))


@pytest.fixture
def system(tmp_path) -> Path:
    """A small system that can be spun."""
    root = tmp_path / "tree"
    for folder in ("home", "srv", "usr/bin", "usr/lib/systemd/system"):
        (root / folder).mkdir(parents=True)
    images.write(root / "etc/os-release", "ID=tiny\n")
    images.write(root / "etc/fstab", f"UUID={UUID} / xfs noatime 0 0\n/dev/sda2 /home xfs rw\n")
    images.write(root / "usr/lib/systemd/systemd", "")
    images.write(root / "boot/vmlinuz-6.1", "kernel")
    images.write(root / "boot/initrd-6.1", "initrd")
    return root


def xfs(path: Path) -> Path:
    """An xfs without files: nobody here can tell, for only a kernel reads it."""
    with path.open("wb") as file:
        file.truncate(300 * MIB)
    images.sh("mkfs.xfs", "-q", "-L", "tiny", "-m", f"uuid={UUID}", path)
    return path


def spun(
    image: Path, reader: FolderReader, said: list[str] | None = None, **wanted: object
) -> Spun:
    said = [] if said is None else said
    with image.open("rb") as file:
        made = spin(
            Stretch([Piece(file.fileno(), 0, image.stat().st_size)]),
            Wanted(**wanted),
            report=REPORT,
            work=reader.work,
            reader=reader,
            say=said.append,
        )
    return Spun(made, said, reader.work / "rootfs.img")


@pytest.fixture
def reader(system, tmp_path) -> FolderReader:
    (tmp_path / "work").mkdir()
    return FolderReader(system, tmp_path / "work")


def test_what_only_a_kernel_reads_is_told_from_an_excerpt_and_stays_what_it_is(reader, tmp_path):
    fs = xfs(tmp_path / "root.fs")
    image = images.disk(tmp_path / "disk.img", "gpt", [images.Partition("linux", fs)])

    result = spun(image, reader)

    assert result.made == Made(files=("rootfs.img", "vmlinuz", "initrd"), root_bytes=300 * MIB)
    assert result.said == [
        "/home is on /dev/sda2, which is not in this image: left out",
        "tiny on partition 1 (xfs)",
        "kernel 6.1 (boot/vmlinuz-6.1)",
        "it has no machine-id: every boot from it is a first boot",
        "copying partition 1 as it is (xfs)",
    ]
    assert result.root.read_bytes() == fs.read_bytes()
    assert [(mount.path, mount.subvolume) for mount in reader.mounts] == [("/", "")]
    script = reader.written["usr/bin/vm-report"]
    assert (script.content, script.mode, script.label) == (REPORT.script, 0o755, "")
    enabled = reader.written["etc/systemd/system/multi-user.target.wants/vm-report.service"]
    assert (enabled.content, enabled.mode) == (b"/usr/lib/systemd/system/vm-report.service", 0)
    assert reader.written["etc/fstab"].content == (
        b"/dev/vda / xfs noatime 0 0\n# not in this image: /dev/sda2 /home xfs rw\n"
    )


def test_of_a_btrfs_the_other_subvolumes_stay_and_the_kernel_is_told_of_the_roots(
    reader, system, tmp_path
):
    reader.subvolume = "@"
    image = forged.hollow(tmp_path / "disk.img", 200 * MIB)
    images.sh("mkfs.btrfs", "-q", "-U", UUID, image)
    forged.poke(image, 0, b"QFI\xfb\0\0\0\3")
    (system / "etc/fstab").write_text(
        f"UUID={UUID} / btrfs subvol=@,compress=zstd 0 0\n"
        f"UUID={UUID} /home btrfs subvol=@home 0 0\n"
    )

    result = spun(image, reader)

    assert result.made.files == ("rootfs.img", "vmlinuz", "initrd", "cmdline")
    assert (reader.work / "cmdline").read_text() == "rootflags=subvol=@\n"
    assert reader.mounts[0].subvolume == "subvol=@"
    assert reader.written["etc/fstab"].content.decode().splitlines() == [
        "/dev/vda / btrfs subvol=@,compress=zstd 0 0",
        "/dev/vda /home btrfs subvol=@home 0 0",
    ]
    # What a boot loader left in the first sectors is no header of another format's.
    assert result.root.read_bytes()[: 64 << 10] == bytes(64 << 10)


def test_new_files_of_a_system_with_labels_get_theirs(reader, system, tmp_path):
    images.write(system / "etc/selinux/config", "SELINUX=enforcing\n")
    reader.labelled = True

    result = spun(xfs(tmp_path / "disk.img"), reader)

    assert any(line.startswith("SELinux is enforcing: the new files get") for line in result.said)
    assert reader.written["usr/bin/vm-report"].label == "bin_t"


DEP = "kernel/fs/ext4.ko:\nkernel/virtio_blk.ko:\nkernel/virtio_pci.ko:\n"


@pytest.mark.parametrize(
    ("facts", "wanted", "why"),
    [
        ({}, {"convert": True}, "as --convert asks"),
        ({}, {"size_bytes": 400 * MIB}, "--size is for an ext4"),
        ({"read_only": True}, {}, "its subvolume is read-only"),
        ({"full": True}, {}, "it is all but full"),
        ({"writes": False}, {}, "--mount writes into no other"),
        ({"tables": True}, {}, "its kernel has no module for it"),
    ],
    ids=["asked", "size", "read-only", "full", "mounted", "unknown to its kernel"],
)
def test_an_ext4_is_made_where_it_is_asked_for_or_needed(
    facts, wanted, why, reader, system, tmp_path
):
    if facts.get("tables"):
        images.write(system / "usr/lib/modules/6.1/modules.dep", DEP)
        images.write(system / "usr/lib/modules/6.1/modules.builtin", "kernel/fs/other.ko\n")
    reader.full = facts.get("full", False)
    reader.read_only, reader.writes = facts.get("read_only", False), facts.get("writes", True)

    result = spun(xfs(tmp_path / "disk.img"), reader, **wanted)

    assert f"the whole image: its xfs becomes ext4 ({why})" in result.said
    assert result.tree.text("etc/fstab").splitlines()[0] == "/dev/vda / ext4 defaults 0 0"


def test_what_only_a_kernel_reads_is_copied_where_it_is_to_be_an_ext4(reader, tmp_path):
    image = images.disk(
        tmp_path / "disk.img", "gpt",
        [images.Partition("linux", xfs(tmp_path / "root.fs"))],
    )  # fmt: skip

    result = spun(image, reader, convert=True)

    assert result.made.files == ("rootfs.img", "vmlinuz", "initrd")
    assert result.said == [
        "/home is on /dev/sda2, which is not in this image: left out",
        "tiny on partition 1 (xfs)",
        "kernel 6.1 (boot/vmlinuz-6.1)",
        "it has no machine-id: every boot from it is a first boot",
        "partition 1: its xfs becomes ext4 (as --convert asks)",
        "measuring the content",
        "copying the files (5.0MB)",
    ]
    assert [(mount.volume.name, mount.path, mount.subvolume) for mount in reader.mounts] == [
        ("partition 1", "/", "")
    ]
    assert result.root.stat().st_size == result.made.root_bytes
    assert result.tree.read("usr/bin/vm-report", 100) == REPORT.script
    assert result.tree.text("etc/fstab").splitlines()[0] == "/dev/vda / ext4 defaults 0 0"
    images.sh("e2fsck", "-fn", result.root)


def test_a_root_in_a_subvolume_is_mounted_from_there(reader, tmp_path):
    reader.subvolume = "@"

    result = spun(xfs(tmp_path / "disk.img"), reader)

    assert "the whole image: the root is in subvolume @" in result.said
    assert reader.mounts[0].subvolume == "subvol=@"


def test_of_several_subvolumes_with_a_system_the_others_are_named(reader, tmp_path):
    reader.subvolume, reader.others = "@", ("@old", "@\x1b[2J")

    result = spun(xfs(tmp_path / "disk.img"), reader)

    assert (
        "the whole image: the root is in subvolume @ (others hold a system, too: @old, @\\x1b[2J)"
    ) in result.said


@pytest.mark.parametrize("make", [
    ("mksquashfs", "{tree}", "{image}", "-quiet", "-noappend"),
    ("mkfs.erofs", "{image}", "{tree}"),
], ids=["squashfs", "erofs"])  # fmt: skip
def test_a_root_that_is_never_written_to_becomes_one_that_is(make, reader, system, tmp_path):
    image = tmp_path / "disk.img"
    images.sh(*(word.format(tree=system, image=image) for word in make))

    result = spun(image, reader)

    assert result.tree.text("etc/fstab").splitlines()[0] == "/dev/vda / ext4 defaults 0 0"


@pytest.mark.parametrize(
    ("options", "feature", "why"),
    [
        ("bigalloc", "", "the whole image uses bigalloc, which e2fsprogs cannot change"),
        ("inline_data", "", "the whole image uses inline_data, which e2fsprogs cannot change"),
        ("extent", "FEATURE_C30", "a newer e2fsprogs: it uses FEATURE_C30, unknown here"),
        ("extent", "replica", "uses replica, which the e2fsck of this host does not know"),
    ],
)  # fmt: skip
def test_an_ext4_that_the_tools_cannot_change_is_read_by_a_kernel(
    options, feature, why, reader, system, tmp_path
):
    (system / "etc/fstab").write_text("")
    image = tmp_path / "disk.img"
    images.sh("mke2fs", "-q", "-F", "-t", "ext4", "-O", options, "-d", system, image, "24M")
    if feature:
        images.sh("debugfs", "-w", "-R", f"feature {feature}", image)

    result = spun(image, reader)

    [line] = [line for line in result.said if "a kernel reads it" in line]
    assert why in line
    assert [mount.volume.type for mount in reader.mounts] == ["ext4"]
    images.sh("e2fsck", "-fn", result.root)


def test_an_ext4_that_may_not_shrink_keeps_its_size(reader, system, tmp_path):
    image = tmp_path / "disk.img"
    options = ("-O", "stable_inodes,encrypt", "-d", system)
    images.sh("mke2fs", "-q", "-F", "-t", "ext4", *options, image, "400M")

    assert spun(image, reader).made.root_bytes == 400 * MIB
    with pytest.raises(ImageError, match="it uses stable_inodes, and so stays 400MB or more"):
        spun(image, FolderReader(system, reader.work / ".."), size_bytes=300 * MIB)


def test_a_btrfs_on_several_devices_is_named(reader, tmp_path):
    disks = [forged.hollow(tmp_path / name, 200 * MIB) for name in ("one", "two")]
    images.sh("mkfs.btrfs", "-q", *disks)

    with pytest.raises(ImageError, match="the whole image is one of the 2 devices of a btrfs"):
        spun(disks[0], reader)


def test_what_one_kernel_cannot_read_does_not_hide_the_others(reader, system, tmp_path):
    reader.fault, reader.faulty = "f2fs is not known", "f2fs"
    flash = forged.hollow(tmp_path / "flash.fs", 100 * MIB)
    images.sh("mkfs.f2fs", "-q", flash)
    parts = [images.Partition("linux", path) for path in (flash, xfs(tmp_path / "root.fs"))]

    result = spun(images.disk(tmp_path / "disk.img", "gpt", parts), reader)

    assert "tiny on partition 2 (xfs)" in result.said
    assert "f2fs is not known: passed over" in result.said


def thin(path: Path) -> Path:
    """A disk of LVM's with a thin volume, of which it knows no more than the name."""
    text = forged.lvm_text(segments=['extent_count = 2\ntype = "thin"'])
    return forged.physical_volume(forged.hollow(path, 64 * MIB), text)


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_a_volume_that_a_kernel_puts_together_is_read_and_copied_by_it(kind, reader, tmp_path):
    reader.on_logical = kind
    image = thin(tmp_path / "disk.img")

    result = spun(image, reader)

    assert f"tiny on vg/root ({kind})" in result.said
    assert [(mount.volume.name, mount.volume.type) for mount in reader.mounts] == [
        ("vg/root", kind)
    ]
    for path in reader.work.iterdir():
        path.unlink()
    untouched = spun(image, reader, boot_files=True)
    assert untouched.made.cmdline == "root=/dev/mapper/vg-root rd.lvm.lv=vg/root"


def test_a_volume_that_no_kernel_puts_together_is_left_out_with_what_helps(reader, tmp_path):
    said: list[str] = []
    with pytest.raises(ImageError, match="outside the volumes left out"):
        spun(thin(tmp_path / "disk.img"), reader, said=said)

    [line] = said
    assert line.startswith("vg/root is left out: a volume of the kind 'thin' is put together by")
    assert "alone: not here (try elsewhere). On a machine that has it as a disk" in line


def test_what_belongs_below_the_root_is_merged(reader, system, tmp_path):
    home = images.ext4(tmp_path / "home.fs", system / "srv", 16, fs_uuid=images.BOOT_UUID)
    root = images.ext4(tmp_path / "root.fs", system, 24)
    image = images.disk(
        tmp_path / "disk.img", "gpt",
        [images.Partition("linux", root), images.Partition("linux", home)],
    )  # fmt: skip
    fstab = system / "etc/fstab"
    fstab.write_text(fstab.read_text().replace("xfs rw", "ext4 rw,subvol=a"))
    images.sh("debugfs", "-w", "-R", "rm /etc/fstab", root)
    images.sh("debugfs", "-w", "-R", f"write {fstab} /etc/fstab", root)
    images.sh("dd", f"if={root}", f"of={image}", "bs=1M", "seek=1", "conv=notrunc", "status=none")

    dry = spun(image, reader, dry_run=True)
    result = spun(image, reader)

    assert "/home would come from partition 2" in dry.said
    assert "/home comes from partition 2, subvol=a" in result.said
    assert [(mount.volume.name, mount.path) for mount in reader.mounts] == [
        ("partition 1", "/"), ("partition 2", "/home"),
    ]  # fmt: skip


def test_boot_files_are_taken_out_and_nothing_else(reader, tmp_path):
    result = spun(xfs(tmp_path / "disk.img"), reader, boot_files=True)

    assert result.made == Made(files=("vmlinuz", "initrd", "cmdline"), cmdline="root=/dev/vda")
    assert (reader.work / "cmdline").read_text() == "root=/dev/vda\n"
    assert not result.root.exists()
    assert reader.mounts == []


def test_a_dry_run_leaves_nothing(reader, tmp_path):
    result = spun(xfs(tmp_path / "disk.img"), reader, dry_run=True)

    names = ("rootfs.img", "vmlinuz", "initrd")
    assert result.made == Made(files=names, root_bytes=300 * MIB)
    converted = spun(xfs(tmp_path / "disk.img"), reader, dry_run=True, convert=True)
    assert converted.made == Made(files=names, root_bytes=rootfs.roomy(5 * MIB))
    assert "it has:\n  the whole image: xfs, 300MB" in result.said
    assert [path.name for path in reader.work.iterdir()] == ["excerpt-0"]


def test_a_volume_that_nobody_can_read_is_passed_over_where_another_holds_the_root(
    reader, system, tmp_path
):
    reader.fault = "no kernel is here that reads xfs"
    (system / "etc/fstab").write_text("")
    root = images.Partition("linux", images.ext4(tmp_path / "root.fs", system, 24))
    other = images.Partition("linux", xfs(tmp_path / "data.fs"))

    both = spun(images.disk(tmp_path / "both.img", "gpt", [other, root]), reader)

    assert "no kernel is here that reads xfs: passed over" in both.said
    assert "tiny on partition 2 (ext4)" in both.said
    with pytest.raises(ImageError, match="no kernel is here that reads xfs"):
        spun(images.disk(tmp_path / "one.img", "gpt", [other]), reader)


def test_damage_of_another_volume_is_no_reason_to_refuse(reader, system, tmp_path):
    (system / "etc/fstab").write_text("")
    root = images.Partition("linux", images.ext4(tmp_path / "root.fs", system, 24))
    broken = images.ext4(tmp_path / "broken.fs", system / "srv", 16)
    images.sh("debugfs", "-w", "-R", "sif <2> mode 0", broken)
    image = images.disk(tmp_path / "disk.img", "gpt", [root, images.Partition("linux", broken)])

    result = spun(image, reader)

    assert "tiny on partition 1 (ext4)" in result.said
    assert result.root.exists()


@pytest.mark.parametrize("asked", ["2", "partition 2"])
def test_one_of_several_systems_is_chosen_by_its_partition(asked, reader, system, tmp_path):
    (system / "etc/fstab").write_text("")
    root = images.Partition("linux", images.ext4(tmp_path / "root.fs", system, 24))
    image = images.disk(tmp_path / "disk.img", "gpt", [root, root])

    assert "tiny on partition 2 (ext4)" in spun(image, reader, root=asked).said


def test_without_room_for_what_is_written_that_is_said(system, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    image = images.ext4(tmp_path / "disk.img", system, 24)
    (system / "etc/fstab").write_text("")
    images.sh("mount", "-t", "tmpfs", "-o", "size=16k", "none", small)
    try:
        with pytest.raises(ImageError, match="room"):
            spun(image, FolderReader(system, small))
    finally:
        images.sh("umount", small)


@pytest.mark.parametrize(
    ("name", "number", "subvolume", "words"),
    [
        ("the whole image", 0, "", "root=/dev/vda"),
        ("partition 3", 3, "", "root=/dev/vda3"),
        ("partition 1", 1, "a/@", "root=/dev/vda1 rootflags=subvol=a/@"),
        ("my-vg/root", 0, "", "root=/dev/mapper/my--vg-root rd.lvm.lv=my-vg/root"),
    ],
)
def test_a_kernel_is_told_where_the_root_is(name, number, subvolume, words):
    volume = Volume(name=name, type="ext4", size=0, stretch=None, number=number)

    assert root_arguments(volume, subvolume) == words


def test_a_kernel_is_told_of_a_gpt_it_would_not_believe_unasked():
    volume = Volume(name="partition 2", type="ext4", size=0, stretch=None, number=2, bare=True)

    assert root_arguments(volume, "@") == "root=/dev/vda2 gpt rootflags=subvol=@"


def test_a_disk_of_larger_sectors_is_not_booted_as_it_is():
    volume = Volume(name="partition 1", type="xfs", size=0, stretch=None, sector_bytes=4096)

    with pytest.raises(ImageError, match="a disk with sectors of 4096 bytes") as refused:
        root_arguments(volume, "")

    assert refused.value.hint == "a root made anew boots: leave out --untouched (--boot-files)"


def test_python_of_the_system_reads_images_without_any_package(tmp_path):
    done = subprocess.run(
        [shutil.which("python3", path="/usr/bin") or "python3", "-I", "-S", "-c",
         "import sys; sys.path.insert(0, sys.argv[1]); import vmtiming_tui.images.spin.steps",
         str(Path(rootfs.__file__).parents[3])],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
