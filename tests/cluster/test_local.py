"""``local:N``: workers of Dask on this host that pretend to be hosts, as any others are."""

import asyncio
import logging
import os

import dask
import pytest

from support.engine_lab import Lab, children_of, processes_naming, until
from vmtiming_tui.cluster.connect import reached
from vmtiming_tui.cluster.dask_hosts.connection import connected
from vmtiming_tui.cluster.dask_hosts.link import DaskLink
from vmtiming_tui.errors import ConfigError
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.cluster import Cluster, Reach
from vmtiming_tui.model.plan import RunPlan, Variant

LIMIT_S = 60
TWO = Cluster(reach=Reach.LOCAL, workers=2)


def plan_of(lab: Lab, number: int = 2, **settings: object) -> RunPlan:
    return RunPlan(variants=(Variant(config=lab.config(number, **settings)),))


async def booted(link: DaskLink, plan: RunPlan) -> list[ev.Event]:
    """Have a host's engine carry out a plan by itself, and return all it tells."""
    await link.send((commands.encode(commands.Start(plan=plan)).encode(),))
    events: list[ev.Event] = []
    while True:
        found = await link.next(len(events))
        events += [ev.decode(line) for line in found.lines]
        if found.ended:
            return events


async def test_each_has_a_name_an_address_and_an_engine_and_nothing_is_left(lab, capfd):
    config, handlers = dask.config.serialize(dask.config.config), _handlers()
    before = set(children_of(os.getpid()))
    async with asyncio.timeout(LIMIT_S), connected(TWO, pytest.fail) as hosts:
        assert [member.name for member in hosts.members] == ["local1", "local2"]
        assert hosts.members[0].worker.startswith("tcp://127.0.0.2:")
        async with hosts.engines() as (links, _):
            assert [link.name for link in links] == ["local1", "local2"]
            told = await asyncio.gather(*(booted(link, plan_of(lab)) for link in links))
            stamps = [await link.clock_ns() for link in links]

    for events in told:
        assert sum(isinstance(event, ev.VmBooted) for event in events) == 2
    assert stamps == sorted(stamps)
    assert dask.config.serialize(dask.config.config) == config
    assert _handlers() == handlers
    assert capfd.readouterr() == ("", "")
    await until(lambda: not lab.leftovers())
    assert not [path for path in lab.temp.iterdir() if "dask" in path.name]
    trackers = processes_naming("multiprocessing.resource_tracker")
    assert not set(children_of(os.getpid())) - before - set(trackers)


def _handlers() -> dict[str, list[logging.Handler]]:
    return {name: logging.getLogger(name).handlers[:] for name in ("distributed", "tornado")}


@pytest.fixture
def tls_alone():
    """Settings of Dask by which hosts are spoken to by TLS alone, and no certificates."""
    with dask.config.set({"distributed.comm.require-encryption": True}):
        yield


@pytest.mark.usefixtures("tls_alone")
async def test_what_keeps_hosts_from_booting_is_said_by_all_at_once(lab):
    async with asyncio.timeout(LIMIT_S), reached(TWO, lambda _: None) as hosts:
        await hosts.look(plan_of(lab))
        (lab.folder / "vm-1.img").unlink()
        with pytest.raises(ConfigError) as raised:
            plan = plan_of(lab, qemu="no-qemu")
            (lab.folder / "vm-1.img").unlink()
            await hosts.look(plan)

    missing, qemu = sorted(map(str, raised.value.problems))
    assert missing.startswith("host local2: image ")
    assert qemu.startswith("hosts local1 and local2: -q/--qemu: 'no-qemu'")
