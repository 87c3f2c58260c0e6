"""Booting a guest against itself, to learn how much this host's storms differ by chance."""

import asyncio
import signal

from vmtiming_tui.model.commands import Start
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.session.headless import follow
from vmtiming_tui.session.streams import Streams
from vmtiming_tui.sources.live_engine import EngineClient


def measure_noise(plan: RunPlan, streams: Streams) -> tuple[Fleet, list[signal.Signals]]:
    """Carry out the plan, and report nothing of it; return the run, and the signals that came.

    It is not kept in the history: it is of no interest but for what it says of the host.
    """
    fleet = Fleet()

    async def boot() -> list[signal.Signals]:
        async with EngineClient() as engine:
            engine.send(Start(plan=plan))
            return await follow(engine, fleet, streams, as_json=True)

    return fleet, asyncio.run(boot())
