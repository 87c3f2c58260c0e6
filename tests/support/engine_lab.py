"""Stand-ins under the real engine in a process of its own, and proof that nothing is left."""

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from support.facts import plan_of
from vmtiming_tui.engine.engine import Engine
from vmtiming_tui.engine.guest.limits import Limits
from vmtiming_tui.engine.host.watch import memory_bytes
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.commands import VmAction
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.sources.live_engine import EngineClient

HERE = Path(__file__).parent
LIMIT_S = 60

E = TypeVar("E")


def processes_naming(text: str) -> list[int]:
    """Return the pids whose command line holds a text."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if os.fsencode(text) in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def children_of(pid: int) -> list[int]:
    """Return the pids of a process's children."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError):
            if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def child_naming(pid: int, text: str) -> int:
    """Return the pid of a process's one child whose command line holds a text."""
    named = processes_naming(text)
    (found,) = (child for child in children_of(pid) if child in named)
    return found


def warden_of(engine_pid: int) -> int:
    """Return the pid of an engine's warden."""
    return child_naming(engine_pid, "children.warden")


@dataclass(frozen=True)
class Held:
    """What a process has: descriptors, threads, resident KiB."""

    descriptors: int
    threads: int
    resident_kib: int

    @classmethod
    def by(cls, pid: int) -> "Held":
        status = Path(f"/proc/{pid}/status").read_text()
        threads, resident = (
            int(status.partition(f"\n{key}:")[2].split()[0]) for key in ("Threads", "VmRSS")
        )
        return cls(len(list(Path(f"/proc/{pid}/fd").iterdir())), threads, resident)


async def until(true: Callable[[], bool]) -> None:
    """Return when something became true; fail where it never does.

    A look may take long, at a thousand processes say: the loop gets as much time in between.
    """
    async with asyncio.timeout(LIMIT_S):
        while True:
            began = time.monotonic()
            if true():
                return
            await asyncio.sleep(max(0.005, time.monotonic() - began))


@dataclass
class Lab:
    """A folder with a stand-in for QEMU and images, and the places for run and other folders."""

    folder: Path
    runtime: Path
    temp: Path

    @property
    def environment(self) -> dict[str, str]:
        """Every folder that a run uses, so that it uses none of anybody else's."""
        own = {
            f"XDG_{name.upper()}_HOME": str(self.folder / name)
            for name in ("cache", "state", "config")
        }
        return own | {"XDG_RUNTIME_DIR": str(self.runtime), "TMPDIR": str(self.temp)}

    @property
    def qemu(self) -> Path:
        return self.folder / "qemu"

    def launcher(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def config(self, number: int = 2, script: str = "", **settings: object) -> RunConfig:
        for vm in range(number):
            image = self.folder / f"vm-{vm}.img"
            if not image.exists():
                image.write_bytes(b"disk" * 128)
        kernel = self.folder / "vmlinuz"
        kernel.touch()
        asked = {
            "number": number,
            "memory_mib": 1,
            "prefix": "vm",
            "suffix": ".img",
            "vmdir": str(self.folder),
            "kernel": str(kernel),
            "qemu": str(self.qemu),
            "accel": "tcg",
            "append": " ".join(f"standin.{word}" for word in script.split()),
            "timeout_s": 30.0,
            "force": True,
            **settings,
        }
        return RunConfig(**asked)  # type: ignore[arg-type]

    def crowd(self, number: int, fit: int, script: str = "", **settings: object) -> RunConfig:
        """VMs of which the host's memory can hold as many as ``fit`` at once."""
        available_mib = memory_bytes("MemAvailable") + memory_bytes("SwapFree") >> 20
        memory_mib = available_mib * 2 // (2 * fit + 1)
        return self.config(number, script, memory_mib=memory_mib, force=False, **settings)

    def leftovers(self) -> list[object]:
        return [*processes_naming(str(self.folder)), *self.runtime.iterdir()]


@dataclass
class Story:
    """What an engine said, and the fleet that makes."""

    client: EngineClient
    events: list[ev.Event] = field(default_factory=list)
    fleet: Fleet = field(default_factory=Fleet)
    batches: AsyncIterator[list[ev.Event]] | None = None

    def take(self, batch: list[ev.Event]) -> None:
        self.events += batch
        for event in batch:
            self.fleet.fold(event)

    async def to_end(self, limit_s: float = LIMIT_S) -> None:
        """Read till the engine has ended."""
        async with asyncio.timeout(limit_s):
            async for batch in self.client.batches():
                self.take(batch)

    async def till(self, seen: Callable[["Story"], object]) -> None:
        """Read till something can be seen."""
        async with asyncio.timeout(LIMIT_S):
            while not seen(self):
                if self.batches is None:
                    self.batches = self.client.batches()
                self.take(await anext(self.batches))

    def of(self, kind: type[E], vm: int | None = None) -> list[E]:
        found = [event for event in self.events if isinstance(event, kind)]
        return [event for event in found if vm is None or getattr(event, "vm", None) == vm]

    @property
    def warnings(self) -> list[str]:
        """What the user is warned of."""
        return [told.text for told in self.of(ev.Notice) if told.level is ev.Level.WARNING]

    @property
    def states(self) -> list[str]:
        return [attempt.state.value for attempt in self.fleet.newest]


@contextlib.contextmanager
def folders() -> Iterator[Lab]:
    """Make a lab whose ``-q`` starts the stand-in with as little Python as can be.

    Other users can read its folder.
    """
    top = Path(tempfile.mkdtemp(prefix="vmt-"))
    top.chmod(0o755)
    lab = Lab(top / "lab", top / "run", top / "tmp")
    for folder, mode in ((lab.folder, 0o755), (lab.runtime, 0o700), (lab.temp, 0o1777)):
        folder.mkdir()
        folder.chmod(mode)
    lab.launcher(
        "qemu",
        f"#!{os.path.realpath(sys.executable)} -IS\n"
        f"import sys\nsys.path.insert(0, {str(HERE)!r})\n"
        "from standin_machine import main\nmain()\n",
    )
    yield lab
    shutil.rmtree(top)


@contextlib.contextmanager
def laboratory(*, own_cache: bool = True) -> Iterator[Lab]:
    """Make a lab whose environment is this process's while it is there.

    Without ``own_cache`` the real guests are found where they are kept.
    """
    with folders() as lab, pytest.MonkeyPatch.context() as patch:
        for name, value in lab.environment.items():
            if own_cache or name != "XDG_CACHE_HOME":
                patch.setenv(name, value)
        patch.setattr(tempfile, "tempdir", str(lab.temp))
        yield lab


@asynccontextmanager
async def engine(lab: Lab) -> AsyncIterator[Story]:
    """An engine, which leaves nothing when it is left."""
    async with EngineClient() as client:
        story = Story(client)
        yield story
    assert client.stderr == ""
    assert lab.leftovers() == []


async def tell(lab: Lab, plan: RunPlan | RunConfig, *, interactive: bool = False) -> Story:
    """Run a plan to its end."""
    if isinstance(plan, RunConfig):
        plan = plan_of(plan)
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan, interactive=interactive))
        await story.to_end()
    assert story.fleet.misfits == 0
    booted = (attempt for attempt in story.fleet.newest if attempt.state.is_booted)
    assert all(attempt.exited_ns is not None for attempt in booted)
    return story


async def tell_limited(
    lab: Lab,
    config: RunConfig,
    *,
    acts: Sequence[tuple[type[ev.Event] | None, VmAction, float]] = (),
    **limits_s: float,
) -> Story:
    """Run a storm in this process, by an engine that is less patient.

    ``acts`` are what to see, or None, what is then done to VM 0, and how many seconds later.
    """
    story = Story(EngineClient())
    told = asyncio.Event()

    def take(event: ev.Event) -> None:
        story.take([event])
        told.set()

    served = Engine(take, Limits(**limits_s))
    served.obey(commands.decode(commands.encode(commands.Start(plan=plan_of(config)))))
    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        group.create_task(served.run())
        for kind, action, wait_s in acts:
            while kind is not None and not story.of(kind):
                told.clear()
                await told.wait()
            await asyncio.sleep(wait_s)
            served.obey(commands.Act(action=action, vms=(0,)))
    assert lab.leftovers() == []
    return story
