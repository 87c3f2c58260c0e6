"""Schedulers to meet hosts at: one that runs, or one that is started for the time of a run."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any, TypeAlias

from distributed import Nanny, Scheduler, Security, SpecCluster
from distributed.deploy import ssh

from vmtiming_tui.cluster.dask_hosts.own_settings import CONNECT_LIMIT_S, LastWords
from vmtiming_tui.cluster.dask_hosts.pretended_host import TERMINAL_SIGNALS
from vmtiming_tui.errors import ConfigError, Problem
from vmtiming_tui.escape import one_line, printable
from vmtiming_tui.model.cluster import Cluster, Reach

Place: TypeAlias = str | SpecCluster

_CLOSE_LIMIT_S = 20.0
_SSH_LIMITS = {"connect_timeout": CONNECT_LIMIT_S, "login_timeout": CONNECT_LIMIT_S}
_SAYS_NOTHING = "failed to start"
_NO_HTTP: dict[str, Any] = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
_PRELOAD_LOCAL = "vmtiming_tui.cluster.dask_hosts.pretended_host"

# A front end that is killed closes its ssh connections, and nothing more: what runs on a host sees
# the end of its standard input. It must do without our package, without an apostrophe, and without
# an empty line, which Dask takes for a failure where it is logged.
_ENDS_WITH_SSH = """\
import os, sys, threading
def dask_setup(server):
    def wait():
        sys.stdin.read()
        os._exit(0)
    threading.Thread(target=wait, daemon=True).start()"""


@asynccontextmanager
async def scheduler_of(cluster: Cluster, words: LastWords) -> AsyncIterator[Place]:
    """Yield what a client of Dask is to be connected to; on leaving, nothing we started is left.

    Raises ``ConfigError`` with what kept each host from being reached.
    """
    match cluster.reach:
        case Reach.LOCAL:
            async with _started(_local(cluster.workers), [], words) as local:
                yield local
        case Reach.SSH:
            troubles: list[str] = []
            async with _started(_by_ssh(cluster.names, troubles), troubles, words) as remote:
                yield remote
        case _:
            yield cluster.address


def tls_trouble(*roles: str) -> str:
    """Return what Dask's configuration lacks for TLS in each of these roles, or an empty text."""
    try:
        security = Security()
        contexts = {role: security.get_connection_args(role)["ssl_context"] for role in roles}
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        return f"what it names cannot be read: {_plain(error)}"
    bare = [role for role, context in contexts.items() if context is None]
    return f"it has no ca-file, or no cert of {', '.join(bare)}" if bare else ""


def _local(count: int) -> SpecCluster:
    """Return workers of this host that pretend to be hosts: each has an address of its own."""
    workers = {
        f"local{number}": {
            "cls": Nanny,
            "options": {
                "host": f"127.0.0.{number + 1}",
                "name": f"local{number}",
                "nthreads": 1,
                "memory_limit": 0,
                "silence_logs": logging.CRITICAL,
                "preload": [_PRELOAD_LOCAL],
                **_NO_HTTP,
                "dashboard_address": f"127.0.0.{number + 1}:0",
            },
        }
        for number in range(1, count + 1)
    }
    options = {"host": "127.0.0.1", "port": 0, **_NO_HTTP}
    return SpecCluster(workers, {"cls": Scheduler, "options": options}, asynchronous=True)


def _by_ssh(names: Sequence[str], troubles: list[str]) -> SpecCluster:
    """Return a worker on each of these hosts, and a scheduler on the first, as ``SSHCluster`` has.

    That one gives all workers the same options, and so no names. Raises nothing: ``troubles`` takes
    what keeps a host from taking part.
    """
    is_tls = not tls_trouble("client", "scheduler", "worker")
    common = {**_NO_HTTP, **({"protocol": "tls://"} if is_tls else {})}

    def options(host: str, **more: Any) -> dict[str, Any]:
        listening = {"host": host} if _is_address(host) else {}  # else Dask finds out where
        return {
            "address": host,
            "connect_options": _SSH_LIMITS,
            "troubles": troubles,
            "kwargs": {**common, **listening, **more},
        }

    workers = {
        name: {
            "cls": _SshWorker,
            "options": options(
                name, name=name, nthreads=1, memory_limit=0, preload_nanny=[_ENDS_WITH_SSH]
            ),
        }
        for name in names
    }
    scheduler = options(names[0], port=0, preload=[_ENDS_WITH_SSH])
    return SpecCluster(workers, {"cls": _SshScheduler, "options": scheduler}, asynchronous=True)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


class _Telling(ssh.Process):
    """What is started by ssh, and tells on which host it could not be, and why."""

    def __init__(self, *args: Any, troubles: list[str], **options: Any) -> None:
        super().__init__(*args, **options)  # type: ignore[no-untyped-call]
        self._troubles = troubles

    async def start(self) -> None:
        """Start it."""
        host = str(self.address)
        try:
            await super().start()  # type: ignore[no-untyped-call]
        except Exception as error:
            self._troubles.append(f"host {printable(host)}: {_plain(error)}")
            raise


class _SshWorker(_Telling, ssh.Worker):
    """A worker on a host."""


class _SshScheduler(_Telling, ssh.Scheduler):
    """The scheduler, on the first of them."""


@asynccontextmanager
async def _started(
    cluster: SpecCluster, troubles: Sequence[str], words: LastWords
) -> AsyncIterator[SpecCluster]:
    """Start a cluster, and end it however far it came.

    What starts is let come to its end first: half of a cluster cannot be closed.
    """
    starting = asyncio.create_task(_start(cluster))
    try:
        try:
            await asyncio.shield(starting)
        except Exception as error:
            why = troubles or [f"the cluster did not start: {_plain(error)}"]
            if words.lines and _SAYS_NOTHING in str(error):
                why = [f"{each}: {one_line(words.lines[-1])}" for each in why]
            raise ConfigError([Problem("hosts", f"--hosts: {each}") for each in why]) from error
        yield cluster
    finally:
        await asyncio.wait([starting])
        if not starting.cancelled():
            starting.exception()  # who was interrupted did not ask for it
        with contextlib.suppress(Exception):  # of what is gone nothing is left to close
            async with asyncio.timeout(_CLOSE_LIMIT_S):
                await _closed(cluster)


async def _start(cluster: SpecCluster) -> None:
    """Start a cluster, whose processes hear nothing of the terminal's signals meanwhile.

    A signal for us comes when they are there: only then can they be ended in order.
    """
    held = signal.pthread_sigmask(signal.SIG_BLOCK, TERMINAL_SIGNALS)
    try:
        await cluster
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


async def _closed(cluster: SpecCluster) -> None:
    closing = cluster.close()
    assert closing is not None  # noqa: S101  it is, where a cluster is asynchronous
    await closing


def _plain(error: Exception) -> str:
    return one_line(str(error) or type(error).__name__)
