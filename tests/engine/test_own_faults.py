"""An error of our own that nobody foresaw costs the VM it came with, and no other."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest

from support.engine_lab import LIMIT_S, Lab, engine, processes_naming, until, warden_of
from support.facts import plan_of
from vmtiming_tui.engine import engine as engine_module
from vmtiming_tui.engine.boot.attempt import AttemptRunner
from vmtiming_tui.engine.boot.course import Course
from vmtiming_tui.engine.boot.narrator import Narrator
from vmtiming_tui.engine.children.children import Children
from vmtiming_tui.engine.engine import Engine
from vmtiming_tui.engine.qemu.confinement import Powers
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.config import Accel, RunConfig
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.own_faults import kept_fault
from vmtiming_tui.setup import doctor
from vmtiming_tui.setup.checks import Fitness

BROKEN = 1
Faulting: TypeAlias = AttemptRunner | Course | Narrator


@pytest.fixture
def breaks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[type[Faulting], str], None]:
    """Have a step of VM 1's attempt fail as nobody foresaw; in this process, which stays gentle."""
    monkeypatch.setattr(engine_module, "_take_precedence", lambda: None)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def at(owner: type[Faulting], step: str) -> None:
        real = getattr(owner, step)

        def broken(self: Faulting, *given: object) -> object:
            if self.vm == BROKEN:
                raise LookupError(f"a fault in \x1b[1m{step}")
            return real(self, *given)

        monkeypatch.setattr(owner, step, broken)

    return at


@pytest.mark.parametrize(
    ("owner", "step"),
    [
        (AttemptRunner, "_spawn"),
        (AttemptRunner, "_connect"),
        (AttemptRunner, "_ask"),
        (Course, "_started"),
        (Course, "_take_statement"),
        (AttemptRunner, "_explain"),
        (Narrator, "booted"),
    ],
)
async def test_a_fault_while_a_vm_boots_fails_that_vm_and_the_others_go_on(
    lab: Lab, breaks, owner: type, step: str, tmp_path: Path
):
    breaks(owner, step)
    fleet, said = await run_three(lab, "1.die=half:3" if step == "_explain" else "")

    failed = fleet.vms[BROKEN].newest
    kept = tmp_path / "state" / "vmtiming-tui" / "engine-crash.txt"
    assert [attempt.state for attempt in fleet.newest] == ["booted", "failed", "booted"]
    assert failed.why == f"the tool failed: LookupError: a fault in \\x1b[1m{step}"
    assert failed.hint == f"please report this, with {kept}"
    assert f"a fault in \x1b[1m{step}" in kept.read_text()
    assert said[-1] == ev.Outcome.FINISHED
    assert lab.leftovers() == []


@pytest.mark.parametrize(("owner", "step"), [(Course, "_take_exit"), (AttemptRunner, "_tell_exit")])
async def test_a_fault_after_a_boot_leaves_its_figure_and_is_said(
    lab: Lab, breaks, owner: type, step: str
):
    breaks(owner, step)
    fleet, said = await run_three(lab)

    (notice,) = [notice for notice in fleet.notices if notice.level is ev.Level.ERROR]
    assert [attempt.state for attempt in fleet.newest] == [VmState.BOOTED] * 3
    assert fleet.vms[BROKEN].newest.boot_ns
    assert f"VM 1: the tool failed after its boot: LookupError: a fault in \\x1b[1m{step}" in (
        notice.text
    )
    assert said[-1] == ev.Outcome.FINISHED
    assert lab.leftovers() == []


async def run_three(lab: Lab, script: str = "") -> tuple[Fleet, list[ev.Outcome]]:
    said: list[ev.Event] = []
    this = Engine(said.append)
    this.obey(commands.Start(plan=plan_of(lab.config(3, script, accel=Accel.TCG))))
    async with asyncio.timeout(LIMIT_S):
        await this.run()
    return Fleet(said), [event.outcome for event in said if isinstance(event, ev.RunEnded)]


def test_a_traceback_that_cannot_be_kept_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "state").write_text("no folder")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    fault = kept_fault(ValueError("x" * 999), "dashboard")

    assert fault.what == f"ValueError: {'x' * 188}"
    assert "could not be written: " in fault.hint


async def test_a_warden_that_dies_while_a_run_is_prepared_ends_it_at_once(lab: Lab):
    async with engine(lab) as story:
        plan = replace(plan_of(lab.config(1)), prepare="sleep 600")
        story.client.send(commands.Start(plan=plan))
        await until(lambda: bool(processes_naming("sleep 600")))
        os.kill(warden_of(story.client.pid), 9)
        async with asyncio.timeout(10):
            await story.to_end()

    assert story.fleet.failure is not None
    assert "helper process" in story.fleet.failure.why


def test_doctor_does_not_wait_for_a_warden_that_is_gone(lab: Lab, monkeypatch: pytest.MonkeyPatch):
    real = doctor.settle_powers

    async def after_its_death(config: RunConfig, uid: int | None, children: Children) -> Powers:
        os.kill(children.pid, signal.SIGKILL)
        await children.lost
        return await real(config, uid, children)

    monkeypatch.setattr(doctor, "settle_powers", after_its_death)
    began = time.monotonic()
    (qemu,) = [check for check in doctor.examine(lab.config(1)) if check.name == "QEMU"]

    assert qemu.fitness is Fitness.MISSING
    assert "the process that starts QEMUs is gone" in qemu.found
    assert time.monotonic() - began < 10
