"""A history of recorded runs for the screens that show it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from support.recording import plan_for, smooth_run
from vmtiming_tui import events as ev
from vmtiming_tui.history import History
from vmtiming_tui.plan import plan_to_json


def named_run(name: str, age: int, number: int = 8) -> Iterator[ev.Event]:
    """Yield a run of this name that began ``age`` hours before the recorded one."""
    for event in smooth_run(number):
        if isinstance(event, ev.RunStarted):
            plan = plan_to_json(replace(plan_for(number), name=name))
            wall_ns = event.wall_ns - age * 3_600_000_000_000
            yield replace(event, run=f"2026-{name}", wall_ns=wall_ns, plan=plan)
        else:
            yield event


def keep(folder: Path, *names: str) -> None:
    """Keep runs of these names, the first being the oldest, where the user's history would be."""
    with (
        History.open(folder / "vmtiming-tui" / "history.db") as history,
        history.recorder() as recorder,
    ):
        for age, name in zip(range(len(names), 0, -1), names, strict=True):
            for event in named_run(name, age):
                recorder.write(ev.encode(event).encode() + b"\n")
