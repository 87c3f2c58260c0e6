"""What a host keeps of files that are brought to it: whole or not at all, and no other's."""

import os
import pickle
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from support.stores import content_of, pieces_of
from vmtiming_tui.cluster.shipping import store
from vmtiming_tui.cluster.shipping.store import PIECE_BYTES, Content
from vmtiming_tui.errors import HostError
from vmtiming_tui.images.gate.format_ledger import Ledger, ledger_path
from vmtiming_tui.images.guard.opening import open_file

DATA = os.urandom(2 * PIECE_BYTES + 10)
YEAR_2023_NS = 1_700_000_000_000_000_000


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def bring(data: bytes, cache: Path, image_format: str = "") -> Path:
    content = content_of(data)
    for offset, piece in pieces_of(data):
        store.put(content, offset, piece, cache)
    return Path(store.finish(content, YEAR_2023_NS, image_format, cache))


def names(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "shipped").iterdir())


def test_a_file_gets_its_digest_for_a_name_once_all_of_it_is_there(cache):
    content = content_of(DATA)
    assert store.present(content, cache) == b"\0\0\0"

    for offset, piece in reversed(pieces_of(DATA)):
        store.put(content, offset, piece, cache)
    assert names(cache) != [content.digest]
    path = Path(store.finish(content, YEAR_2023_NS, "", cache))

    assert path.read_bytes() == DATA
    assert names(cache) == [path.name] == [content.digest]
    assert path.stat().st_mtime_ns == YEAR_2023_NS
    assert store.present(content, cache) == b"\1\1\1"


def test_what_is_there_of_a_file_stays_for_the_next_run(cache):
    content, pieces = content_of(DATA), pieces_of(DATA)
    store.put(content, *pieces[1], cache)

    assert store.present(content, cache) == b"\0\1\0"
    store.put(content, *pieces[0], cache)
    store.put(content, *pieces[2], cache)
    assert Path(store.finish(content, 0, "", cache)).read_bytes() == DATA


def test_pieces_of_zeros_need_not_come_and_take_no_room(cache):
    data = bytes(64 * PIECE_BYTES) + b"end"
    content = content_of(data)
    store.put(content, *pieces_of(data)[-1], cache)
    path = Path(store.finish(content, 0, "", cache))

    assert path.read_bytes() == data
    assert path.stat().st_blocks * 512 < PIECE_BYTES


def test_bytes_that_were_not_announced_are_thrown_away_and_said(cache):
    content = content_of(DATA)
    for offset, piece in pieces_of(DATA):
        store.put(content, offset, bytes(len(piece)), cache)

    with pytest.raises(HostError, match="not what was announced, and was thrown away"):
        store.finish(content, 0, "", cache)
    assert names(cache) == []
    assert bring(DATA, cache).read_bytes() == DATA


@pytest.mark.parametrize(
    "content",
    [
        Content(digest="../../etc/passwd", size_bytes=10),
        Content(digest="0" * 63 + "\n", size_bytes=10),
        Content(digest="A" * 64, size_bytes=10),
        Content(digest="0" * 64 + "/x", size_bytes=10),
        Content(digest="", size_bytes=10),
        Content(digest="0" * 64, size_bytes=0),
        Content(digest="0" * 64, size_bytes=-1),
        Content(digest="0" * 64, size_bytes=1 << 60),
    ],
)
def test_a_name_that_is_no_digest_or_a_size_of_no_file_reaches_nothing(cache, content):
    for call in (
        lambda: store.present(content, cache),
        lambda: store.put(content, 0, b"x" * 10, cache),
        lambda: store.finish(content, 0, "", cache),
    ):
        with pytest.raises(HostError):
            call()
    assert not cache.exists()


@pytest.mark.parametrize(
    ("offset", "size"),
    [(-PIECE_BYTES, PIECE_BYTES), (1, PIECE_BYTES), (0, 10), (0, PIECE_BYTES + 1),
     (2 * PIECE_BYTES, 11), (3 * PIECE_BYTES, 1), (1 << 62, PIECE_BYTES)],
)  # fmt: skip
def test_a_piece_that_is_none_of_what_was_announced_is_refused(cache, offset, size):
    with pytest.raises(HostError, match="no piece of what was announced"):
        store.put(content_of(DATA), offset, b"x" * size, cache)
    assert not cache.exists()


def test_runs_that_bring_the_same_at_once_do_no_harm(cache):
    files = [os.urandom(PIECE_BYTES + 10) for _ in range(10)]
    begin = threading.Barrier(3)

    def run() -> list[bytes]:
        found = []
        for data in files:
            begin.wait()
            found.append(bring(data, cache).read_bytes())
        return found

    with ThreadPoolExecutor() as runs:
        found = [each.result() for each in [runs.submit(run) for _ in range(3)]]

    assert found == [files] * 3
    assert names(cache) == sorted(content_of(data).digest for data in files)


def test_a_piece_that_comes_late_changes_no_file_that_is_whole(cache):
    path = bring(DATA, cache)
    store.put(content_of(DATA), 0, bytes(PIECE_BYTES), cache)

    assert path.read_bytes() == DATA
    assert names(cache) == [path.name]


def test_a_folder_that_others_can_write_to_is_not_used(cache):
    (cache / "shipped").mkdir(parents=True)
    (cache / "shipped").chmod(0o777)

    with pytest.raises(HostError, match="others can write to"):
        bring(DATA, cache)


def test_files_are_for_nobody_else_and_written_to_by_nobody(cache):
    path = bring(DATA, cache)

    assert path.stat().st_mode & 0o777 == 0o400
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_links_in_the_folder_lead_nowhere(cache, tmp_path):
    content, other = content_of(DATA), tmp_path / "other"
    other.write_bytes(b"mine")
    (cache / "shipped").mkdir(parents=True, mode=0o700)
    (cache / "shipped" / f"{content.digest}.{content.size_bytes}.part").symlink_to(other)

    with pytest.raises(HostError, match="does not take"):
        bring(DATA, cache)
    assert other.read_bytes() == b"mine"


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk of its own takes root")
def test_a_full_disk_is_said_and_what_came_stays(cache):
    cache.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={2 * PIECE_BYTES}", "none", str(cache)]
    subprocess.run(mount, check=True)
    try:
        with pytest.raises(HostError, match="No space left on device") as caught:
            bring(DATA, cache)
        assert caught.value.hint.startswith("free some space there")
        assert store.present(content_of(DATA), cache)[0] == 1
    finally:
        subprocess.run(["umount", str(cache)], check=True)


def test_the_format_that_was_settled_where_a_base_came_from_is_written_down(cache):
    path = bring(DATA, cache, "raw")
    file, fd = open_file(str(path))
    os.close(fd)
    entry = Ledger(ledger_path()).get(file)

    assert entry is not None
    assert entry.format == "raw"


def test_what_nothing_has_booted_from_for_a_month_goes_when_something_comes(cache):
    old, used = bring(b"old", cache), bring(b"used", cache)
    overlays = old.with_name(old.name + store.VMS)
    overlays.mkdir()
    long_ago = time.time() - store.KEPT_UNUSED_S - 60
    for path in (old, used):
        os.utime(path, (long_ago, long_ago))
    bring(b"used", cache)

    assert used.exists()
    assert not old.exists()
    assert not overlays.exists()


def test_words_of_a_host_survive_the_way_to_the_front_end(cache):
    with pytest.raises(HostError) as caught:
        store.present(replace(content_of(DATA), size_bytes=0), cache)
    error = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  our own

    assert (error.message, error.hint) == (caught.value.message, caught.value.hint)
