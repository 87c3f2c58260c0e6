"""An inside that has been taken over by an image, and what the outside believes of it."""

import contextlib
import gzip
import json
import os
import socket
import time
from pathlib import Path

import pytest

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.guard.channel import Channel
from vmtiming_tui.images.guard.ending import Signals
from vmtiming_tui.images.guard.out_folder import make_work_folder, open_folder, readable_as
from vmtiming_tui.images.reader.mount_server import MountServer
from vmtiming_tui.images.spin import unpack
from vmtiming_tui.images.spin.arguments import Arguments
from vmtiming_tui.images.spin.outside import own_files, say_from_inside


@contextlib.contextmanager
def channels():
    """Both ends: the outside's as it reads, the inside's as a bare socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        yield Channel(ours), theirs


@pytest.mark.parametrize(
    "line",
    [b"no json", b"[]", b'"ready"', b"1", b"null", b"[" * 100_000, b"\xff\xfe", b"{", b"NaN"],
    ids=lambda line: line[:8],
)
def test_what_is_no_message(line):
    with channels() as (channel, inside), pytest.raises(ImageError):
        with contextlib.suppress(BlockingIOError):
            inside.send(line + b"\n")
        channel.receive()


def test_a_line_without_end():
    with channels() as (channel, inside), pytest.raises(ImageError, match="says more"):
        while True:
            with contextlib.suppress(BlockingIOError):
                inside.send(b"x" * 65536)
            channel.received()


def test_words_without_end():
    with channels() as (channel, inside), pytest.raises(ImageError, match="says more"):
        while True:
            with contextlib.suppress(BlockingIOError):
                inside.send(b'{"say": "x"}\n' * 1000)
            list(channel.received() or ())


def test_one_that_says_no_more():
    with channels() as (channel, inside):
        inside.send(b'{"say": "half a li')
        inside.shutdown(socket.SHUT_WR)
        with pytest.raises(ImageError, match="nobody is there"):
            channel.receive()


FORGED = [
    "ready: /etc/rootfs.img (1MB)",
    "  READY: /etc/rootfs.img",
    "done\nspin-from-raw: ready: /etc/rootfs.img",
    "done\n\n\nspin-from-raw: ready: x",
    "done\rspin-from-raw: ready: x",
    "done\x1b[2K\x1b[1Gspin-from-raw: ready: x",
    "done\x85spin-from-raw: ready: x",
    "done\u2028spin-from-raw: ready: x",
]


@pytest.mark.parametrize("text", FORGED, ids=range(len(FORGED)))
def test_a_line_that_only_the_outside_may_say(text, capsys):
    say_from_inside(text)

    said = capsys.readouterr().out
    first, *more = said.splitlines()
    assert first.startswith("spin-from-raw: ")
    assert not first.startswith("spin-from-raw: ready")
    assert all(line.startswith("  ") for line in more)
    assert all(char.isprintable() for char in said.replace("\n", ""))


@pytest.fixture
def work(tmp_path):
    parent = os.open(tmp_path, os.O_RDONLY)
    folder = make_work_folder(parent)
    yield folder
    with contextlib.suppress(OSError):
        folder.remove()
    os.close(parent)


@pytest.mark.parametrize("what", ["nothing", "link", "fifo", "folder", "hard link", "socket"])
def test_a_result_that_is_no_file_of_ours(what, work, decoy):
    name = Path(f"/proc/self/fd/{work.fd}/rootfs.img")
    match what:
        case "link":
            name.symlink_to(decoy.path / "passwd")
        case "fifo":
            os.mkfifo(name)
        case "folder":
            name.mkdir()
        case "hard link":
            (decoy.path / "passwd").chmod(0o600)
            with contextlib.suppress(OSError):
                os.link(decoy.path / "passwd", name)
        case "socket":
            socket.socket(socket.AF_UNIX).bind(str(name))
    before = decoy.facts()

    with pytest.raises((ImageError, OSError)):
        work.check("rootfs.img", os.geteuid(), 0o644)

    assert decoy.facts() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has files of others")
def test_a_result_of_another_user(work):
    name = f"/proc/self/fd/{work.fd}/rootfs.img"
    Path(name).touch()
    os.chown(name, 12345, 12345)

    with pytest.raises(ImageError, match="no file of ours"):
        work.check("rootfs.img", os.geteuid(), 0o644)


def test_links_in_the_work_folder_are_removed_and_not_followed(work, decoy, tmp_path):
    top = Path(f"/proc/self/fd/{work.fd}")
    (top / "a/b/c").mkdir(parents=True)
    for name in ("folder", "a/b/link"):
        (top / name).symlink_to(decoy.path)
    (top / "file").symlink_to(decoy.path / "passwd")
    before = decoy.facts()

    work.remove()

    assert decoy.facts() == before
    assert list(tmp_path.iterdir()) == []


def test_another_folder_under_the_name_of_ours_is_left_alone(work, tmp_path):
    (tmp_path / work.name).rename(tmp_path / "away")
    (tmp_path / work.name).mkdir()

    work.remove()

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["away", work.name])


def test_a_folder_made_for_nothing_goes_again_and_no_other_in_its_place(tmp_path):
    opened = open_folder(str(tmp_path / "one/two"))
    (tmp_path / "one").rename(tmp_path / "away")
    (tmp_path / "one/two").mkdir(parents=True)

    opened.close()

    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "away", "one", "one/two",
    ]  # fmt: skip


def test_links_that_lead_round_and_round(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    with pytest.raises(OSError, match="symbolic links"):
        open_folder(str(tmp_path / "a"))


NONSENSE = [
    {"mount": "excerpts", "parts": [[False, -1, 10, "xfs"]]},
    {"mount": "excerpts", "parts": [[False, 0, 1 << 61, "xfs"]]},
    {"mount": "excerpts", "parts": [[False, 0, 1 << 40, "xfs"]]},
    {"mount": "excerpts", "parts": [[False, 0, 512, "proc"]]},
    {"mount": "excerpts", "parts": [[False, 0, 512, "xfs,suid"]]},
    {"mount": "excerpts", "parts": [["x", 0, 512, "xfs"]]},
    {"mount": "excerpts", "parts": ["x"]},
    {"mount": "measure", "mounts": [[[False, 0, 512, "xfs"], "/../etc", ""]]},
    {"mount": "measure", "mounts": [[[False, 0, 512, "xfs"], "etc", ""]]},
    {"mount": "measure", "mounts": [[[False, 0, 512, "xfs"], "/", "suid"]]},
    {"mount": "measure", "mounts": [[[False, 0, 512, "xfs"], "/", "subvol=/x,suid"]]},
    {"mount": "measure", "mounts": [[[False, 0, 512, "xfs"], "/", "subvol=a\nb"]]},
    {"mount": "make", "size": -1, "uuid": "", "label": ""},
    {"mount": "make", "size": 1 << 20, "uuid": "", "label": ""},
    {"mount": "all"},
]


@pytest.mark.parametrize("request_", NONSENSE, ids=range(len(NONSENSE)))
def test_a_mount_that_makes_no_sense(request_, work, tmp_path):
    image = tmp_path / "image"
    image.write_bytes(bytes(512))
    with image.open("rb") as file, channels() as (channel, inside):
        server = MountServer(
            tmp_path, file.fileno(), work=work, owner=os.geteuid(), signals=None, say=print
        )
        server.serve(channel, request_)
        answer = json.loads(inside.recv(65536))

    assert list(answer) == ["failed"]
    assert "tree" not in [path.name for path in tmp_path.iterdir()]


def left_by_a_killed_one(parent: int, *, age_s: float, path: Path, monkeypatch) -> Path:
    """Make a work folder with a result in it that nobody works in any more, so old by our clock."""
    folder = make_work_folder(parent)
    left = path / folder.name
    (left / "inner").mkdir()
    (left / "inner/rootfs.img").write_text("half of it")
    os.close(folder.fd)
    now_s = time.time()
    monkeypatch.setattr("time.time", lambda: now_s + age_s)
    return left


@pytest.fixture
def parent(tmp_path):
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def test_what_a_killed_one_left_goes_with_the_next(parent, decoy, tmp_path, monkeypatch):
    left = left_by_a_killed_one(parent, age_s=100, path=tmp_path, monkeypatch=monkeypatch)
    (left / "inner/link").symlink_to(decoy.path)
    before = decoy.facts()

    make_work_folder(parent).remove()

    assert not left.exists()
    assert decoy.facts() == before


def test_what_somebody_works_in_stays(work, parent, monkeypatch, tmp_path):
    monkeypatch.setattr("time.time", lambda: 1e11)

    make_work_folder(parent).remove()

    assert (tmp_path / work.name).is_dir()


@pytest.mark.parametrize("why", ["new", "open to others", "another's", "link", "another name"])
def test_what_may_not_be_a_killed_ones_stays(why, parent, tmp_path, decoy, monkeypatch):
    age_s = 10 if why == "new" else 100
    left = left_by_a_killed_one(parent, age_s=age_s, path=tmp_path, monkeypatch=monkeypatch)
    match why:
        case "open to others":
            left.chmod(0o755)
        case "another's" if os.geteuid() == 0:
            os.chown(left, 65534, 65534)
        case "link":
            left.rename(tmp_path / "moved")
            left.symlink_to(decoy.path)
        case "another's" | "another name":
            left = left.rename(tmp_path / ".spin-from-raw.mine")
    before = decoy.facts()

    make_work_folder(parent).remove()

    assert (left / "inner/rootfs.img").exists() or left.is_symlink()
    assert decoy.facts() == before


@pytest.mark.parametrize("name", ["../image", "/etc/passwd", "", "missing", "link", "pipe"])
def test_a_box_that_unpacks_leaves_a_file_of_its_folder_or_nothing(name, tmp_path, monkeypatch):
    """It names what it likes, and may put links in the place of files."""
    (tmp_path / "image").write_bytes(gzip.compress(b"packed"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def taken_over(program, *_):
        fd = program.box.work_fd
        os.symlink("/etc/passwd", "link", dir_fd=fd)
        os.mkfifo("pipe", dir_fd=fd)
        return {"file": name, "member": "x"}

    monkeypatch.setattr(unpack, "run_in_box", taken_over)

    with Signals() as signals, pytest.raises(ImageError):
        unpack.unpack(str(tmp_path / "image"), "", signals, print)
    assert list((tmp_path / "cache").rglob("unpacked/*")) == []


def test_a_result_is_no_more_readable_than_all_it_was_made_of(tmp_path):
    for name, mode in (("image", 0o644), ("kernel", 0o600)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    with (tmp_path / "image").open() as image, (tmp_path / "kernel").open() as kernel:
        assert readable_as([image.fileno()]) == 0o644
        assert readable_as([image.fileno(), kernel.fileno()]) == 0o600


@pytest.mark.parametrize("option", ["kernel", "initrd"])
def test_a_kernel_of_ones_own_is_a_file_that_nobody_else_chose(option, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    for name, what in (("pipe", "a named pipe"), ("device", "a character device")):
        asked = Arguments(**{option: str(tmp_path / name)})
        with contextlib.ExitStack() as held, pytest.raises(ImageError, match=what) as refused:
            own_files(asked, held)
        assert refused.value.message.startswith(f"--{option}: ")
