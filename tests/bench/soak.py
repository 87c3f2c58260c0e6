"""Minutes of what may happen to an engine, at random, and what is left of it afterwards.

    python tests/bench/soak.py [--seconds 600] [--vms 60] [--seed 1]

Storms of stand-ins for QEMU under the real engine, one after another: new runs and reruns, among
them VMs whose script makes them fail in some way; meanwhile VMs are killed, paused, reset and
powered down through the engine, QEMUs are stopped and killed behind its back, and runs are stopped.
The same seed makes the same choices (their timing is the host's). After each storm every VM must
be decided, every report its own VM's, and no QEMU left.

Prints what was done and what engine and warden held at the start, in the middle and at the end;
the exit code is 1 where something was lost, mislabelled or left.
"""

import argparse
import asyncio
import contextlib
import os
import random
import re
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support.engine_lab import Held, Lab, Story, laboratory, processes_naming, warden_of
from support.facts import plan_of
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.commands import VmAction
from vmtiming_tui.model.config import StartMode
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.sources.live_engine import EngineClient

FAULTS = (
    "die=start:1", "die=connected:KILL", "die=greeted:SEGV", "die=half:KILL", "die=reported:KILL",
    "greet=garbage", "greet=close", "greet=flood", "qmp=half:close", "qmp=half:garbage",
    "shutdown=guest-panic", "shutdown=guest-reset", "silent=1", "hang=go", "hang=half",
    "report=other", "report=huge", "report=binary", "report=half", "report=flood", "report=early",
    "report=twice", "report=pieces", "report=long", "report=empty", "stranger=1", "noise=300000",
    "deaf=system_powerdown,quit", "stderr=a+last+word",
    'event=half:BLOCK_IO_ERROR:{"action":"stop"}',
)  # fmt: skip
TIMEOUT_S = 2.0
STORM_LIMIT_S = 60.0


@dataclass
class Soak:
    """One engine and the dice that decide what happens to it."""

    lab: Lab
    story: Story
    vms: int
    dice: random.Random
    done: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    held: list[tuple[Held, Held]] = field(default_factory=list)

    async def round(self) -> None:
        """One storm from its start to its end."""
        fleet = self.story.fleet
        if fleet.run is None or self.dice.random() < 0.25:
            self._start()
        else:
            count = self.dice.randint(1, self.vms)
            vms = tuple(self.dice.sample(range(self.vms), count))
            self.story.client.send(commands.Rerun(vms=vms))
            self.done["reruns"] += 1
        meddling = asyncio.create_task(self._meddle())
        try:
            async with asyncio.timeout(STORM_LIMIT_S):
                await self.story.till(lambda story: story.of(ev.RunEnded))
        except TimeoutError:
            self.wrong.append(f"a storm that did not end: {self._undecided()}")
            raise
        finally:
            meddling.cancel()
            await asyncio.wait([meddling])
        self._look()
        self.story.events.clear()

    def _start(self) -> None:
        """Begin a new run, a quarter of whose VMs have a fault."""
        script = "boot=0.02~0.4 off=0.02 " + " ".join(
            f"{vm}.{self.dice.choice(FAULTS)}"
            for vm in range(self.vms)
            if self.dice.random() < 0.25
        )
        ways = ({}, {"start": StartMode.TOGETHER}, {"parallel": 16}, {"stagger_s": 0.01})
        settings = self.dice.choice(ways) | {"timeout_s": TIMEOUT_S}
        self.story.fleet = Fleet()
        config = self.lab.config(self.vms, script, **settings)
        self.story.client.send(commands.Start(plan=plan_of(config), interactive=True))
        self.done["runs"] += 1

    async def _meddle(self) -> None:
        """Do something to some VM every now and then; at last let all go on that stand still."""
        end = time.monotonic() + self.dice.uniform(0.2, 4)
        while time.monotonic() < end:
            await asyncio.sleep(self.dice.uniform(0.01, 0.2))
            vms = tuple(self.dice.sample(range(self.vms), self.dice.randint(1, 4)))
            match self.dice.randrange(10):
                case 0:
                    self._signal(vms[0], signal.SIGKILL)
                case 1:
                    self._signal(vms[0], signal.SIGSTOP)
                case 2 if self.dice.random() < 0.2:
                    now = self.dice.random() < 0.5
                    self.story.client.send(commands.Stop(now=now))
                    self.done["stops, now" if now else "stops"] += 1
                case 3:
                    self.story.client.send(commands.ReadConsole(vm=vms[0], seen_bytes=-1))
                    self.done["consoles read"] += 1
                case _:
                    action = self.dice.choice(list(VmAction))
                    self.story.client.send(commands.Act(action=action, vms=vms))
                    self.done[f"{action} of VMs"] += len(vms)
        while True:
            everyone = tuple(range(self.vms))
            self.story.client.send(commands.Act(action=VmAction.RESUME, vms=everyone))
            await asyncio.sleep(1)

    def _signal(self, vm: int, number: signal.Signals) -> None:
        """Signal a VM's QEMU behind the engine's back."""
        known = self.story.fleet.vms.get(vm)
        if known and known.newest.pid and known.newest.exited_ns is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(known.newest.pid, number)
                self.done[f"{number.name} to QEMUs"] += 1

    def _undecided(self) -> list[tuple[int, str]]:
        return [
            (attempt.vm, attempt.state.value)
            for attempt in self.story.fleet.newest
            if not attempt.state.is_decided
        ]

    def _look(self) -> None:
        """Note what is wrong and what is held, between two storms."""
        fleet = self.story.fleet
        self.done["storms"] += 1
        queued = [event for event in self.story.events if isinstance(event, ev.VmQueued)]
        self.done["boots"] += len(queued)
        for event in queued:
            attempt = fleet.vms[event.vm].newest
            self.states[attempt.state.value] += 1
            whose = re.search(r"vm=(\d+) pid=(\d+) sent_ns=", attempt.text)
            if whose and (int(whose[1]), int(whose[2])) != (attempt.vm, attempt.pid):
                self.wrong.append(f"VM {attempt.vm} has a report of another: {attempt.text}")
            if attempt.state.is_booted and not whose:
                self.wrong.append(f"VM {attempt.vm} booted without a report: {attempt.text!r}")
        if undecided := self._undecided():
            self.wrong.append(f"undecided at the end of a storm: {undecided}")
        if fleet.misfits:
            self.wrong.append(f"{fleet.misfits} events that fit no VM")
        if fleet.failure:
            self.wrong.append(f"the engine failed: {fleet.failure.why}")
        if left := processes_naming(str(self.lab.folder)):
            self.wrong.append(f"QEMUs after the end of a storm: {left}")
        pid = self.story.client.pid
        self.held.append((Held.by(pid), Held.by(warden_of(pid))))

    def tell(self, seconds: float) -> None:
        """Print what was done and what was held."""
        print(f"in {seconds:.0f} s:", ", ".join(f"{n} {what}" for what, n in self.done.items()))
        print("ended as:", ", ".join(f"{n} {state}" for state, n in self.states.most_common()))
        if not self.held:
            return
        places = {"start": 0, "middle": len(self.held) // 2, "end": len(self.held) - 1}
        for name, place in places.items():
            for who, held in zip(("engine", "warden"), self.held[place], strict=True):
                size = held.resident_kib / 1024
                print(
                    f"  {name:>6}, {who}: {size:.1f} MiB, {held.descriptors} descriptors, "
                    f"{held.threads} threads"
                )
        every = max(len(self.held) // 12, 1)
        sizes = (f"{engine.resident_kib / 1024:.1f}" for engine, _ in self.held[::every])
        print("  the engine's MiB meanwhile:", *sizes)


async def soak(seconds: float, vms: int, seed: int) -> int:
    """Soak, tell, and return the exit code."""
    with laboratory() as lab:
        began = time.monotonic()
        async with EngineClient() as client:
            this = Soak(lab, Story(client), vms, random.Random(seed))
            try:
                while time.monotonic() < began + seconds:
                    await this.round()
            except (TimeoutError, StopAsyncIteration):
                this.wrong.append("given up")
        this.tell(time.monotonic() - began)
        left = lab.leftovers()
        words = client.stderr
    print("left of it:", left or "nothing")
    print("the engine's standard error:", words or "empty")
    for trouble in this.wrong[:20]:
        print("WRONG:", trouble)
    return 1 if left or words or this.wrong else 0


def main() -> None:
    words = argparse.ArgumentParser(description="Soak the engine.")
    words.add_argument("--seconds", type=float, default=600)
    words.add_argument("--vms", type=int, default=60)
    words.add_argument("--seed", type=int, default=1)
    given = words.parse_args()
    sys.exit(asyncio.run(soak(given.seconds, given.vms, given.seed)))


if __name__ == "__main__":
    main()
