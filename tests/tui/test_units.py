"""The boot chart in the dashboard: of all boots, and of one VM beside what is usual."""

import pytest

from support.keys import opened, units
from support.made_units import MadeUnit, run_with_units
from support.recording import smooth_run
from support.stage import dashboard
from vmtiming_tui.tui.screens.units import NOTHING_YET

UNITS = (
    MadeUnit("early.service", 400),
    MadeUnit("network.service", 800, ("early.service",)),
    MadeUnit("broken.service", 200, ("early.service",), fails=1.0),
    MadeUnit("multi-user.target", 0, ("network.service", "broken.service")),
)


def line_of(stage, name):
    return next(line for line in stage.text.splitlines() if name in line)


async def shown(stage, vm=None, **more):
    """Go to the chart of a run, or of one of its VMs."""
    await stage.feed(run_with_units(UNITS, 2, 3, noise=0, storm_noise=0, **more))
    if vm is not None:
        await opened(stage, vm)
    await stage.press("u")
    await stage.sees("4 units as they begin")


async def test_without_a_guests_units_it_is_said_when_they_come():
    async with dashboard(smooth_run(8), 2.0) as stage:
        await stage.press("u")

        assert NOTHING_YET in stage.text


async def test_a_unit_is_a_bar_between_when_it_begins_and_when_it_is_up():
    async with dashboard(size=(120, 30)) as stage:
        await shown(stage)
        early, network = (line_of(stage, f"{name}.service") for name in ("early", "network"))

        assert early.count("━") < network.count("━")
        assert early.rindex("━") < network.rindex("━")
        assert "0.400" in early
        assert "0.800" in network


async def test_what_is_waited_for_and_what_failed_is_told_by_a_sign_too():
    async with dashboard(size=(120, 30)) as stage:
        await shown(stage)

        assert line_of(stage, "network.service").startswith(" 100 %")
        assert not line_of(stage, "broken.service").strip().startswith("100 %")
        assert "✗ broken.service" in stage.text


async def test_the_unit_that_is_pointed_at_is_told_about():
    async with dashboard(size=(120, 30)) as stage:
        await shown(stage)

        assert "ran in 6 of 6 boots  on the chain in 6" in stage.text


async def test_a_slow_unit_of_one_vm_stands_beside_what_is_usual():
    async with dashboard(size=(120, 30)) as stage:
        await shown(stage, vm=1, added_in={1: {"network.service": 500.0}})
        await stage.press("greater_than_sign", "greater_than_sign")
        await stage.sees("most over usual first")
        slow = line_of(stage, " network.service ")

        assert "+0.500" in slow
        assert "╎" in slow
        assert "usually 0.800 s" in stage.text


async def test_it_grows_with_the_run():
    async with dashboard(size=(120, 30)) as stage:
        await shown(stage)
        again = run_with_units(UNITS, 3, 3, noise=0, storm_noise=0)
        await stage.feed(again)
        for _ in range(20):
            await stage.feed([])

        await stage.sees("median of 9 boots")


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_every_line_fits_its_screen(size):
    async with dashboard(size=size) as stage:
        await units(stage)

        assert all(len(line) <= size[0] for line in stage.text.splitlines())
        assert " s " in stage.text


async def test_in_ascii_there_is_no_other_sign():
    async with dashboard(size=(120, 30), ascii_only=True) as stage:
        await shown(stage)

        assert stage.text.isascii()
        assert "x broken.service" in stage.text
