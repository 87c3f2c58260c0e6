"""Hosts and whoever leads them in a world where time leaps, and any word may be late.

Nothing sleeps and nothing is sent: ``World`` has what is due in order, by the leader's clock.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import replace

from support.facts import MS, SECOND
from support.shifting import shifted
from support.simulated_hosts import Fate, LedEngine
from vmtiming_tui.cluster.clock import Clock
from vmtiming_tui.cluster.leading.conductor import Conductor
from vmtiming_tui.cluster.leading.instructions import Instruction, Send, Tell
from vmtiming_tui.cluster.leading.run import Asked
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.cluster import Spread
from vmtiming_tui.model.plan import RunPlan


class World:
    """Hosts by name, each with a clock of its own; words take up to ``delay_ns``, in order.

    ``told`` is the run's stream, ``sent`` what each host was sent, and when. ``on_told`` is called
    with each event.
    """

    def __init__(
        self,
        *names: str,
        lots: Callable[[str], Iterator[Fate]] = lambda _: itertools.repeat(Fate()),
        chance: random.Random | None = None,
        delay_ns: int = 0,
        room: int = 1 << 30,
        spread: Spread = Spread.EVEN,
        cores: dict[str, int] | None = None,
        refusals: dict[str, int] | None = None,
    ) -> None:
        self.now_ns = 100 * SECOND
        self.told: list[ev.Event] = []
        self.sent: list[tuple[int, Send]] = []
        self.on_told: Callable[[ev.Event], None] = lambda _: None
        self.conductor = Conductor(spread)
        self.ahead_ns: dict[str, int] = {}
        self._chance = chance or random.Random(0)
        self._delay_ns = delay_ns
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._arrived: dict[tuple[str, str], int] = {}
        self._engines: dict[str, LedEngine] = {}
        self._lots, self._room = lots, room
        self._cores, self._refusals = cores or {}, refusals or {}
        for name in names:
            self.join(name)

    def at(self, at_ns: int, then: Callable[[], None]) -> None:
        """Have something happen at a moment."""
        heapq.heappush(self._due, (at_ns, next(self._order), then))

    def after(self, by_ns: int, then: Callable[[], None]) -> None:
        """Have something happen after a while."""
        self.at(self.now_ns + by_ns, then)

    def run(self, till: Callable[[], object] = lambda: False) -> list[ev.Event]:
        """Let time pass till nothing is due any more, or something holds; return the stream."""
        while self._due and not till():
            self.now_ns, _, then = heapq.heappop(self._due)
            then()
        return self.told

    # Hosts.

    def join(self, name: str) -> None:
        """Have a host there, and its clock measured a little later."""
        self.ahead_ns[name] = self._chance.randrange(-(10**6), 10**6) * SECOND
        self._engines[name] = LedEngine(
            lambda event: self._word(name, "up", lambda: self.hear(name, event)),
            lambda: self.now_ns + self.ahead_ns[name],
            self.after,
            self._lots(name),
            room=self._room,
            facts={"hostname": name, "cores": self._cores.get(name, 1)},
            refusals=self._refusals.get(name, 0),
            on_end=lambda: self._word(name, "up", lambda: self._end(name)),
        )
        self._carry_out(self.conductor.join(name, f"tcp://{name}"))
        self.after(self._delay_ns + 1, lambda: self.measure(name))

    def join_again(self, name: str) -> None:
        """Have a host come that was not there, or is no more; one that is there stays."""
        if name not in self._engines and not self.conductor.is_over:
            self.join(name)

    def measure(self, name: str, off_ns: int = 0) -> None:
        """Measure a host's clock."""
        clock = Clock(self.ahead_ns[name] + off_ns, max(self._delay_ns, abs(off_ns)))
        self._carry_out(self.conductor.measured(name, clock, self.now_ns))

    def lose(self, name: str, why: str = "nothing is heard of it") -> None:
        """Have a host lost, from one moment to the next."""
        if self._engines.pop(name, None) is not None:
            self._carry_out(self.conductor.lose(name, why, "", self.now_ns))

    def hear(self, name: str, event: ev.Event) -> None:
        """Have an event arrive that a host's engine told, or did not, by its own clock."""
        if name in self._engines:
            moved = shifted(event, self.conductor.shift_ns(name))
            self._carry_out(self.conductor.heard(name, moved, self.now_ns))

    def _end(self, name: str) -> None:
        if self._engines.pop(name, None) is not None:
            self._carry_out(self.conductor.ended(name, self.now_ns))

    def _word(self, name: str, way: str, then: Callable[[], None]) -> None:
        """Have a word arrive after those before it."""
        soonest_ns = self.now_ns + self._chance.randint(0, self._delay_ns)
        at_ns = self._arrived[name, way] = max(soonest_ns, self._arrived.get((name, way), 0))
        self.at(at_ns, then)

    # Who leads.

    def start(self, plan: RunPlan, *, interactive: bool = False) -> None:
        """Ask for a run."""
        start = commands.Start(plan=plan, interactive=interactive)
        name = f"run-{len(self.told)}"
        asked = Asked(start=start, run=name, at_ns=self.now_ns, wall_ns=self.now_ns + SECOND)
        self._carry_out(self.conductor.start(asked))

    def ask(self, command: commands.Command) -> None:
        """Ask for anything else."""
        self._carry_out(self.conductor.obey(command, self.now_ns))

    def _carry_out(self, instructions: list[Instruction]) -> None:
        for instruction in instructions:
            match instruction:
                case Tell(event=event):
                    self.told.append(event)
                    self.on_told(event)
                case Send(host=name, command=command):
                    self.sent.append((self.now_ns, instruction))
                    self._word(name, "down", lambda name=name, command=command: (
                        self._engines[name].obey(command) if name in self._engines else None
                    ))  # fmt: skip

    def of(self, kind: type) -> list:
        """What was told of a kind."""
        return [event for event in self.told if isinstance(event, kind)]

    def sent_of(self, kind: type) -> list[Send]:
        """What was sent of a kind."""
        return [send for _, send in self.sent if isinstance(send.command, kind)]


def quick(seed: int, *, trouble: float = 0.2) -> Iterator[Fate]:
    """Yield fates without end, any of which may fail or hang."""
    chance = random.Random(seed)
    while True:
        fate = Fate(boot_ns=chance.randint(1, 9) * SECOND, up_ns=chance.randint(1, 900) * MS)
        match chance.random() / trouble if trouble else 1:
            case place if place < 0.5:
                yield replace(fate, boot_ns=None)
            case place if place < 1:
                yield replace(fate, fails=True)
            case _:
                yield fate
