"""One QMP session with one QEMU: greeting, commands, events, and how it ended."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from qemu.qmp import ConnectError, ExecInterruptedError, ExecuteError, QMPClient, QMPError, Runstate
from qemu.qmp.message import Message

from vmtiming_tui.engine.clock import StampReader, stamp_of
from vmtiming_tui.errors import QemuError
from vmtiming_tui.text import printable

_MAX_MESSAGE_BYTES = 1 << 20
_CLOSE_LIMIT_S = 2.0
_MAX_LEVELS = 16
_FAULTS = (
    QMPError, EOFError, OSError, ValueError, AssertionError, KeyError, TypeError, RecursionError
)  # fmt: skip

# Its troubles come back as exceptions, worded for the user; a terminal may be a dashboard.
logging.getLogger("qemu.qmp").addHandler(logging.NullHandler())
logging.getLogger("qemu.qmp").propagate = False


@dataclass(frozen=True, slots=True)
class QmpEvent:
    """What QEMU said by itself; ``qemu_ns`` is its own stamp on our clock, where believable."""

    received_ns: int
    name: str
    data: Mapping[str, Any]
    qemu_ns: int | None


def _is_shallow(value: object, levels: int = _MAX_LEVELS) -> bool:
    """Return whether a value is no deeper than QEMU's own ever are."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(_is_shallow(each, levels - 1) for each in inner)


def _reason(error: BaseException) -> str:
    cause = getattr(error, "exc", None) or error.__cause__ or error
    if isinstance(cause, EOFError):
        return "it closed the connection"
    if isinstance(cause, ValueError) and "chunk" in str(cause):
        return f"it wrote more than {_MAX_MESSAGE_BYTES >> 20} MiB without the end of a message"
    if isinstance(cause, (QMPError, ValueError, RecursionError)):
        return "it does not speak QMP"
    return printable(str(cause).strip().partition("\n")[0])[:300] or type(cause).__name__


def _look_at(task: "asyncio.Task[None]") -> None:
    """Have an error looked at that comes too late to be of use."""
    if not task.cancelled():
        task.exception()


class QmpController:
    """Speaks to one QEMU over an inherited socket pair.

    ``on_event`` is called as each event is read, ``on_lost`` once, when an established session is
    over, with the reason in words. ``close`` ends the session.
    """

    def __init__(
        self,
        sock: socket.socket,
        name: str,
        on_event: Callable[[QmpEvent], None],
        on_lost: Callable[[str], None],
        stamps: StampReader,
    ) -> None:
        self._sock = sock
        self._on_event = on_event
        self._on_lost = on_lost
        self._stamps = stamps
        self._client = QMPClient(name, readbuflen=_MAX_MESSAGE_BYTES)
        # The filter sees each event as it is read, and lets none into a queue that could grow.
        self._client.events.event_filter = self._hear
        self._owner: asyncio.Task[None] | None = None
        self._closing: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def is_connected(self) -> bool:
        """Whether commands can be sent."""
        return self._client.runstate is Runstate.RUNNING

    async def connect(self, limit_s: float) -> None:
        """Wait for the greeting and agree on capabilities; raise ``QemuError`` in words."""
        try:
            async with asyncio.timeout(limit_s):
                await self._client.connect(self._sock)
        except TimeoutError:
            raise QemuError(
                f"QEMU did not answer on its control socket (QMP) within {limit_s:g} s"
            ) from None
        except (ConnectError, *_FAULTS) as error:
            raise QemuError(f"QEMU's control socket (QMP) failed: {_reason(error)}") from None
        finally:
            # A peer that goes away as it agrees leaves a session too, though connecting failed.
            if self._client.runstate is not Runstate.IDLE:
                self._owner = asyncio.create_task(self._own())

    async def _own(self) -> None:
        """Hold the session: see its end, or make it, and disconnect exactly once."""
        ended = asyncio.create_task(self._ended())
        await asyncio.wait([ended, self._closing], return_when=asyncio.FIRST_COMPLETED)
        by_itself = ended.done()
        ended.cancel()
        await asyncio.wait([ended])
        why = await self._disconnect()
        if by_itself:
            self._on_lost(why)

    async def _ended(self) -> None:
        while self._client.runstate is Runstate.RUNNING:
            await self._client.runstate_changed()

    async def _disconnect(self) -> str:
        # Never cancelled: what it gathers would be left with errors nobody looks at. A peer that
        # does not read is cut off instead.
        ending = asyncio.create_task(self._client.disconnect())
        await asyncio.wait([ending], timeout=_CLOSE_LIMIT_S)
        if not ending.done():
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)
            await asyncio.wait([ending], timeout=_CLOSE_LIMIT_S)
        if not ending.done():
            ending.add_done_callback(_look_at)
            return "it did not close"
        try:
            ending.result()
        except _FAULTS as error:
            return _reason(error)
        return "it closed the connection"

    async def execute(
        self, command: str, arguments: Mapping[str, object] | None = None, *, limit_s: float
    ) -> object:
        """Run a command and return its answer; raise ``QemuError`` in words."""
        try:
            async with asyncio.timeout(limit_s):
                return await self._client.execute(command, arguments)
        except TimeoutError:
            raise QemuError(f"QEMU did not answer {command} within {limit_s:g} s") from None
        except ExecuteError as error:
            raise QemuError(f"QEMU refused {command}: {printable(str(error))[:300]}") from None
        except (ExecInterruptedError, *_FAULTS) as error:
            raise QemuError(f"QEMU's control socket (QMP) is gone: {_reason(error)}") from None

    async def close(self) -> None:
        """End the session, whatever its state."""
        if not self._closing.done():
            self._closing.set_result(None)
        if self._owner is not None:
            await asyncio.wait([self._owner])
        self._sock.close()

    def _hear(self, message: Message) -> bool:
        received_ns = time.monotonic_ns()
        name, data = message.get("event"), message.get("data", {})
        wall_ns = stamp_of(message.get("timestamp"))
        self._on_event(
            QmpEvent(
                received_ns,
                printable(str(name))[:100],
                data if isinstance(data, dict) and _is_shallow(data) else {},
                None if wall_ns is None else self._stamps.to_monotonic(wall_ns, received_ns),
            )
        )
        return False
