"""Checks of keys by the key's id, and the ways to the screens that they work on."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from support.facts import plan
from support.made_units import run_with_units, some_units
from support.making import run_events
from support.many_hosts import many_hosts_run
from support.past_runs import keep_named
from support.recording import ENGINE_LOST
from support.stage import Stage
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.plan import Variant
from vmtiming_tui.tui.screens.compare import CompareScreen
from vmtiming_tui.tui.screens.confirm import ConfirmScreen
from vmtiming_tui.tui.screens.detail import DetailScreen
from vmtiming_tui.tui.screens.engine_error import EngineErrorScreen
from vmtiming_tui.tui.screens.export import ExportScreen
from vmtiming_tui.tui.screens.help import HelpScreen
from vmtiming_tui.tui.screens.history import HistoryScreen
from vmtiming_tui.tui.screens.hosts import HostsScreen
from vmtiming_tui.tui.screens.new_run import NewRunScreen
from vmtiming_tui.tui.screens.played import PlayedScreen
from vmtiming_tui.tui.screens.storm import StormScreen
from vmtiming_tui.tui.screens.storms import StormsScreen
from vmtiming_tui.tui.screens.too_small import TooSmallScreen
from vmtiming_tui.tui.screens.trend import TrendScreen
from vmtiming_tui.tui.screens.units import UnitsScreen
from vmtiming_tui.tui.screens.warnings import WarningsScreen
from vmtiming_tui.tui.state.keymap import Scope

Check = Callable[[Stage], Awaitable[None]]

DONE = 90.0


class Checks(dict[str, tuple[float, Check]]):
    """What keys are to do: a check by the key's id, and how far the run has gone before it."""

    def __call__(self, *names: str, at: float = DONE) -> Callable[[Check], Check]:
        """Say which keys a check is of."""

        def register(check: Check) -> Check:
            self.update(dict.fromkeys(names, (at, check)))
            return check

        return register


def sent(stage: Stage, kind: type) -> list[object]:
    return [command for command in stage.source.sent if isinstance(command, kind)]


async def opened(stage: Stage, vm: int = 2) -> DetailScreen:
    await stage.press(*["right"] * vm, "enter")
    screen = stage.on(DetailScreen)
    assert screen.vm_id == vm
    return screen


async def history(stage: Stage) -> HistoryScreen:
    keep_named(Path(os.environ["XDG_STATE_HOME"]), "first", "second")
    await stage.press("H")
    screen = await stage.comes(HistoryScreen)
    await stage.sees("2 runs")
    return screen


async def played(stage: Stage) -> PlayedScreen:
    """Open the newest stored run as it ended, over the run that is on the stage."""
    await history(stage)
    await stage.press("enter")
    return await stage.comes(PlayedScreen)


async def comparison(stage: Stage) -> CompareScreen:
    keep_named(Path(os.environ["XDG_STATE_HOME"]), "first", "second")
    await stage.press("c")
    screen = await stage.comes(CompareScreen)
    await stage.sees("this run")
    return screen


def swept_run(settings: int) -> list[ev.Event]:
    """A run of so many settings, each booted six times and slower than the one before."""
    turns = [smp for _ in range(6) for smp in range(settings)]
    boots = [[5.0 + at / 40 + smp] * 3 for at, smp in enumerate(turns)]
    each = [{"smp": str(1 + smp)} for smp in turns]
    asked = plan(3, 6)
    variants = (Variant(config=asked.config, parameters=one) for one in each[:settings])
    started = {"plan": replace(asked, variants=tuple(variants))}
    return run_events(boots, parameters=each, run="swept", started=started)


async def storms(stage: Stage, settings: int = 2) -> StormsScreen:
    await stage.feed(swept_run(settings), at=DONE * 5)
    await stage.press("w")
    screen = await stage.comes(StormsScreen)
    await stage.sees("The verdict")
    return screen


async def trend(stage: Stage) -> TrendScreen:
    await history(stage)
    await stage.press("t")
    screen = await stage.comes(TrendScreen)
    await stage.sees("a step can be told from")
    return screen


def run_of_units() -> list[ev.Event]:
    return run_with_units(some_units(60), 2, 3)


async def units(stage: Stage) -> UnitsScreen:
    await stage.feed(run_of_units())
    await stage.press("u")
    screen = await stage.comes(UnitsScreen)
    await stage.sees("median of 6 boots")
    return screen


async def hosts(stage: Stage) -> HostsScreen:
    """Open the hosts of a run on three, of which b was lost and has come to the top."""
    await stage.feed(many_hosts_run(number=24, lost={"b": 5.0}), at=DONE)
    await stage.press("s")
    screen = await stage.comes(HostsScreen)
    await stage.sees("3 hosts, 1 lost")
    return screen


async def warnings(stage: Stage) -> WarningsScreen:
    screen = await any_warnings(stage)
    await stage.sees("Boots that were lost")
    return screen


async def any_warnings(stage: Stage) -> WarningsScreen:
    await stage.press("W")
    return await stage.comes(WarningsScreen)


async def all_vms(stage: Stage) -> StormScreen:
    return stage.on(StormScreen)


async def listed(stage: Stage) -> StormScreen:
    await stage.press("v", "space")
    return stage.on(StormScreen)


async def question(stage: Stage) -> ConfirmScreen:
    await stage.press("ctrl+c")
    return stage.on(ConfirmScreen)


async def export_form(stage: Stage) -> ExportScreen:
    await stage.press("e")
    return stage.on(ExportScreen)


async def new_run_form(stage: Stage) -> NewRunScreen:
    await stage.press("n")
    return stage.on(NewRunScreen)


async def engine_error(stage: Stage) -> EngineErrorScreen:
    await stage.feed([ENGINE_LOST])
    return stage.on(EngineErrorScreen)


async def help_of_all_vms(stage: Stage) -> HelpScreen:
    await stage.press("f1")
    return stage.on(HelpScreen)


async def too_small(stage: Stage) -> TooSmallScreen:
    await stage.pilot.resize_terminal(60, 10)
    return await stage.comes(TooSmallScreen)


WAYS = {
    Scope.ANYWHERE: all_vms,
    Scope.MAIN: all_vms,
    Scope.DETAIL: opened,
    Scope.PLAYER: played,
    Scope.HISTORY: history,
    Scope.COMPARE: comparison,
    Scope.STORMS: storms,
    Scope.TREND: trend,
    Scope.UNITS: units,
    Scope.HOSTS: hosts,
    Scope.WARNINGS: any_warnings,
    Scope.DIALOG: question,
    Scope.CONFIRM: question,
    Scope.FORM: export_form,
    Scope.EXPORT: export_form,
    Scope.NEW_RUN: new_run_form,
    Scope.ENGINE_ERROR: engine_error,
    Scope.HELP: help_of_all_vms,
}
"""How a person gets to where the keys of a scope work."""
