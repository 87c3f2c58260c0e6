"""``serve``: a server of pages from its first word to its end."""

import asyncio
import logging
import os
import secrets
import signal
import socket
from collections.abc import Callable
from ipaddress import ip_address

from aiohttp import web

from vmtiming_tui.errors import VmTimingError
from vmtiming_tui.escape import printable
from vmtiming_tui.serving.server import Server
from vmtiming_tui.serving.viewers import viewer_command

_NICENESS = 10
_TOKEN_BYTES = 24
_END_LIMIT_S = 2.0


def serve_pages(
    run: str, host: str, port: int, *, tell: Callable[[str], None], say: Callable[[str], None]
) -> None:
    """Serve a run, or the newest one where ``run`` is empty, till a signal ends it.

    The address is told, and what else there is to know is said.

    It gives way to whatever boots on this host, as all its viewers do. Raises ``VmTimingError``
    where it cannot be reached at ``host`` and ``port``.
    """
    os.nice(_NICENESS)
    logging.getLogger("textual-serve").addHandler(logging.NullHandler())  # a closed page is no news
    asyncio.run(_serve(run, host, port, tell, say))


async def _serve(
    run: str, host: str, port: int, tell: Callable[[str], None], say: Callable[[str], None]
) -> None:
    only_here = _is_loopback(host)
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    server = Server(viewer_command(run), token, only_here=only_here)
    runner = web.AppRunner(
        server.application(), access_log=None, shutdown_timeout=_END_LIMIT_S, handle_signals=False
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            is_name = isinstance(error, socket.gaierror)
            why = error.strerror if is_name or not error.errno else os.strerror(error.errno)
            raise VmTimingError(
                f"{printable(host)}, port {port}, cannot be served at: {why}",
                hint="--port 0 takes any that is free; --host takes an address of this host",
            ) from None
        number = runner.addresses[0][1]
        tell(f"http://{_name_for(host)}:{number}/{token}/")
        say("Who has this address can watch, and nobody can change anything. Ctrl-C ends it.")
        if not only_here:
            say("Warning: it is reached from other hosts, and nothing on the way is encrypted.")
        await _signalled()
    finally:
        await runner.cleanup()


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _name_for(host: str) -> str:
    """Return what to call this host in an address that others are given."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return socket.gethostname()
    return f"[{host}]" if address.version == 6 else host


async def _signalled() -> None:
    loop, came = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, came.set)
    await came.wait()
