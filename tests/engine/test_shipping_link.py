"""A host's engine that hears of a plan once the host has what its VMs boot from."""

from dataclasses import replace
from pathlib import Path

import pytest

from support.engine_lab import Lab
from support.facts import plan_of
from support.stores import FolderStore
from vmtiming_tui.cluster.host_link import Lines
from vmtiming_tui.cluster.shipping.shipping_link import Shipper, ShippingLink
from vmtiming_tui.errors import HostError
from vmtiming_tui.model import commands
from vmtiming_tui.model.plan import RunPlan, StormKind


class Host:
    name, address = "a", "tcp://10.0.0.1:8786"

    def __init__(self) -> None:
        self.sent: list[commands.Command] = []

    async def send(self, lines: tuple[bytes, ...]) -> None:
        self.sent += map(commands.decode, lines)

    async def next(self, after: int) -> Lines:
        return Lines(first=after, lines=(b"line",))

    async def clock_ns(self) -> int:
        return 17


class Rig:
    """A host, and where it keeps what it is brought."""

    def __init__(self, lab: Lab) -> None:
        self.host = Host()
        self.store = FolderStore("a", lab.folder / "there")
        self.link = ShippingLink(self.host, self.store, Shipper())

    async def send(self, *asked: commands.Command) -> None:
        await self.link.send(tuple(commands.encode(each).encode() for each in asked))


def read(path: str) -> bytes:
    return Path(path).read_bytes()


@pytest.fixture
def rig(lab: Lab) -> Rig:
    return Rig(lab)


@pytest.fixture
def plan(lab: Lab) -> RunPlan:
    base, kernel = lab.folder / "base.img", lab.folder / "kernel"
    base.write_bytes(b"base" * 128)
    kernel.write_bytes(b"kernel")
    vms = str(lab.folder / "vms")
    return plan_of(lab.config(2, base=str(base), vmdir=vms, kernel=str(kernel)))


async def test_a_plan_is_heard_of_once_its_files_are_there(rig: Rig, plan: RunPlan):
    await rig.send(commands.Start(plan=plan, led=True))

    (start,) = rig.host.sent
    assert isinstance(start, commands.Start)
    there = start.plan.config
    assert [read(there.base), read(there.kernel)] == [b"base" * 128, b"kernel"]
    assert there.vmdir.startswith(str(rig.store.cache))
    assert replace(
        there, base=plan.config.base, kernel=plan.config.kernel, vmdir=plan.config.vmdir
    ) == plan.config  # fmt: skip


async def test_shares_of_storms_name_what_the_plan_of_that_host_names(rig: Rig, plan: RunPlan):
    share = commands.Share(config=plan.config, vms=(1,), attempts=(0,))
    boot = commands.Boot(storm=0, kind=StormKind.RUN, parameters={}, planned=1, shares=(share,))
    await rig.send(commands.Start(plan=plan, led=True), boot)

    start, told = rig.host.sent
    assert isinstance(start, commands.Start)
    assert isinstance(told, commands.Boot)
    assert [each.config for each in told.shares] == [start.plan.config]


async def test_a_second_plan_brings_what_is_new_in_it(rig: Rig, plan: RunPlan, lab: Lab):
    await rig.send(commands.Start(plan=plan, led=True))
    other = lab.folder / "other"
    other.write_bytes(b"other kernel")
    await rig.send(commands.Start(plan=plan_of(replace(plan.config, kernel=str(other))), led=True))

    assert rig.store.received == [0, 0, 0]
    assert isinstance(start := rig.host.sent[-1], commands.Start)
    assert read(start.plan.config.kernel) == b"other kernel"


async def test_a_host_that_cannot_be_brought_a_plans_files_is_lost_in_words(
    rig: Rig, plan: RunPlan
):
    rig.store.lost_after = 0
    with pytest.raises(HostError, match="a is gone"):
        await rig.send(commands.Start(plan=plan, led=True))

    missing = plan_of(replace(plan.config, kernel="/nowhere/vmlinuz"))
    with pytest.raises(HostError, match="'/nowhere/vmlinuz' cannot be read"):
        await rig.send(commands.Start(plan=missing, led=True))
    with pytest.raises(HostError, match="give it with --base ROOTFS"):
        await rig.send(commands.Start(plan=plan_of(replace(plan.config, base="")), led=True))
    assert rig.host.sent == []


async def test_all_else_of_a_host_goes_through(rig: Rig):
    await rig.send(commands.Stop())

    assert rig.host.sent == [commands.Stop()]
    assert (rig.link.name, rig.link.address) == ("a", "tcp://10.0.0.1:8786")
    assert await rig.link.next(5) == Lines(first=5, lines=(b"line",))
    assert await rig.link.clock_ns() == 17
