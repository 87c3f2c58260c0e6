"""Spins an image of hostile words, and sees to what is said and what the tools are told."""

import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from support import disk_images as images
from support.checksums import sha256
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Piece, Stretch
from vmtiming_tui.images.disk.volumes import find_volumes, open_files
from vmtiming_tui.images.files.tree import FileKind, Tree
from vmtiming_tui.images.guard import tools
from vmtiming_tui.images.spin import ext_root
from vmtiming_tui.images.spin.install_service import Report
from vmtiming_tui.images.spin.steps import spin
from vmtiming_tui.images.spin.wanted import Made, Wanted

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
    return {str(path): sha256(path) for path in folder.rglob("*") if path.is_file()}


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

    monkeypatch.setattr(ext_root, "run", watched)
    fd = os.open(image, os.O_RDONLY)
    before = sha256(image)
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
    assert sha256(image) == before
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
    assert wanted.node.kind is FileKind.LINK


def spun_again(folder: Path, monkeypatch, **wanted) -> Spun:
    shutil.rmtree(folder / "again", ignore_errors=True)
    (folder / "again").mkdir()
    image = folder / "again/disk.img"
    images.sh("cp", "--sparse=always", folder / "disk.img", image)
    return spun(image, monkeypatch, **wanted)
