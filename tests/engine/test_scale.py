"""A thousand VMs and many reruns: each VM itself, and nothing that grows."""

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path

from textual.pilot import Pilot

from support.engine_lab import LIMIT_S, Held, Lab, engine, until, warden_of
from support.facts import plan_of
from support.recording import Recorder
from support.stage import dashboard, text_of
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.fleet import Fleet, RunState
from vmtiming_tui.sources import live_engine
from vmtiming_tui.sources.live_engine import EngineClient
from vmtiming_tui.tui.app import VmTimingApp

THOUSAND = 1000
RERUNS = 20
GROWTH_KIB = 2048  # of pages that came to be used once; a leak of a KiB a boot would be 800


def mislabelled(fleet: Fleet) -> list[int]:
    """Return the VMs whose newest report is not their own QEMU's."""
    return [
        attempt.vm
        for attempt in fleet.newest
        if not re.search(rf"vm={attempt.vm} pid={attempt.pid} sent_ns=", attempt.text)
    ]


async def test_a_thousand_vms_boot_in_the_dashboard_and_each_under_its_own_name(lab: Lab):
    told = []
    config = lab.config(THOUSAND, "boot=0.02 off=0.02", timeout_s=60.0)
    app = VmTimingApp(lambda: EngineClient(tap=told.extend), plan_of(config))
    try:
        async with app.run_test(size=(200, 60)) as pilot:
            await all_said(app, pilot)
            screen = text_of(app)
            shown = app.model.fleet
    finally:
        await app.link.close()
    stream = Fleet(ev.decode(each.line) for each in told)

    assert "✓ 1,000 booted" in screen
    for fleet in (shown, stream):
        assert [attempt.vm for attempt in fleet.newest] == list(range(THOUSAND))
        assert {attempt.state.value for attempt in fleet.newest} == {"booted"}
        assert mislabelled(fleet) == []
        assert fleet.misfits == 0
        assert not fleet.troubles
    assert lab.leftovers() == []


async def all_said(app: VmTimingApp, pilot: "Pilot[None]") -> None:
    async with asyncio.timeout(3 * LIMIT_S):
        while app.model.fleet.state is not RunState.FINISHED:
            await pilot.pause(0.1)


async def test_five_thousand_vms_of_a_stream_are_all_shown_as_they_were():
    recorder = Recorder(5000, stagger_s=0.001, usage=False, signs=False)
    end = recorder.storm(0.1, range(5000))
    recorder.end(end)
    told = [ev.decode(ev.encode(event)) for event in recorder.ordered()]
    gone = {event.vm: event.go_ns for event in told if isinstance(event, ev.VmStarted)}
    reported = {event.vm: event.report_ns for event in told if isinstance(event, ev.VmBooted)}
    half = len(told) // 2

    async with dashboard(number=5000, size=(200, 60)) as stage:
        await stage.feed(told[:half], end / 2)
        await stage.feed(told[half:], end)
        fleet = stage.app.model.fleet
        shown = stage.text

    assert "✓ 5,000 booted" in shown
    assert [attempt.vm for attempt in fleet.newest] == list(range(5000))
    assert all(each.boot_ns == reported[each.vm] - gone[each.vm] for each in fleet.newest)
    assert fleet.misfits == 0


# What an engine holds, seen from outside and from inside.

PROBED = """
import asyncio, gc, json, pathlib, signal, sys
from vmtiming_tui.engine import __main__ as engine
serve, path = engine._serve, pathlib.Path(sys.argv[1])
def tell():
    gc.collect()
    loop = asyncio.get_running_loop()
    held = {"tasks": len(asyncio.all_tasks()), "objects": len(gc.get_objects())}
    new = path.with_suffix(".new")
    new.write_text(json.dumps(held))
    new.replace(path)
async def probed():
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tell)
    return await serve()
engine._serve = probed
engine.main()
"""


async def inside(pid: int, answer: Path) -> dict[str, int]:
    """Ask a probed engine how many tasks and objects it has."""
    os.kill(pid, signal.SIGUSR1)
    await until(answer.exists)
    return taken_from(answer)


def taken_from(answer: Path) -> dict[str, int]:
    held = json.loads(answer.read_text())
    answer.unlink()
    return held


def least_objects(taken: list[tuple[Held, Held, dict[str, int]]]) -> int:
    """Return the fewest: cancelled timers are let go only now and then."""
    return min(inner["objects"] for _, _, inner in taken)


async def test_twenty_reruns_leave_engine_and_warden_as_they_were(lab: Lab, monkeypatch):
    answer = lab.folder / "held.json"
    probed = [sys.executable, "-c", PROBED, str(answer)]
    monkeypatch.setattr(live_engine, "engine_command", lambda: probed)
    vms = tuple(range(40))
    script = "boot=0.01 off=0.01 noise=50000 3.die=half:KILL 4.report=half"
    taken = []
    async with engine(lab) as story:
        plan = plan_of(lab.config(len(vms), script))
        story.client.send(commands.Start(plan=plan, interactive=True))
        for ended in range(1, RERUNS + 3):
            await story.till(lambda story, ended=ended: len(story.of(ev.RunEnded)) == ended)
            pid = story.client.pid
            taken.append((Held.by(pid), Held.by(warden_of(pid)), await inside(pid, answer)))
            story.client.send(commands.Rerun(vms=vms))
        (folder,) = lab.runtime.iterdir()
        consoles = len(list(folder.glob("console-*")))

    # The first rerun is the yardstick: it has used whatever is made once.
    (engine_then, warden_then, then), (engine_now, warden_now, now) = taken[1], taken[-1]
    for held, before in ((engine_now, engine_then), (warden_now, warden_then)):
        assert (held.descriptors, held.threads) == (before.descriptors, before.threads)
        assert held.resident_kib < before.resident_kib + GROWTH_KIB
    assert now["tasks"] == then["tasks"]
    assert least_objects(taken[-5:]) < least_objects(taken[1:6]) + RERUNS * len(vms) / 2
    assert consoles <= len(vms)
