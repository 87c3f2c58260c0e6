"""Why the slowest VM was slow: in a sentence after every run, and in lines beside another run."""

from vmtiming_tui.analysis.straggler import MIN_NOISE_NS, BlamedUnit, Straggler
from vmtiming_tui.escape import plural, printable
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.report.wording import in_seconds, short_seconds

MAX_STAGES = 3
MAX_NAMED = 2
TELLING_SHARE = 0.1  # of the delay: a stage
UNIT_SHARE = 0.2  # of what its stage took more
LEAST_NS = 1_000_000
MUCH_WAITED = 0.2
MORE_WAITED = 0.05  # than the others' median


def straggler_words(found: Straggler) -> str:
    """Return in a sentence which VM was the slowest, by how much, and what made it so.

    Only what makes up a good part of its delay is named. Where none stands out it says that.
    """
    if not found.is_slow:
        return _much_the_same(found)
    parts = [_stage_words(found, stage) for stage in _telling(found)]
    parts += _waited_words(found.waited_share, found.usual_waited_share)
    words = ": ".join([_who(found), *([", ".join(parts)] if parts else [])])
    return "; ".join([words, *_host_words(found)])


def slowest_vm_lines(found: Straggler | None) -> list[str]:
    """Return the sentence on the slowest VM as a line; nothing where there is none to be told."""
    return [straggler_words(found)] if found else []


def _host_words(found: Straggler) -> list[str]:
    """Return that its whole host was slow, where it was: then it is not this VM's doing alone."""
    if not found.is_of_slow_host:
        return []
    behind_s, host = (found.host_behind_ns or 0) / 1e9, printable(found.slowest.host)
    digits = 1 if behind_s >= 0.95 else 2
    return [f"its host {host} was slower than the others by {behind_s:.{digits}f} s at the median"]


def _much_the_same(found: Straggler) -> str:
    if found.storm:
        behind, who = _added(found, found.behind_ns), f"VM {found.slowest.vm}"
        where = f"{who} in {printable(found.storm)}"
        return f"VMs of one storm took much the same: at most {behind} s to its median ({where})"
    all_of_them = "All" if found.booted == found.number else "The"
    that = "" if found.booted == found.number else " that booted"
    ends = dict.fromkeys(f"{ns / 1e9:.2f}" for ns in (found.fastest_ns, found.slowest_ns))
    vms = plural(found.booted, "VM")
    return f"{all_of_them} {vms}{that} took much the same: {' to '.join(ends)} s"


def _who(found: Straggler) -> str:
    behind = _added(found, found.behind_ns)
    if found.storm:
        where = printable(found.storm)
        if found.is_mostly_slow:
            where += f" (the slowest in {found.slowest_in} of {found.of_storms} storms)"
        return f"VM {found.slowest.vm} fell furthest behind, in {where}: {behind} s to its median"
    of_those = "" if found.booted == found.number else f" of the {found.booted} that booted"
    return f"VM {found.slowest.vm} was the slowest{of_those}: {behind} s to the median"


def _telling(found: Straggler) -> list[Stage]:
    """Return the stages that make up a good part of the delay, the largest first."""
    least_ns = max(TELLING_SHARE * found.behind_ns, MIN_NOISE_NS)
    return [stage for stage, ns in found.added_ns.items() if ns >= least_ns][:MAX_STAGES]


def _stage_words(found: Straggler, stage: Stage) -> str:
    added_ns = found.added_ns[stage]
    least_ns, most_ns = max(UNIT_SHARE * added_ns, MIN_NOISE_NS), added_ns + found.noise_ns
    units = [
        f"{printable(unit.name.removesuffix('.service'))} {_added(found, unit.added_ns)}"
        for unit in found.units
        if stage is Stage.USERSPACE
        and unit.on_chain is not False
        and least_ns <= unit.added_ns <= most_ns  # what is more others made up for
    ][:MAX_NAMED]
    named = f" ({', '.join(units)})" if units else ""
    return f"{stage} {_added(found, added_ns)}{named}"


def _waited_words(share: float | None, usual: float | None) -> list[str]:
    """Return how much it waited for a CPU, where that is much, and more than the others did."""
    if share is None or share < MUCH_WAITED:
        return []
    if usual is None:
        return [f"waited for a CPU {100 * share:.0f} %"]
    if share < usual + MORE_WAITED:
        return []
    return [f"waited for a CPU {100 * share:.0f} % (median {100 * usual:.0f} %)"]


def _added(found: Straggler, ns: int) -> str:
    """Return what is more or less than a median (s), in as many digits as the delay is told."""
    return f"{ns / 1e9:+.{1 if found.behind_ns >= 950_000_000 else 2}f}"


def _blamed(found: Straggler, unit: BlamedUnit) -> str:
    took = (
        f"{printable(unit.name)}: {short_seconds(unit.slowest_ns / 1e9)} against "
        f"{short_seconds(in_seconds(unit.usual_ns))}"
    )
    part = found.explained(unit)
    explains = f", {100 * min(part, 1):.0f} % of the delay" if part is not None else ""
    return f"{took}{', which the boot did not wait for' if unit.on_chain is False else explains}"


def straggler_lines(found: Straggler) -> list[str]:
    """Return why the slowest VM was slow, as far as it can be told."""
    if not found.is_slow:
        return [straggler_words(found)]
    lines = [f"{_who(found)}, {short_seconds(found.slowest_ns / 1e9)} in all"]
    told = {stage: ns for stage, ns in found.added_ns.items() if abs(ns) >= LEAST_NS}
    added = [f"{stage} {ns / 1e9:+.3g}s" for stage, ns in told.items()]
    if added:
        lines.append(f"  by stage: {', '.join(added)}")
    lines += [f"  {_blamed(found, unit)}" for unit in found.units]
    lines += [f"  {words}" for words in _host_words(found)]
    if found.waited_share is not None:
        lines.append(f"  it waited for a free core {100 * found.waited_share:.0f} % of its time")
    return lines
