"""What a caller names or leaves unsaid: no wait without end, and no stack of Python's own words."""

import os
import pwd
import socket
from pathlib import Path

import pytest

from hostile.whole import SPIN, run
from support import disk_images as images
from vmtiming_tui.cli.main import main
from vmtiming_tui.errors import ExportError
from vmtiming_tui.export.reading import read_export

NOBODYS_UID = 54321


@pytest.mark.parametrize("kind", ["pipe", "link to a device", "socket", "folder", "kernel's log"])
def test_an_export_that_is_no_regular_file_is_refused_at_once(kind: str, tmp_path: Path):
    path = tmp_path / "run.json"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "link to a device":
            path.symlink_to("/dev/zero")
        case "socket":
            socket.socket(socket.AF_UNIX).bind(str(path))
        case "folder":
            path.mkdir()
        case _:
            path.symlink_to("/proc/kmsg")

    with pytest.raises(ExportError):
        read_export(path)


@pytest.fixture
def without_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user id without a name, as in a container, and nothing said of where to keep things."""

    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("without_home")
@pytest.mark.parametrize("words", [["history"], ["doctor"], ["-p", "vm", "-k", "vmlinuz"]])
def test_whoever_has_no_home_is_told_to_name_one(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)

    assert ended.value.code == 1
    assert "has no home folder" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without a name")
def test_so_they_are_before_an_image_is_read(system: Path, place: Path):
    image = images.ext4(place / "disk.img", system, 64)
    (place / "out").mkdir()
    os.chown(place / "out", NOBODYS_UID, -1)
    words = {"env": {"PATH": os.environ["PATH"]}, "user": NOBODYS_UID, "extra_groups": []}

    ran = run([SPIN, image, "--out", place / "out"], place, **words)

    assert ran.code == 1
    assert b"user 54321 has no home folder" in ran.complaint
    assert list((place / "out").iterdir()) == []
