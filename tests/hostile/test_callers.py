"""What a caller names or leaves unsaid: no wait without end, and no stack of Python's own words."""

import os
import pwd
import socket
from pathlib import Path

import pytest

from hostile.whole import SPIN, Decoy, run
from support import disk_images as images
from vmtiming_tui.cli.main import main
from vmtiming_tui.errors import ExportError, HistoryError
from vmtiming_tui.history.database import open_store
from vmtiming_tui.own_faults import kept_fault
from vmtiming_tui.report.export.from_json import read_export

NOBODYS_UID = 54321
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has, or becomes, other users")


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


@AS_ROOT
@pytest.mark.parametrize("what", ["folder", "link"])
def test_root_writes_to_no_history_of_a_users(what: str, place: Path, decoy: Decoy):
    state = place / "state/vmtiming-tui"
    state.mkdir(parents=True)
    theirs = state
    if what == "link":
        theirs = state / "history.db"
        theirs.symlink_to(decoy.path / "made-by-root")
    os.chown(theirs, NOBODYS_UID, -1, follow_symlinks=False)
    before = decoy.facts()

    with pytest.raises(HistoryError, match="belongs to another user"):
        open_store(state / "history.db")
    assert decoy.facts() == before


def test_a_link_in_the_place_of_a_crash_report_is_not_written_through(place, decoy, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(place))
    (place / "vmtiming-tui").mkdir()
    path = place / "vmtiming-tui/engine-crash.txt"
    path.symlink_to(decoy.path / "passwd")
    before = decoy.facts()

    kept_fault(ValueError("of our own"), "engine")

    assert decoy.facts() == before
    assert "of our own" in path.read_text()
    assert path.stat().st_mode & 0o7777 == 0o600


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


@AS_ROOT
def test_so_they_are_before_an_image_is_read(system: Path, place: Path):
    image = images.ext4(place / "disk.img", system, 64)
    (place / "out").mkdir()
    os.chown(place / "out", NOBODYS_UID, -1)
    words = {"env": {"PATH": os.environ["PATH"]}, "user": NOBODYS_UID, "extra_groups": []}

    ran = run([SPIN, image, "--out", place / "out"], place, **words)

    assert ran.code == 1
    assert b"user 54321 has no home folder" in ran.complaint
    assert list((place / "out").iterdir()) == []
