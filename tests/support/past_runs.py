"""Runs kept in a history."""

import time
from dataclasses import replace
from pathlib import Path

from support.facts import SECOND, plan
from support.making import as_told
from support.recording import WALL_NS, plan_for, smooth_run
from vmtiming_tui.history.runs import History
from vmtiming_tui.model import events as ev


def named_run(name: str, age: int, number: int = 8, **planned: object) -> list[ev.Event]:
    """Return a run of this name that began ``age`` hours before the recorded one."""
    return smooth_run(
        number,
        started={
            "run": f"2026-{name}-{age}",
            "wall_ns": WALL_NS - age * 3600 * SECOND,
            "plan": replace(plan_for(number), name=name, **planned),
        },
    )


def keep_named(folder: Path, *names: str, **planned: object) -> None:
    """Keep runs of these names, the first being the oldest, where the user's history would be."""
    with (
        History.open(folder / "vmtiming-tui" / "history.db") as history,
        history.recorder() as recorder,
    ):
        for age, name in zip(range(len(names), 0, -1), names, strict=True):
            recorder.write(as_told(named_run(name, age, **planned)))


def keep(history, events):
    """Keep a run's events as an engine's lines are."""
    with history.recorder() as recorder:
        recorder.write(as_told(events))


def named(name, notes=""):
    """What makes a run's begin one of this name, for ``run_events(started=...)``."""
    return {"plan": replace(plan(), name=name, notes=notes)}


def wait_for(condition, limit_s=20.0):
    """Poll what another thread or process brings about."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError("it never came")
