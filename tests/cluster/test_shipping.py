"""Hosts that are brought what they boot, over a real Dask cluster."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from support.engine_lab import Lab
from support.facts import plan_of
from vmtiming_tui.cluster.connect import reached
from vmtiming_tui.cluster.shipping.shipment import Shipped
from vmtiming_tui.cluster.shipping.store import PIECE_BYTES
from vmtiming_tui.errors import ConfigError
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.cluster import Cluster, Reach
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import RunPlan

LIMIT_S = 60
TWO = Cluster(reach=Reach.LOCAL, workers=2, ship=True)
DATA = bytes(PIECE_BYTES) + b"data" * PIECE_BYTES


def shipped_plan(lab: Lab) -> RunPlan:
    base = lab.folder / "base.img"
    base.write_bytes(DATA)
    config = lab.config(2, base=str(base), vmdir=str(lab.folder / "not there"))
    Path(config.kernel).write_bytes(b"kernel")
    return plan_of(config)


async def test_vms_boot_from_what_was_brought_to_their_hosts(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    plan, told, fleet = shipped_plan(lab), list[Shipped](), Fleet()
    argvs: list[str] = []
    async with asyncio.timeout(LIMIT_S), reached(TWO, lambda _: None) as hosts:
        with pytest.raises(ConfigError) as refused:
            await hosts.look(replace(plan, variants=plan_of(lab.config(1)).variants))
        await hosts.look(plan, told.append)
        async with hosts.source() as source:
            source.send(commands.Start(plan=plan))
            async for batch in source.batches():
                for event in batch:
                    fleet.fold(event)
                    argvs += [" ".join(event.argv)] if isinstance(event, ev.VmLaunched) else []
                if fleet.ran_to_end:
                    source.send(commands.Quit())

    assert "--ship: hosts make overlays of a base" in str(refused.value)
    assert [attempt.state for attempt in fleet.newest] == ["booted", "booted"]
    assert {each.host for each in told} == {"local1", "local2"}
    assert len(argvs) == 2
    assert all(f"{tmp_path}/vmtiming-tui/shipped/" in argv for argv in argvs)
    assert not (lab.folder / "not there").exists()
    kernel, image = fleet.files
    assert (kernel.size_bytes, image.size_bytes) == (len(b"kernel"), len(DATA))
    assert image.modified_ns == (lab.folder / "base.img").stat().st_mtime_ns
