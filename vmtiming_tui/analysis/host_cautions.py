"""What to keep in mind of the hosts: how quiet each was, how alike they are, and who was lost.

Of several hosts each answers for itself; those of which the same is to be said are named together,
with the figures of the one where it is worst.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from vmtiming_tui.analysis.conditions import conditions_of
from vmtiming_tui.analysis.hosts import (
    alike,
    by_host,
    go_skews,
    named_hosts,
)
from vmtiming_tui.escape import plural, were
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.hosts import Host

BUSY_LOAD = 0.25
BUSY_PSI_PERCENT = 10.0
STRAINED_PSI_PERCENT = 20.0
WAITED_SHARE = 0.1
LEAST_SKEW_NS = 1_000_000
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class _Said:
    """What is said of one host; what is ``about`` the same is said of several at once."""

    about: str
    text: str
    how_much: float = 0.0


def host_cautions(fleet: Fleet, attempts: Sequence[Attempt]) -> Iterator[str]:
    """Yield what makes figures doubtful that these attempts' hosts have, or have not."""
    here = by_host(attempts)
    yield from _lost(fleet)
    yield from _unlike(fleet)
    yield from _files(fleet)
    yield from _clocks(fleet, attempts)
    yield from _of_each(fleet, lambda host: _host(fleet, host, here.get(host.name, [])))


def size_cautions(fleet: Fleet) -> Iterator[str]:
    """Yield which hosts were to hold more than they have."""
    placed = _placed(fleet)
    yield from _of_each(fleet, lambda host: _size(fleet, host, placed.get(host.name, 0)))


def _of_each(fleet: Fleet, said_of: Callable[[Host], Iterator[_Said]]) -> Iterator[str]:
    """Yield what is said of each host, those together of which the same is said."""
    found: dict[str, list[tuple[Host, _Said]]] = {}
    for host in fleet.hosts.values():
        for said in said_of(host):
            found.setdefault(said.about, []).append((host, said))
    for told in found.values():
        worst, most = max(told, key=lambda each: each[1].how_much)
        if not fleet.hosts.are_many:
            yield most.text
            continue
        which = named_hosts([host.name for host, _ in told])
        are_unlike = len({said.text for _, said in told}) > 1
        yield f"{which}: {most.text}{f' (most on host {worst.name})' if are_unlike else ''}"


def _host(fleet: Fleet, host: Host, attempts: Sequence[Attempt]) -> Iterator[_Said]:
    facts = host.facts
    pressed = [
        f"{name} pressure {percent:.0f} %"
        for name, percent in facts.psi.items()
        if percent >= BUSY_PSI_PERCENT
    ]
    if facts.cores and facts.load1 >= BUSY_LOAD * facts.cores:
        pressed.insert(0, f"load {facts.load1:.2f} on {plural(facts.cores, 'core')}")
    if pressed:
        yield _Said(
            "busy",
            f"the host was busy before the first storm ({', '.join(pressed)}); let it settle",
            max([facts.load1 / max(facts.cores, 1), *facts.psi.values()]),
        )
    yield from _during(fleet, host, attempts)
    if facts.governor not in ("", "performance"):
        yield _Said(
            f"governor {facts.governor}",
            f"the CPU governor is {facts.governor}; clocks change while VMs boot: "
            "cpupower frequency-set -g performance",
        )
    if facts.virtualised:
        yield _Said(
            "virtualised",
            "the host is itself a virtual machine; its neighbours show in these figures",
        )
    if any(conditions_of(fleet, attempt).accel == "tcg" for attempt in attempts[:1]):
        yield _Said(
            "tcg",
            "TCG emulates the CPU in software: compare these figures with other TCG runs only",
        )


def _during(fleet: Fleet, host: Host, attempts: Sequence[Attempt]) -> Iterator[_Said]:
    for name, what, help_ in (
        ("psi_memory", "memory", "boot fewer VMs at once or give them less memory"),
        ("psi_io", "disk", "keep the images on a faster disk or in memory"),
    ):
        seen = [value for each in host.samples if (value := getattr(each, name)) is not None]
        if seen and max(seen) >= STRAINED_PSI_PERCENT:
            yield _Said(
                what,
                f"the host waited for its {what} (pressure up to {max(seen):.0f} %); {help_}",
                max(seen),
            )
    run_ns = sum(attempt.usage.vcpu_run_ns for attempt in attempts if attempt.usage)
    wait_ns = sum(attempt.usage.vcpu_wait_ns for attempt in attempts if attempt.usage)
    if run_ns and wait_ns / (run_ns + wait_ns) >= WAITED_SHARE:
        share = 100 * wait_ns / (run_ns + wait_ns)
        variants = fleet.plan.variants if fleet.plan is not None else ()
        at_once = [variant.config.at_once(variant.config.number) for variant in variants]
        help_ = (
            "let nothing else run on the host"
            if max(at_once, default=2) == 1
            else "--parallel boots fewer at once"
        )
        yield _Said(
            "waited",
            f"the VMs waited for a free core {share:.0f} % of the time they could have run; "
            f"{help_}",
            share,
        )


def _size(fleet: Fleet, host: Host, placed: int) -> Iterator[_Said]:
    """Say where a host has less than its VMs may take, ``placed`` at most of a storm."""
    plan, facts = fleet.plan, host.facts
    if plan is None:
        return
    configs = [variant.config for variant in plan.variants]
    most = placed if fleet.hosts.are_many else plan.number
    vcpus = max(min(most, config.at_once(config.number)) * config.smp for config in configs)
    if facts.cores and vcpus > facts.cores:
        yield _Said(
            "vcpus",
            f"up to {vcpus} vCPUs share {plural(facts.cores, 'core')}: boot times include waiting "
            "for one another",
            vcpus / facts.cores,
        )
    rooms = [storm.room for storm in fleet.storms.values() if storm.room is not None]
    asked = max(min([most, config.held, *rooms]) * config.memory_mib for config in configs)
    free_bytes = facts.memory_available_bytes
    if free_bytes and asked * _MIB > free_bytes:
        yield _Said(
            "memory",
            f"the VMs may take {asked} MiB and the host had {free_bytes / _MIB:.0f} MiB free: "
            "it may swap, or end a VM",
            asked * _MIB / free_bytes,
        )


def _placed(fleet: Fleet) -> Counter[str]:
    """Return the most VMs that each host has of a storm."""
    most = Counter[str]()
    for storm in fleet.storms.values():
        most |= Counter(attempt.host for attempt in storm.attempts.values())
    return most


def _lost(fleet: Fleet) -> Iterator[str]:
    zero_ns = fleet.run.at_ns if fleet.run else 0
    lost: dict[str, dict[str, int]] = {}
    for host in fleet.hosts.values():
        for loss in host.losses:
            lost.setdefault(loss.why, {}).setdefault(host.name, loss.at_ns)
    for why, hosts in lost.items():
        first = ", the first" if len(hosts) > 1 else ""
        at_s = (min(hosts.values()) - zero_ns) / 1e9
        yield (
            f"{named_hosts(hosts)} {were(len(hosts))} lost{first} at {at_s:.1f} s ({why}): that "
            "VMs did not boot for that says nothing of how long a boot takes there"
        )


def _unlike(fleet: Fleet) -> Iterator[str]:
    """Say in what hosts of one run differ that boot times depend on."""
    hosts = list(fleet.hosts.values())
    differing = []
    for name, fact in (
        ("CPU", lambda host: host.facts.cpu_model),
        ("cores", lambda host: str(host.facts.cores or "")),
        ("kernel", lambda host: host.facts.kernel),
        ("QEMU", lambda host: host.qemu_version),
        ("accelerator", lambda host: host.accel),
        ("vm-timing-report", lambda host: host.tool_version),
    ):
        found = alike(hosts, fact)
        if len(found) > 1:
            words = ", ".join(f"{told} on {named_hosts(who)}" for told, who in found.items())
            differing.append(f"{name} ({words})")
    if differing:
        yield (
            f"the hosts are unlike: {'; '.join(differing)}; figures over all of them depend on "
            "which VMs boot where, so read those of each host"
        )


def _files(fleet: Fleet) -> Iterator[str]:
    """Say which files that VMs boot from are not of one size on all hosts.

    Their times say nothing: what was copied is of another time and the same all the same.
    """
    roles = dict.fromkeys(file.role for host in fleet.hosts.values() for file in host.files)
    for role in roles:
        sizes: dict[str, list[str]] = {}
        for host in fleet.hosts.values():
            told = [f"{file.size_bytes:,}" for file in host.files if file.role == role]
            if told:
                sizes.setdefault(" and ".join(sorted(set(told))), []).append(host.name)
        if len(sizes) > 1:
            words = ", ".join(f"{size} bytes on {named_hosts(who)}" for size, who in sizes.items())
            yield f"hosts boot from different files: the {role} has {words}"


def _clocks(fleet: Fleet, attempts: Sequence[Attempt]) -> Iterator[str]:
    """Say where hosts' clocks are known less well than what is told by two of them."""
    skews = go_skews(fleet, attempts)
    unknown = [each for each in skews if each.uncertainty_ns > max(each.skew_ns, LEAST_SKEW_NS)]
    if not unknown:
        return
    worst = max(unknown, key=lambda each: each.uncertainty_ns)
    unsure = max(fleet.hosts.values(), key=lambda host: host.clock_error_ns)
    yield (
        f"hosts let their VMs go {worst.skew_ns / 1e6:.1f} ms apart, as far as their clocks tell: "
        f"these are known to {worst.uncertainty_ns / 1e6:.1f} ms only, that of host {unsure.name} "
        f"the least ({unsure.clock_error_ns / 1e6:.1f} ms); a boot time rests on one clock and "
        "is exact"
    )
