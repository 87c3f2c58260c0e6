"""The QMP controller of one QEMU: greeting, commands, events, and how its session ended."""

import asyncio
import contextlib
import json
import logging
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from qemu.qmp import ConnectError, ExecInterruptedError, ExecuteError, QMPClient, QMPError, Runstate
from qemu.qmp.message import Message

from vmtiming_tui.engine.qmp.event_stamps import StampReader, stamp_of
from vmtiming_tui.engine.qmp.message_filter import Sieve
from vmtiming_tui.errors import QemuError
from vmtiming_tui.escape import one_line

_MAX_MESSAGE_BYTES = 1 << 20
_CLOSE_LIMIT_S = 2.0
_MAX_LEVELS = 8
_MAX_DATA_BYTES = 4096
_MAX_TEXT = 500
_LINES_A_TURN = 64
_REST_S = 0.01
_FAULTS = (
    QMPError, EOFError, OSError, ValueError, AssertionError, KeyError, TypeError, RecursionError
)  # fmt: skip

# Its troubles come back as exceptions, worded for the user; a terminal may be a dashboard.
logging.getLogger("qemu.qmp").addHandler(logging.NullHandler())
logging.getLogger("qemu.qmp").propagate = False


@dataclass(frozen=True, slots=True)
class QmpEvent:
    """What QEMU said by itself; ``qemu_ns`` is its own stamp on our clock, where believable.

    ``cut`` says that there was more data than is taken of an event.
    """

    received_ns: int
    name: str
    data: Mapping[str, Any]
    qemu_ns: int | None
    cut: bool = False


def _is_shallow(value: object, levels: int = _MAX_LEVELS) -> bool:
    """Return whether a value is no deeper than QEMU's own ever are."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(_is_shallow(each, levels - 1) for each in inner)


def bounded(data: object) -> tuple[dict[str, Any], bool]:
    """Return what of an event's data is kept, at most 4 KiB as JSON, and whether that is not all.

    Long texts are cut short; other values are kept whole or not at all.
    """
    if not isinstance(data, dict):
        return {}, True
    kept: dict[str, Any] = {}
    cut, room = False, _MAX_DATA_BYTES
    for key, value in data.items():
        short = value[:_MAX_TEXT] if isinstance(value, str) else value
        size = len(json.dumps({key: short})) if _is_shallow(short) else room + 1
        cut |= short is not value or size > room
        if size <= room:
            kept[key] = short
            room -= size
    return kept, cut


def _reason(error: BaseException) -> str:
    cause = getattr(error, "exc", None) or error.__cause__ or error
    if isinstance(cause, EOFError):
        return "it closed the connection"
    if isinstance(cause, ValueError) and "chunk" in str(cause):
        return f"it wrote more than {_MAX_MESSAGE_BYTES >> 20} MiB without the end of a message"
    if isinstance(cause, (QMPError, ValueError, RecursionError)):
        return "it does not speak QMP"
    return one_line(str(cause).strip().partition("\n")[0]) or type(cause).__name__


def _look_at(task: "asyncio.Task[None]") -> None:
    """Have an error looked at that comes too late to be of use."""
    if not task.cancelled():
        task.exception()


class _Client(QMPClient):
    """Reads no more of its QEMU's messages than a sieve lets through, and nothing after a flood."""

    def __init__(self, name: str, sieve: Sieve, on_flood: Callable[[], None]) -> None:
        super().__init__(name, readbuflen=_MAX_MESSAGE_BYTES)
        self._sieve = sieve
        self._on_flood = on_flood
        self._lines = 0
        self._resting = False

    async def _do_recv(self) -> Message:
        while True:
            line = await self._readline()
            self._lines += 1
            if self._lines % _LINES_A_TURN == 0:
                await asyncio.sleep(0)  # lines that are there already are read without a pause
            passes = self._sieve.passes(line)
            if self._sieve.is_flooded:
                self._on_flood()
                self._transport.pause_reading()
                await asyncio.get_running_loop().create_future()  # till the session is ended
            if passes:
                return Message(line)
            self._rest()

    @property
    def _transport(self) -> asyncio.ReadTransport:
        assert self._writer is not None  # noqa: S101  there is one while something is read
        return cast(asyncio.ReadTransport, self._writer.transport)

    def _rest(self) -> None:
        """Let messages gather: to wake up for each of a flood costs more than to read it."""
        if not self._resting:
            self._resting = True
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(_REST_S, self._go_on, self._transport)

    def _go_on(self, transport: asyncio.ReadTransport) -> None:
        self._resting = False
        if not self._sieve.is_flooded:
            transport.resume_reading()

    # Written out for a log, each message would cost more than all else that is done with it.

    def _cb_inbound(self, msg: Message) -> Message:
        return msg

    def _cb_outbound(self, msg: Message) -> Message:
        return msg


class QmpController:
    """Speaks to one QEMU over an inherited socket pair.

    ``on_event`` is called as each event is read, ``on_lost`` once, when an established session is
    over, with the reason in words, and ``on_flood`` once, where QEMU says so much that it is no
    longer listened to. ``close`` ends the session.
    """

    def __init__(
        self,
        sock: socket.socket,
        name: str,
        *,
        on_event: Callable[[QmpEvent], None],
        on_lost: Callable[[str], None],
        on_flood: Callable[[], None],
        stamps: StampReader,
    ) -> None:
        self._sock = sock
        self._on_event = on_event
        self._on_lost = on_lost
        self._stamps = stamps
        self._sieve = Sieve()
        self._client = _Client(name, self._sieve, on_flood)
        # The filter sees each event as it is read, and lets none into a queue that could grow.
        self._client.events.event_filter = self._hear
        self._owner: asyncio.Task[None] | None = None
        self._closing: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def left_out(self) -> Mapping[str, int]:
        """How many events were not looked into, by name."""
        return self._sieve.left_out

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
            raise QemuError(f"QEMU refused {command}: {one_line(str(error))}") from None
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
        data, cut = bounded(message.get("data", {}))
        wall_ns = stamp_of(message.get("timestamp"))
        self._on_event(
            QmpEvent(
                received_ns,
                one_line(str(message.get("event")), 100),
                data,
                None if wall_ns is None else self._stamps.to_monotonic(wall_ns, received_ns),
                cut,
            )
        )
        return False
