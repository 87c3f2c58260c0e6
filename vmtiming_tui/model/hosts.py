"""The hosts of a run, as far as its events have told them."""

from dataclasses import dataclass, field, fields, replace
from typing import Self

from vmtiming_tui.model.events import (
    BootFile,
    ClockMeasured,
    FilesSeen,
    HostJoined,
    HostLost,
    HostSample,
    RunStarted,
)
from vmtiming_tui.model.host import READINGS, HostFacts


@dataclass(slots=True)
class Host:
    """One host of a run; the only one has no ``name`` of its own.

    ``clock`` is the newest measurement of its clock, ``clocks`` the newest of each offset that was
    taken off its stamps; both are of several hosts alone. ``files`` are what its VMs boot from.
    ``losses`` are all the times it was lost, ``lost`` is the one since which it has not joined
    again.
    """

    name: str = ""
    address: str = ""
    facts: HostFacts = field(default_factory=HostFacts)
    accel: str = ""
    accel_reason: str = ""
    qemu_version: str = ""
    tool_version: str = ""
    joined_ns: int = 0
    samples: list[HostSample] = field(default_factory=list)
    clock: ClockMeasured | None = None
    clocks: dict[int, ClockMeasured] = field(default_factory=dict)
    lost: HostLost | None = None
    losses: list[HostLost] = field(default_factory=list)
    files: tuple[BootFile, ...] = ()

    @property
    def clock_error_ns(self) -> int:
        """What its stamps may be off by against those of others; 0 of the only host."""
        return max((clock.error_ns for clock in self.clocks.values()), default=0)

    @property
    def sample(self) -> HostSample | None:
        """How busy it was last."""
        return self.samples[-1] if self.samples else None


class Hosts(dict[str, Host]):
    """Hosts by name, in the order they were told; a run on one host has one, named ``""``."""

    @classmethod
    def of_one(cls, run: RunStarted) -> Self:
        """Return the only host of a run, till others are told of."""
        return cls({"": _host(run, run.host)})

    @property
    def are_many(self) -> bool:
        """Whether the run is one of several hosts, even where only one of them is there."""
        return any(self)

    @property
    def lost(self) -> int:
        """How many of them are lost."""
        return sum(host.lost is not None for host in self.values())

    @property
    def facts(self) -> HostFacts:
        """What is true of all of them; a fact in which they differ is not known of all.

        How busy each was at its start is a reading of that host alone, even where two are alike.
        """
        told = [host.facts for host in self.values()]
        if len(told) < 2:
            return told[0] if told else HostFacts()
        names = [each.name for each in fields(HostFacts) if each.name not in READINGS]
        alike = {
            name: getattr(told[0], name)
            for name in names
            if all(getattr(each, name) == getattr(told[0], name) for each in told)
        }
        return HostFacts(**{**alike, "hostname": ", ".join(self)})

    def see_files(self, event: FilesSeen) -> None:
        """Take in what the VMs of a host boot from, if it is one of them."""
        host = self.get(event.host)
        if host is not None:
            host.files = tuple(dict.fromkeys((*host.files, *event.files)))

    def take(self, event: HostJoined | ClockMeasured | HostLost | HostSample) -> bool:
        """Take in what an event tells of a host; return whether it is one of them."""
        if isinstance(event, HostJoined):
            before = self.get(event.host, Host())
            self[event.host] = replace(
                _host(event, event.facts),
                name=event.host,
                address=event.address,
                samples=before.samples,
                clocks=before.clocks,
                losses=before.losses,
                files=before.files,
            )
            return True
        host = self.get(event.host)
        if host is None:
            return False
        match event:
            case ClockMeasured():
                host.clock = event
                host.clocks[event.applied_ns] = event
            case HostLost():
                host.lost = event
                host.losses.append(event)
            case HostSample():
                host.samples.append(event)
        return True


def _host(told: RunStarted | HostJoined, facts: HostFacts) -> Host:
    """Return a host by what either event tells alike."""
    return Host(
        facts=facts,
        accel=told.accel,
        accel_reason=told.accel_reason,
        qemu_version=told.qemu_version,
        tool_version=told.tool_version,
        joined_ns=told.at_ns,
    )
