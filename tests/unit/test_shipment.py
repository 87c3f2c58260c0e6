"""Files brought to several hosts: once each, in pieces, to all at once, and what was wrong said."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from support.stores import FolderStore, content_of, file_of
from vmtiming_tui.cluster.shipping.placed import Placed
from vmtiming_tui.cluster.shipping.shipment import Shipped, ship
from vmtiming_tui.cluster.shipping.store import PIECE_BYTES
from vmtiming_tui.errors import HostError, ImageError

PIECES = 6
DATA = os.urandom(PIECES * PIECE_BYTES - 10)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "rootfs.img"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def hosts(tmp_path: Path) -> list[FolderStore]:
    return [FolderStore(name, tmp_path / name) for name in ("a", "b", "c")]


def placed(outcome: Placed | HostError) -> Placed:
    assert isinstance(outcome, Placed)
    return outcome


def brought(outcome: Placed | HostError, source: Path) -> bytes:
    return Path(placed(outcome).paths[str(source)]).read_bytes()


async def test_every_host_gets_every_file_and_is_said_where(source, hosts, tmp_path):
    kernel = tmp_path / "vmlinuz"
    kernel.write_bytes(b"kernel")
    outcomes = await ship([file_of(source), file_of(kernel)], hosts, lambda _: None)

    assert list(outcomes) == ["a", "b", "c"]
    for host in hosts:
        assert brought(outcomes[host.name], source) == DATA
        assert brought(outcomes[host.name], kernel) == b"kernel"
        paths = placed(outcomes[host.name]).paths.values()
        assert all(path.startswith(str(host.cache)) for path in paths)


async def test_a_few_pieces_are_under_way_to_a_host_and_no_more(source, tmp_path):
    class Slow(FolderStore):
        """Takes in nothing before four pieces have come."""

        async def put(self, content, offset, piece):
            if self.under_way == 3:
                enough.set()
            self.under_way += 1
            await enough.wait()
            self.under_way -= 1
            await super().put(content, offset, piece)

    enough = asyncio.Event()
    slow = Slow("slow", tmp_path / "slow")
    async with asyncio.timeout(30):
        outcomes = await ship([file_of(source)], [slow], lambda _: None)

    assert brought(outcomes["slow"], source) == DATA
    assert slow.most_under_way <= 4


async def test_nothing_is_brought_twice(source, hosts):
    await ship([file_of(source)], hosts, lambda _: None)
    again = await ship([file_of(source)], hosts, lambda _: None)

    assert [len(host.received) for host in hosts] == [PIECES] * 3
    assert brought(again["c"], source) == DATA


async def test_what_was_interrupted_goes_on_where_it_was(source, hosts):
    hosts[1].lost_after = 2
    outcomes = await ship([file_of(source)], hosts, lambda _: None)
    assert isinstance(outcomes["b"], HostError)

    hosts[1].lost_after = None
    outcomes = await ship([file_of(source)], hosts, lambda _: None)
    assert brought(outcomes["b"], source) == DATA
    assert sorted(hosts[1].received) == [at * PIECE_BYTES for at in range(PIECES)]


async def test_a_lost_host_is_said_and_keeps_no_other_from_its_files(source, hosts):
    hosts[0].lost_after, hosts[2].lost_after = 0, 3
    outcomes = await ship([file_of(source)], hosts, lambda _: None)

    assert [str(outcomes[name]) for name in ("a", "c")] == ["a is gone", "c is gone"]
    assert placed(outcomes["b"]).paths.keys() == {str(source)}


async def test_progress_is_told_by_host_and_file_from_what_was_there_to_all_of_it(source, hosts):
    hosts[0].lost_after = 2
    await ship([file_of(source)], hosts[:1], lambda _: None)
    hosts[0].lost_after = None
    told: list[Shipped] = []
    await ship([file_of(source)], hosts[:1], told.append)

    assert {(each.host, each.path, each.all_bytes) for each in told} == {
        ("a", str(source), len(DATA))
    }
    done = [each.done_bytes for each in told]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (2 * PIECE_BYTES, len(DATA))


async def test_a_file_that_is_written_to_meanwhile_is_not_taken(source, hosts):
    file = file_of(source)
    with source.open("r+b") as writer:
        writer.write(b"other")
    outcomes = await ship([file], hosts, lambda _: None)

    for outcome in outcomes.values():
        assert isinstance(outcome, HostError)
        assert "not what was announced" in outcome.message


async def test_a_file_that_is_gone_meanwhile_is_said(source, hosts):
    file = file_of(source)
    source.unlink()

    with pytest.raises(ImageError, match="cannot be read: No such file"):
        await ship([file], hosts, lambda _: None)


async def test_a_host_that_says_nonsense_is_not_believed(source, hosts):
    class Liar(FolderStore):
        async def present(self, content):
            return b"\1" * 1000

    outcomes = await ship([file_of(source)], [Liar("liar", hosts[0].cache)], lambda _: None)

    assert isinstance(outcomes["liar"], HostError)


async def test_pieces_of_zeros_are_not_brought(tmp_path, hosts):
    path = tmp_path / "sparse.img"
    with path.open("wb") as writer:
        writer.seek(PIECES * PIECE_BYTES)
        writer.write(b"end")
    file = replace(file_of(path), offsets=(PIECES * PIECE_BYTES,))
    outcomes = await ship([file], hosts[:1], lambda _: None)

    assert hosts[0].received == [PIECES * PIECE_BYTES]
    assert content_of(brought(outcomes["a"], path)) == file.content
