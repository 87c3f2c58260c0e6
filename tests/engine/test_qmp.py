"""A QMP session that is broken off at any moment leaves no error that nobody looks at."""

import asyncio
import contextlib
import gc
import json
import socket

import pytest

from vmtiming_tui.engine.qmp import controller as qmp_module
from vmtiming_tui.engine.qmp.controller import QmpController
from vmtiming_tui.engine.qmp.event_stamps import StampReader
from vmtiming_tui.errors import QemuError

GREETING = json.dumps({"QMP": {"version": {"qemu": {"major": 7}}, "capabilities": []}}).encode()


def quiet_controller(ours: socket.socket) -> QmpController:
    """Return a controller that tells nobody anything."""
    return QmpController(
        ours,
        "vm-0",
        on_event=lambda _: None,
        on_lost=lambda _: None,
        on_flood=lambda: None,
        stamps=StampReader(),
    )


@pytest.mark.parametrize("answers", [True, False])
@pytest.mark.parametrize("turns", [None, *range(8)])
async def test_a_peer_that_goes_away_while_it_is_connected_to(answers: bool, turns: int | None):
    """``turns`` of the loop later the connection is given up, too."""
    faults = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, fault: faults.append(fault))
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    qmp = quiet_controller(ours)
    connecting = asyncio.create_task(qmp.connect(30))
    theirs.sendall(GREETING + b"\r\n")
    asked = json.loads(await loop.sock_recv(theirs, 4096))
    if answers:
        theirs.sendall(json.dumps({"return": {}, "id": asked.get("id")}).encode() + b"\r\n")
    theirs.close()
    if turns is not None:
        for _ in range(turns):
            await asyncio.sleep(0)
        connecting.cancel()
    with contextlib.suppress(asyncio.CancelledError, QemuError):
        await connecting
    await qmp.close()
    del qmp, connecting
    for _ in range(20):  # whatever is still under way ends
        await asyncio.sleep(0)
    gc.collect()

    assert faults == []
    assert ours.fileno() == -1


async def test_a_session_that_does_not_close_is_left_to_itself(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(qmp_module, "_CLOSE_LIMIT_S", 0.01)
    ours, theirs = socket.socketpair()
    qmp = quiet_controller(ours)
    may_end, ended = asyncio.Event(), asyncio.Event()

    async def disconnect() -> None:
        await may_end.wait()
        ended.set()
        raise EOFError

    monkeypatch.setattr(qmp._client, "disconnect", disconnect)

    assert await qmp._disconnect() == "it did not close"
    may_end.set()
    async with asyncio.timeout(5):
        await ended.wait()  # it was not cancelled
    await qmp.close()
    theirs.close()
