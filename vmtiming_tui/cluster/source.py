"""Several hosts as the one source of a run's events."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from typing import Any

from vmtiming_tui.cluster import clock, host_lines
from vmtiming_tui.cluster.host_link import HostLink
from vmtiming_tui.cluster.leading.conductor import Conductor
from vmtiming_tui.cluster.leading.instructions import Instruction, Send, Tell
from vmtiming_tui.cluster.leading.run import Asked
from vmtiming_tui.errors import EventError, HostError
from vmtiming_tui.escape import plural, were
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.cluster import Spread
from vmtiming_tui.model.commands import Command
from vmtiming_tui.model.events import Event
from vmtiming_tui.model.run_id import run_id
from vmtiming_tui.sources.event_lines import Told

_MOST_UNREAD = 20_000
_MOST_UNREAD_BYTES = 64 << 20
_LINES_A_TURN = 200
_CLOCK_EVERY_S = 60.0
_LEAVE_LIMIT_S = 20.0


class _Host:
    """A host that is led: the way to it, what it is still to be sent, and the tasks that do so."""

    def __init__(self, link: HostLink) -> None:
        self.link = link
        self.name = link.name
        self.unsent: deque[bytes] = deque()
        self.has_unsent = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    def put(self, command: Command) -> None:
        self.unsent.append(commands.encode(command).encode())
        self.has_unsent.set()


class ClusterSource:
    """Leads hosts through a run, and takes all of it down again on leaving.

    ``tap`` is given the lines of the run's stream with their events, before anything else happens
    to them. Where they are read too slowly, hosts are asked for less. Hosts that are lost are no
    error but events.
    """

    def __init__(
        self,
        links: Iterable[HostLink],
        tap: Callable[[Sequence[Told]], None] | None = None,
        *,
        spread: Spread = Spread.CORES,
        clock_every_s: float = _CLOCK_EVERY_S,
        most_unread: int = _MOST_UNREAD,
    ) -> None:
        self._links = tuple(links)
        self._tap = tap
        self._clock_every_s = clock_every_s
        self._most_unread = most_unread
        self._conductor = Conductor(spread)
        self._hosts: dict[str, _Host] = {}
        self._unread: list[Told] = []
        self._unread_bytes = 0
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()
        self._fault: BaseException | None = None

    async def __aenter__(self) -> "ClusterSource":
        for link in self._links:
            self.join(link)
        return self

    def join(self, link: HostLink) -> None:
        """Take in a host, also a late one; raise ``ValueError`` where one of its name is there."""
        joined = self._conductor.join(link.name, link.address)
        host = self._hosts[link.name] = _Host(link)
        self._carry_out(joined)
        for work in (self._pull, self._push, self._watch_clock):
            task = asyncio.create_task(self._work(host, work(host)))
            host.tasks.append(task)
            task.add_done_callback(self._look_for_fault)

    def send(self, command: Command) -> None:
        """Ask for something; what no host can do is let go."""
        now_ns = time.monotonic_ns()
        if isinstance(command, commands.Start):
            wall_ns = time.time_ns()
            asked = Asked(start=command, run=run_id(wall_ns), at_ns=now_ns, wall_ns=wall_ns)
            self._carry_out(self._conductor.start(asked))
        else:
            self._carry_out(self._conductor.obey(command, now_ns))

    async def batches(self) -> AsyncIterator[list[Event]]:
        """Yield events as they come, until no host is left."""
        while batch := await self._batch():
            yield batch

    async def _batch(self) -> list[Event]:
        """Return what has come since the last time, and wait for it; empty at the end."""
        while not self._unread:
            if self._fault is not None:
                raise self._fault
            if self._conductor.is_over:
                return []
            self._news.clear()
            await self._news.wait()
        told, self._unread = self._unread, []
        self._unread_bytes = 0
        self._room.set()
        if self._tap is not None:
            self._tap(told)
        return [event for _, event in told]

    # What is to be done.

    def _carry_out(self, instructions: Iterable[Instruction], came: Told | None = None) -> None:
        """Do what the conductor wants; an event that passes as it ``came`` keeps its line."""
        for instruction in instructions:
            match instruction:
                case Tell(event=event):
                    is_as_it_came = came is not None and event is came.event
                    line = came.line if came and is_as_it_came else ev.encode(event).encode()
                    self._unread.append(Told(line, event))
                    self._unread_bytes += len(line)
                case Send(host=name, command=command):
                    self._hosts[name].put(command)
        self._news.set()
        if len(self._unread) > self._most_unread or self._unread_bytes > _MOST_UNREAD_BYTES:
            self._room.clear()

    # What is done for each host, at the same time.

    async def _work(self, host: _Host, work: Coroutine[Any, Any, None]) -> None:
        """Do a part of it till the host is lost, which ends the others, too."""
        try:
            await work
        except HostError as error:
            now_ns = time.monotonic_ns()
            self._carry_out(self._conductor.lose(host.name, error.message, error.hint, now_ns))
        else:
            self._carry_out(self._conductor.ended(host.name, time.monotonic_ns()))
        for task in host.tasks:
            if task is not asyncio.current_task():
                task.cancel()

    def _look_for_fault(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fault = error
            self._news.set()

    async def _pull(self, host: _Host) -> None:
        """Take in the host's lines, in order and each once, till its engine ends."""
        after = 0
        while True:
            found = await host.link.next(after)
            if found.first > after:
                missing = found.first - after
                words = f"{plural(missing, 'line')} of its engine {were(missing)} lost on the way"
                raise HostError(words)
            lines = found.lines[after - found.first :]
            for start in range(0, len(lines), _LINES_A_TURN):
                await asyncio.sleep(0)  # others are heard meanwhile
                await self._room.wait()
                self._hear(host, lines[start : start + _LINES_A_TURN])
            after += len(lines)
            if found.ended:
                return

    def _hear(self, host: _Host, lines: Iterable[bytes]) -> None:
        conductor, name, now_ns = self._conductor, host.name, time.monotonic_ns()
        for line in lines:
            try:
                told = host_lines.told(line, conductor.shift_ns(name))
            except EventError:
                self._carry_out(conductor.misunderstood(name, now_ns))
            else:
                self._carry_out(conductor.heard(name, told.event, now_ns), told)

    async def _push(self, host: _Host) -> None:
        """Send the host what it is to be sent, as long as it is there."""
        while True:
            await host.has_unsent.wait()
            host.has_unsent.clear()
            lines = tuple(host.unsent)
            host.unsent.clear()
            await host.link.send(lines)

    async def _watch_clock(self, host: _Host) -> None:
        """Measure the host's clock at first, and now and then."""
        while True:
            found = await clock.measured(host.link)
            self._carry_out(self._conductor.measured(host.name, found, time.monotonic_ns()))
            await asyncio.sleep(self._clock_every_s)

    # Its end.

    async def __aexit__(self, *_: object) -> None:
        self.send(commands.Quit())
        try:
            async with asyncio.timeout(_LEAVE_LIMIT_S):
                while self._fault is None and await self._batch():
                    pass
        except TimeoutError:
            pass
        finally:
            tasks = [task for host in self._hosts.values() for task in host.tasks]
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)
