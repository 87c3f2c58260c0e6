"""Files brought to the hosts of a real Dask cluster."""

import os
from pathlib import Path

from support.stores import file_of
from vmtiming_tui.cluster.dask_hosts.connection import connected
from vmtiming_tui.cluster.dask_hosts.store import DaskStore
from vmtiming_tui.cluster.shipping.placed import Placed
from vmtiming_tui.cluster.shipping.shipment import Shipped, ship
from vmtiming_tui.cluster.shipping.store import PIECE_BYTES, Content
from vmtiming_tui.errors import HostError
from vmtiming_tui.model.cluster import Cluster, Reach

DATA = os.urandom(3 * PIECE_BYTES + 10)


def read(path: str) -> bytes:
    return Path(path).read_bytes()


async def test_hosts_get_files_and_say_what_they_do_not_take(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source, told = tmp_path / "rootfs.img", list[Shipped]()
    source.write_bytes(DATA)
    cluster = Cluster(reach=Reach.LOCAL, workers=2)
    async with connected(cluster, lambda _: None) as connection:
        stores = [DaskStore(connection, member.name) for member in connection.members]
        outcomes = await ship([file_of(source)], stores, told.append)
        try:
            await stores[0].present(Content(digest="../../etc/passwd", size_bytes=1))
        except HostError as error:
            refused = error

    assert set(outcomes) == {"local1", "local2"} == {each.host for each in told}
    for outcome in outcomes.values():
        assert isinstance(outcome, Placed)
        assert read(outcome.paths[str(source)]) == DATA
    assert refused.message == "what was announced is no file's digest and size"
