"""When each VM of a storm may go."""

import asyncio
import os
from collections.abc import Collection

from vmtiming_tui.model.config import RunConfig


class _Places:
    """A semaphore that knows who holds it, so that giving back twice, or nothing, is harmless."""

    def __init__(self, count: int) -> None:
        self._semaphore = asyncio.Semaphore(count)
        self._holders: set[int] = set()

    async def take(self, vm: int) -> None:
        await self._semaphore.acquire()
        self._holders.add(vm)

    def give_back(self, vm: int) -> None:
        if vm in self._holders:
            self._holders.discard(vm)
            self._semaphore.release()


class Turns:
    """Keeps a host's order in a storm: how many boot at once, and how far apart they go.

    How many QEMUs may be starting up at once is bounded too, by the host's CPUs: that shortens no
    boot, since a VM's zero is its own ``cont``, and keeps a large storm from choking itself.
    """

    def __init__(self, config: RunConfig, vms: Collection[int]) -> None:
        self._stagger_s = config.stagger_s
        self._slots = _Places(config.at_once(len(vms)))
        self._launches = _Places(8 + 4 * len(os.sched_getaffinity(0)))
        self._next_turn = 0.0

    async def enter(self, vm: int) -> None:
        """Return when this VM may be one of those that boot."""
        await self._slots.take(vm)

    def leave(self, vm: int) -> None:
        """Say that the VM is decided: another may take its place."""
        self._slots.give_back(vm)
        self._launches.give_back(vm)

    async def begin_launch(self, vm: int) -> None:
        """Return when this VM's QEMU may start up."""
        await self._launches.take(vm)

    def end_launch(self, vm: int) -> None:
        """Say that the VM's QEMU is up, or lost."""
        self._launches.give_back(vm)

    async def go(self) -> None:
        """Return when a VM that may go is far enough from the one before it."""
        if self._stagger_s:
            loop = asyncio.get_running_loop()
            now = loop.time()
            turn = max(now, self._next_turn)
            self._next_turn = turn + self._stagger_s
            await asyncio.sleep(turn - now)
