"""Checks of keys by the key's id, and the ways to the screens that they work on."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from support.past_runs import keep_named
from support.stage import Stage
from vmtiming_tui.tui.screens.compare import CompareScreen
from vmtiming_tui.tui.screens.detail import DetailScreen
from vmtiming_tui.tui.screens.history import HistoryScreen

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


async def comparison(stage: Stage) -> CompareScreen:
    keep_named(Path(os.environ["XDG_STATE_HOME"]), "first", "second")
    await stage.press("c")
    screen = await stage.comes(CompareScreen)
    await stage.sees("this run")
    return screen
