"""Which workers of a cluster stand for hosts, and what those are called: pure, from what it says.

Several workers at one address are one host. It goes by the name that a person gave its worker,
else by its own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vmtiming_tui.escape import one_line

_MOST_NAMED = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A host of the cluster: its name, and its worker's address."""

    name: str
    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker as the scheduler knows it: ``name`` is what a person called it, or empty."""

    address: str
    place: str
    name: str = ""


def workers_of(identity: Mapping[str, Any]) -> list[Worker]:
    """Return one worker for each address, of what ``Scheduler.identity`` says, in a lasting order.

    Without a name of its own a worker is called by its address; those that a cluster starts, by a
    number.
    """
    found: dict[str, Worker] = {}
    for address, told in identity["workers"].items():
        name = told.get("name")
        is_given = isinstance(name, str) and "://" not in name and not name.isdecimal()
        worker = Worker(
            address=address, place=str(told.get("host", address)), name=name if is_given else ""
        )
        rival = found.get(worker.place)
        if rival is None or _rank(worker) < _rank(rival):
            found[worker.place] = worker
    return sorted(found.values(), key=_rank)


def _rank(worker: Worker) -> tuple[bool, str, str]:
    return (not worker.name, worker.name, worker.address)


def named(
    workers: Iterable[Worker], hostnames: Mapping[str, str], taken: Iterable[str] = ()
) -> list[Member]:
    """Return hosts with names that are no other's; ``hostnames`` go by their workers' addresses.

    ``taken`` are names that others have.
    """
    used, members = set(taken), []
    for worker in workers:
        said = worker.name or hostnames.get(worker.address, "") or worker.place
        plain = "-".join(one_line(said, _MOST_NAMED).split()) or worker.place
        name, count = plain, 1
        while name in used:
            count += 1
            name = f"{plain}-{count}"
        used.add(name)
        members.append(Member(name=name, worker=worker.address))
    return members
