"""What a leader needs of each host, however it is reached."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Lines of a host's engine, in order and without their newlines.

    ``first`` is the number of the first of them, counted from 0; ``ended`` says that none follow.
    """

    first: int
    lines: tuple[bytes, ...] = ()
    ended: bool = False


class HostLink(Protocol):
    """One host with an engine of its own; every method raises ``HostError`` once it is lost."""

    @property
    def name(self) -> str:
        """What the host is called; no other of the run is."""

    @property
    def address(self) -> str:
        """Where it is reached."""

    async def send(self, lines: tuple[bytes, ...]) -> None:
        """Hand commands to its engine, in this order and each once."""

    async def next(self, after: int) -> Lines:
        """Return the lines numbered ``after`` and up, as soon as there is one.

        Asking again for the same brings the same; those before ``after`` are forgotten.
        """

    async def clock_ns(self) -> int:
        """Return its ``CLOCK_MONOTONIC``, as late in its turn and as soon in ours as can be."""
