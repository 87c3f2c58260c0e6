"""Words of an image at every place we write or say: none becomes a command, a path or a line.

Each image is spun for real, by the tools, in a folder beside a decoy that must stay as it is.
"""

import hashlib
import itertools
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from readers.memory import Link, tree
from support import disk_images as images
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images import furnish, tools
from vmtiming_tui.images.fstab import new_crypttab, new_fstab, plan_merge
from vmtiming_tui.images.furnish import Report
from vmtiming_tui.images.osrelease import folder_of_units, name_of_system
from vmtiming_tui.images.spin import Made, Wanted, root_arguments, spin
from vmtiming_tui.images.stretch import Piece, Stretch
from vmtiming_tui.images.tree import Kind, Tree
from vmtiming_tui.images.volumes import Volume, find_volumes, open_files

REPORT = Report(script=b"#!/bin/sh\n", unit=b"[Service]\n")
VERSION = "6.1.0-1-amd64"
# All that debugfs is ever told.
COMMAND = re.compile(
    r"cd <\d+>|cd [a-z.-]+|mkdir [a-z.-]+|rm [a-z0-9.-]+|write debugfs\.content [a-z0-9.-]+|"
    r"sif [a-z0-9.-]+ (mode 0100[0-7]{3}|uid 0|gid 0)|"
    r"symlink vm-report\.service /(usr/)?lib/systemd/system/vm-report\.service|"
    r"ea_set -f debugfs\.label\.\w+ [a-z0-9.-]+ security\.selinux|"
    r"ea_get <\d+> security\.selinux"
)
EVIL = [
    'x\ndump /etc/passwd {marker}\n',
    'x"\ndump "/etc/passwd" "{marker}"\n"',
    "x'; touch {marker}; '",
    "$(touch {marker})",
    "`touch {marker}`",
    "<2>",
    "\\",
    "\x1b]0;ready\x07\x1b[2J",
    "\u202e\u0300name",
    "a b\tc",
    "%s%n",
    "-w",
]  # fmt: skip


@dataclass
class Spun:
    """What one spin said and made, and what debugfs was told."""

    work: Path
    made: Made | None = None
    refused: ImageError | None = None
    said: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)

    def files(self) -> Tree:
        """The new root's files."""
        fd = os.open(self.work / "rootfs.img", os.O_RDONLY)
        volume = find_volumes(Stretch([Piece(fd, 0, os.fstat(fd).st_size)]), print)[0]
        found = open_files(volume)
        assert found is not None
        return Tree(found)


@dataclass(frozen=True)
class Host:
    """The decoy of a host that nothing may change, and the marker that may not appear."""

    folder: Path

    @property
    def marker(self) -> Path:
        return self.folder / "marker"

    @property
    def decoy(self) -> Path:
        return self.folder / "decoy"

    def evil(self, words: str) -> str:
        """Words that would leave the marker; a name cannot hold a slash."""
        return words.replace("{marker}", str(self.marker))

    def name(self, words: str) -> str:
        return self.evil(words).replace("/", "\\")[:200]


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def host(tmp_path) -> Iterator[Host]:
    found = Host(tmp_path / "host")
    for name in ("etc/passwd", "usr/bin/vm-report", "etc/fstab", "boot/vmlinuz-1"):
        images.write(found.decoy / name, f"the host's own {name}")
    before = digest(found.decoy), sorted(Path("/").iterdir()), digest(Path("/etc/systemd"))
    yield found
    after = digest(found.decoy), sorted(Path("/").iterdir()), digest(Path("/etc/systemd"))
    assert after == before
    assert not found.marker.exists()


@pytest.fixture
def system(tmp_path) -> Path:
    """A small system that can be spun."""
    root = tmp_path / "tree"
    for folder in ("dev", "proc", "sys", "run", "tmp", "var", "usr/bin", "usr/sbin"):
        (root / folder).mkdir(parents=True)
    for name in ("bin", "sbin", "lib"):
        (root / name).symlink_to(f"usr/{name}")
    images.write(root / "etc/os-release", "ID=tiny\n")
    images.write(root / "etc/fstab", "")
    images.write(root / "etc/machine-id", "1\n")
    images.write(root / "etc/passwd", "the image's own")
    images.write(root / "usr/lib/systemd/systemd", "")
    (root / "usr/lib/systemd/system").mkdir()
    images.write(root / f"boot/vmlinuz-{VERSION}", "kernel")
    images.write(root / f"boot/initrd.img-{VERSION}", "initrd")
    return root


class NoReader:
    """No kernel reads anything here."""

    def assembled(self, volumes):
        raise ImageError(f"{volumes[0].type} is not put together here")

    def excerpts(self, volumes):
        raise ImageError(f"{volumes[0].type} is not read here")

    def copy(self, mounts, target, *, size, uuid, label):
        raise ImageError(f"{mounts[0].volume.type} is not copied here")


def spun(image: Path, monkeypatch, **wanted) -> Spun:
    """Spin it; whatever is said must be safe to show, and debugfs be told our words only."""
    result = Spun(image.with_name("work"))
    result.work.mkdir()

    def watched(argv, cwd, **more):
        if argv[0] == "debugfs":
            script = (cwd / "debugfs.script").read_text() if "-f" in argv else argv[2] + "\n"
            result.commands.extend(script.splitlines())
        assert all(re.fullmatch(r"[A-Za-z0-9<>_. -]+", word) for word in argv), argv
        return tools.run(argv, cwd, **more)

    monkeypatch.setattr(furnish, "run", watched)
    fd = os.open(image, os.O_RDONLY)
    before = hashlib.sha256(image.read_bytes()).hexdigest()
    try:
        result.made = spin(
            Stretch([Piece(fd, 0, os.fstat(fd).st_size)]),
            Wanted(**wanted),
            report=REPORT,
            work=result.work,
            reader=NoReader(),
            say=result.said.append,
        )
    except ImageError as error:
        result.refused = error
    os.close(fd)
    words = [*result.said, result.refused.message if result.refused else ""]
    for line in "\n".join(words).split("\n"):
        assert line.isprintable(), line
        assert not line.startswith("ready"), line
    for command in result.commands:
        assert COMMAND.fullmatch(command), command
    assert hashlib.sha256(image.read_bytes()).hexdigest() == before
    return result


def ext4(folder: Path, root: Path, mib: int = 24) -> Path:
    return images.ext4(folder / "disk.img", root, mib)


def assert_reports(made: Spun) -> None:
    assert made.refused is None, made.refused
    images.sh("e2fsck", "-fn", made.work / "rootfs.img")
    files = made.files()
    assert files.read("usr/bin/vm-report", 100) == REPORT.script
    assert files.read("usr/lib/systemd/system/vm-report.service", 100) == REPORT.unit
    wanted = files.find(
        "etc/systemd/system/multi-user.target.wants/vm-report.service", follow=False
    )
    assert wanted is not None
    assert wanted.node.kind is Kind.LINK


# Folders we write into, under names of the image's own

PLACES = [
    "usr/bin", "etc", "etc/systemd", "etc/systemd/system", "etc/systemd/system-preset",
    "etc/systemd/system/multi-user.target.wants", "usr/lib/systemd/system", "usr/lib",
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_folders_that_are_links_to_any_name_are_written_into(
    place, system, host, tmp_path, monkeypatch
):
    for number, words in enumerate(EVIL):
        root = tmp_path / f"tree-{number}"
        shutil.copytree(system, root, symlinks=True)
        name = host.name(words)
        real = root / "srv" / name
        real.parent.mkdir()
        there = root / place
        if there.exists():
            there.rename(real)
        else:
            real.mkdir()
            there.parent.mkdir(parents=True, exist_ok=True)
        there.symlink_to("/srv/" + name)
        folder = tmp_path / f"spin-{number}"
        folder.mkdir()

        made = spun(ext4(folder, root), monkeypatch)

        assert_reports(made)
        assert made.files().has(f"srv/{name}")
        shutil.rmtree(root)
        shutil.rmtree(folder)


@pytest.mark.parametrize("place", PLACES[:-2])
@pytest.mark.parametrize("target", ["{decoy}/usr/bin", "/../../..{decoy}", EVIL[0], EVIL[1], "."])
def test_links_that_lead_nowhere_in_the_image_lead_nowhere_at_all(
    place, target, system, host, tmp_path, monkeypatch
):
    there = system / place
    if there.exists():
        shutil.rmtree(there)
    there.parent.mkdir(parents=True, exist_ok=True)
    there.symlink_to(host.evil(target).replace("{decoy}", str(host.decoy)))

    made = spun(ext4(tmp_path, system), monkeypatch)

    assert made.refused is not None or target == "."


def test_a_file_in_the_place_of_a_folder_is_refused(system, host, tmp_path, monkeypatch):
    images.write(system / "etc/systemd", "a file")

    made = spun(ext4(tmp_path, system), monkeypatch)

    assert made.refused is not None
    assert "is no folder, and leads to none" in made.refused.message


@pytest.mark.parametrize("place", ["usr/bin/vm-report", "etc/fstab", "etc/crypttab"])
def test_links_in_the_place_of_our_files_are_replaced_not_followed(
    place, system, host, tmp_path, monkeypatch
):
    images.write(system / "etc/crypttab", "luks UUID=x none\n")
    images.write(system / "srv/aim", "luks UUID=x none\n")
    (system / place).unlink(missing_ok=True)
    (system / place).symlink_to("/srv/aim")

    made = spun(ext4(tmp_path, system), monkeypatch)

    assert_reports(made)
    files = made.files()
    assert files.text("srv/aim") == "luks UUID=x none\n"
    found = files.find(place, follow=False)
    assert found is not None
    assert found.node.kind is Kind.FILE


def test_a_folder_in_the_place_of_our_file_is_refused(system, host, tmp_path, monkeypatch):
    (system / "usr/bin/vm-report").mkdir()

    made = spun(ext4(tmp_path, system), monkeypatch)

    assert made.refused is not None
    assert "/usr/bin/vm-report could not be written" in made.refused.message


def test_selinux_labels_are_set_by_our_words(system, host, tmp_path, monkeypatch):
    images.write(system / "etc/selinux/config", "SELINUX=$(id)\nSELINUX=enforcing\x1b[2J\n")
    for folder in ("etc", "usr/bin"):
        os.setxattr(system / folder, "user.note", b'"\nrm /etc/passwd\n')
    image = ext4(tmp_path, system)
    images.write(tmp_path / "label", b"system_u:object_r:etc_t:s0\0")
    images.sh("debugfs", "-w", "-R", f"ea_set -f {tmp_path}/label /etc security.selinux", image)

    made = spun(image, monkeypatch)

    assert_reports(made)
    assert "SELinux is enforcing: the new files get their labels, a relabelling is not needed" in (
        made.said
    )


# Words that are said

TEXTS = ["\x1b[2J", "$(touch {marker})", '"; touch {marker}; "', "\r\x00\x7f\u202e", "x" * 5000]


@pytest.mark.parametrize("words", TEXTS)
def test_names_of_systems_kernels_and_disks_are_said_as_they_can_be_shown(
    words, system, host, tmp_path, monkeypatch
):
    evil = host.evil(words)
    images.write(system / "etc/os-release", f'PRETTY_NAME="{evil}\nready: x"\nNAME={evil}\n')
    images.write(system / "etc/fstab", f"/dev/{evil} /{evil} xfs\nLABEL={evil} /home ext4\n")
    name = host.name(words).replace("\0", "")[:150]
    images.write(system / f"boot/vmlinuz-9{name}", "kernel")
    images.write(system / f"boot/initrd.img-9{name}", "initrd")
    images.write(
        system / "boot/loader/entries/a.conf",
        f"title {evil}\nversion 10{evil}\nlinux /boot/vmlinuz-{VERSION}\ninitrd {evil}\n",
    )

    made = spun(ext4(tmp_path, system), monkeypatch, kernel_version=f"9{name}")
    dry = spun_again(tmp_path, monkeypatch, dry_run=True)
    unknown = spun_again(tmp_path, monkeypatch, kernel_version=evil)

    assert_reports(made)
    assert (made.work / "vmlinuz").read_text() == "kernel"
    assert dry.made == Made(root_bytes=dry.made.root_bytes if dry.made else 0)
    assert unknown.refused is not None


def spun_again(folder: Path, monkeypatch, **wanted) -> Spun:
    shutil.rmtree(folder / "again", ignore_errors=True)
    (folder / "again").mkdir()
    image = folder / "again/disk.img"
    images.sh("cp", "--sparse=always", folder / "disk.img", image)
    return spun(image, monkeypatch, **wanted)


def test_two_systems_with_forged_names(system, host, tmp_path, monkeypatch):
    images.write(system / "etc/os-release", "NAME='a\x1b[2J'\n")
    part = images.Partition("linux", ext4(tmp_path, system))
    image = images.disk(tmp_path / "two.img", "gpt", [part, part])

    made = spun(image, monkeypatch)

    assert made.refused is not None
    assert made.refused.message.splitlines()[1:] == [
        r"  partition 1: a\x1b[2J", r"  partition 2: a\x1b[2J",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "where", ["srv\nBlock count: a[$(touch {marker})]", "/mnt\x1b[2J", "$(touch {marker})"]
)
def test_where_it_was_last_mounted_is_nobodys_business(where, system, host, tmp_path, monkeypatch):
    image = ext4(tmp_path, system)
    images.sh("tune2fs", "-M", host.evil(where)[:64], image)
    images.sh("tune2fs", "-L", "\x1b[2J$(id)", image)

    assert_reports(spun(image, monkeypatch))


# Paths that lead out

OUT = [
    "/../../../../../../..{decoy}/etc/passwd",
    "../../../../..{decoy}/etc/passwd",
    "{decoy}/etc/passwd",
]


@pytest.mark.parametrize("path", OUT)
def test_a_kernel_named_by_a_path_that_leads_out_is_looked_for_in_the_image(
    path, system, host, tmp_path, monkeypatch
):
    path = path.replace("{decoy}", str(host.decoy))
    entries = system / "boot/loader/entries"
    images.write(entries / "a.conf", f"version 99\nlinux {path}\ninitrd {path}\n")
    images.write(entries / "b.conf", "version 98\nlinux /usr/../../etc/passwd\ninitrd /a\n")
    (system / "boot/vmlinuz-97").symlink_to(path)
    images.write(system / "boot/initrd-97", "initrd")

    dry = spun(ext4(tmp_path, system), monkeypatch, dry_run=True)
    outside = spun_again(tmp_path, monkeypatch, kernel_version="97")
    inside = spun_again(tmp_path, monkeypatch, kernel_version="98")

    assert "/etc/passwd" in "\n".join(dry.said)
    assert "(boot/vmlinuz-97" in "\n".join(dry.said)
    assert not any("99 (" in line for line in dry.said)
    assert outside.refused is not None
    assert "the kernel boot/vmlinuz-97 cannot be read" in outside.refused.message
    assert inside.refused is not None
    assert (inside.work / "vmlinuz").read_text() == "the image's own"


@pytest.mark.parametrize("place", ["etc/os-release", "etc/fstab", "etc/machine-id", "etc/crypttab"])
def test_a_text_that_is_a_link_out_is_read_in_the_image(place, system, host, tmp_path, monkeypatch):
    (system / place).unlink(missing_ok=True)
    (system / place).symlink_to(f"/../../../..{host.decoy}/etc/passwd")

    made = spun(ext4(tmp_path, system), monkeypatch)

    assert_reports(made)
    assert not any("the host's own" in line for line in made.said)
    assert b"the host's own" not in (made.work / "rootfs.img").read_bytes()


def test_links_in_a_circle_end():
    files = tree({"etc/os-release": Link(b"../etc/os-release"), "usr/lib": Link(b"/usr/lib"),
                  "etc/fstab": Link(b"/" + b"etc/../" * 500 + b"fstab")})  # fmt: skip

    assert name_of_system(files) == "a system without os-release"
    with pytest.raises(ImageError, match="no init at all"):
        folder_of_units(files)


# Texts of any size and shape


@pytest.mark.parametrize(
    "text",
    ["x" * (3 << 20), "\n" * (1 << 20), "PRETTY_NAME=" + '"\\' * 200_000, "A=" * 300_000,
     "PRETTY_NAME='" + "x" * 900_000],
)  # fmt: skip
def test_an_os_release_of_megabytes_names_nothing(text):
    began = time.monotonic()
    name = name_of_system(tree({"etc/os-release": text.encode()}))

    assert len(name) < 300
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "line",
    ["a b\x1b[2J c d\n", "UUID= / ext4\n", "/dev/sda1 " + "/x" * 200 + " ext4\n", "\\040 " * 9],
)
def test_an_fstab_of_megabytes_takes_seconds_at_most(line):
    began = time.monotonic()
    text = line * ((1 << 20) // len(line))
    volumes = [Volume(name="partition 1", type="ext4", size=0, stretch=Stretch(()))] * 20

    _, remarks = plan_merge(text, volumes)
    new_fstab(text, "ext4")
    new_crypttab(text)

    assert all(remark.isprintable() for remark in remarks)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("options", ["rw\x1b[2J", "x" * 5000, "a\u2028b", "", "rw,\x00", "$(id)"])
def test_a_roots_options_stay_one_word_of_one_line(options):
    made = new_fstab(f"UUID=x / ext4 {options} 0 1\n", "ext4")

    assert re.fullmatch(r"/dev/vda / ext4 [!-~]+ 0 [01]\n", made)


@pytest.mark.parametrize(
    "path", ["/../../etc", "/a/../b", "/a\x1b", "/a'b", "/a\\012b", "/a$(id)", "a", "/a//b", "/a/."]
)
def test_only_plain_paths_are_mounted_on(path):
    volumes = [Volume(name="partition 1", type="ext4", size=0, stretch=Stretch(()))]

    below, remarks = plan_merge(f"/dev/sda1 {path} ext4 subvol=$(id),subvol=a'b\n", volumes)

    assert below == []
    assert remarks[0].isprintable()


@pytest.mark.parametrize(
    "name",
    ["a b", "a\nb", "a'b", "$(id)", "a\x1b", "", "a" * 300, "a,b", "..", "../a", "a/../b", "a\n"],
)
def test_a_subvolume_that_is_no_word_of_a_command_line_is_refused(name):
    volume = Volume(name="partition 1", type="btrfs", size=0, stretch=None, number=1)

    if not name:
        assert root_arguments(volume, name) == "root=/dev/vda1"
        return
    with pytest.raises(ImageError) as refused:
        root_arguments(volume, name)
    assert refused.value.message.isprintable()


# Headers of other formats, and features of a file system

BOOT_BLOCKS = [
    b"QFI\xfb\0\0\0\3" + b"\0" * 8 + b"\0\0\1\0" + b"\0\0\0\x0b/etc/passwd",
    b"KDMV\1\0\0\0", b"COWD", b"# Disk DescriptorFile\nversion=1\n", b"vhdxfile", b"conectix",
 b"QED\0", b"WithoutFreeSpace", b"Bochs Virtual HD Image",
    b"\0" * 64 + b"\x7f\x10\xda\xbe\1\0\1\0",
]  # fmt: skip


@pytest.mark.parametrize("block", BOOT_BLOCKS)
def test_no_boot_block_is_carried_over(block, system, host, tmp_path, monkeypatch):
    root = ext4(tmp_path, system)
    with root.open("r+b") as file:
        file.write(block)
    image = images.disk(tmp_path / "whole.img", "dos", [images.Partition("83", root)])

    made = spun(image, monkeypatch)

    assert_reports(made)
    assert (made.work / "rootfs.img").open("rb").read(1024) == bytes(1024)
    assert "file format: raw" in images.sh("qemu-img", "info", made.work / "rootfs.img")


@pytest.mark.parametrize("feature", ["FEATURE_I20", "FEATURE_R21", "FEATURE_C22"])
def test_a_feature_of_a_newer_e2fsprogs_is_named_with_what_helps(
    feature, system, host, tmp_path, monkeypatch
):
    image = ext4(tmp_path, system)
    images.sh("debugfs", "-w", "-R", f"feature {feature}", image)

    made = spun(image, monkeypatch)

    assert made.refused is not None
    assert feature in made.refused.message
    assert "newer e2fsprogs" in made.refused.message
    assert "tune2fs" in made.refused.hint


@pytest.mark.parametrize("recovering", [False, True])
def test_a_journal_on_another_disk_is_not_looked_for(
    recovering, system, host, tmp_path, monkeypatch
):
    image = ext4(tmp_path, system)
    if recovering:
        images.sh("debugfs", "-w", "-R", "feature needs_recovery", image)
    with image.open("r+b") as file:
        file.seek(1024 + 0xD0)
        file.write(b"\x5a" * 16 + bytes(4) + b"\1\3\0\0")

    made = spun(image, monkeypatch)

    assert made.refused is not None
    assert "its journal on another disk" in made.refused.message


# Tools that fail without a word


@pytest.mark.parametrize(
    ("tool", "does"),
    itertools.product(
        ["e2fsck", "resize2fs", "debugfs"],
        [
            "exit 12",
            "kill -SEGV $$",
            "printf '\\033[2J\\nready: x\\n' >&2; exit 9",
            "yes >&2; exit 9",
        ],
    ),
)
def test_a_tool_that_fails_is_never_without_a_word(tool, does, system, host, tmp_path, monkeypatch):
    if "yes" in does:
        does = "head -c 30000000 /dev/zero | tr '\\0' y >&2; exit 9"
    images.write(tmp_path / f"bin/{tool}", f"#!/bin/sh\n{does}\n", 0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")

    made = spun(ext4(tmp_path, system), monkeypatch)

    assert made.refused is not None
    assert len(made.refused.message) < 1000


def test_a_tool_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ImageError, match="tools are missing: no-such-tool"):
        tools.run(["no-such-tool"], tmp_path)


def test_a_tool_that_never_ends_is_ended(tmp_path):
    with pytest.raises(ImageError, match="sleep took longer than 1 s"):
        tools.run(["sleep", "100"], tmp_path, limit_s=1)


def test_a_tool_sees_little_of_our_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "s3cret")
    monkeypatch.setenv("LD_PRELOAD", "")

    said = tools.run(["env"], tmp_path).said

    assert {line.split(b"=")[0] for line in said.splitlines()} <= {
        b"PATH", b"LC_ALL", b"DEBUGFS_PAGER", b"PWD", b"_", b"SHLVL",
    }  # fmt: skip
