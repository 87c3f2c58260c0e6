"""Finding out who the hosts of a cluster are, and whether they can take part."""

import asyncio
import socket
from collections.abc import Collection, Sequence
from importlib import metadata
from typing import Any

from distributed import Client

from vmtiming_tui.cluster.dask_hosts.members import Member, Worker, named, workers_of
from vmtiming_tui.cluster.dask_hosts.versions import (
    PACKAGE,
    own_version_problems,
    version_warnings,
)
from vmtiming_tui.errors import ConfigError, Problem, VmTimingError
from vmtiming_tui.escape import one_line

_NO_WORKERS_HINT = "start one on each host: dask worker SCHEDULER"


async def workers_there(client: Client) -> list[Worker]:
    """Return the workers that stand for hosts, one for each address."""
    scheduler: Any = client.scheduler
    return workers_of(await scheduler.identity(n_workers=-1))


async def members_of(
    client: Client, workers: Sequence[Worker], taken: Collection[str] = ()
) -> list[Member]:
    """Return hosts by their names, which are none of those that are ``taken``.

    Raises ``ConfigError`` with each that has not our version, or cannot be reached from here: what
    its scheduler can need not be what we can.
    """
    addresses = [worker.address for worker in workers]
    hostnames = await client.run(socket.gethostname, workers=addresses, on_error="ignore")
    members = named(workers, hostnames, taken)
    own = await client.run(metadata.version, PACKAGE, workers=addresses, on_error="return")
    problems = own_version_problems({each.name: own.get(each.worker) for each in members})
    if not problems:
        reaching = await asyncio.gather(*(_reach_problem(client, each) for each in members))
        problems = [problem for problem in reaching if problem]
    if problems:
        raise ConfigError(problems)
    return members


async def _reach_problem(client: Client, member: Member) -> Problem | None:
    """Return why this host cannot speak with a worker itself, as all that follows does."""
    try:
        await client.rpc(member.worker).identity()
    except OSError as error:
        return Problem(
            "hosts",
            f"host {member.name}: its worker at {one_line(member.worker)} cannot be reached from "
            f"here: {one_line(str(error))}; open the way to it (dask worker --worker-port fixes "
            "the port)",
        )
    return None


async def everyone(client: Client) -> list[Member]:
    """Return all hosts there are.

    Raises ``ConfigError`` as ``members_of`` does, ``VmTimingError`` where there are none.
    """
    workers = await workers_there(client)
    if not workers:
        raise VmTimingError("the Dask scheduler has no workers", hint=_NO_WORKERS_HINT)
    return await members_of(client, workers)


async def unlike_versions(client: Client, members: Sequence[Member]) -> list[str]:
    """Return what hosts have in another version than this one, beside ours, a sentence each."""
    asked: Any = client.get_versions()
    versions = await asked
    told = {each.name: versions["workers"].get(each.worker, {}) for each in members}
    return version_warnings(versions["client"], told)
