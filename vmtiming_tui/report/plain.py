"""The original tool's report: its text line for line, streamed as things happen.

Scripts have read these lines since 2014, so their words and figures (``%.4g`` seconds) stay. What
the original had no line for (a VM that failed, a second storm) gets one of its own in the same
place.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from vmtiming_tui.analysis.counted import counted_attempts, reruns
from vmtiming_tui.analysis.stats import Figures
from vmtiming_tui.analysis.summary import Group, boots_s, counted_groups, summarise
from vmtiming_tui.escape import one_line, plural, printable, shell_line, were
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import RunPlan, StormKind

_STDERR_LINES = 5


class PlainReport:
    """Turns a run's events into the original's lines; the fleet is folded by the caller first."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._to_launch: set[int] = set()
        self._launched = 0
        self._noticed_by_hosts: set[str] = set()

    def lines_for(self, event: ev.Event) -> list[str]:
        """Return what an event adds to standard output."""
        match event:
            case ev.StormStarted():
                self._to_launch, self._launched = set(event.vms), 0
                is_one_of_several = event.planned > 1 or event.kind is StormKind.DETAIL
                return [storm_title(event, self._fleet.plan)] if is_one_of_several else []
            case ev.VmLaunched():
                self._launched += 1
                return [shell_line(event.argv), *self._settled(event.vm)]
            case ev.VmFailed() | ev.VmTimedOut() | ev.VmKilled():
                return self._settled(event.vm)
            case ev.ReportConnected():
                return [f"Got a connection: {event.connection}"]
            case ev.VmBooted():
                return [f"VM {event.vm} reported as booted"]
            case ev.StormEnded() if self._planned() > 1:
                return self._storm_lines(event.storm)
            case _:
                return []

    def _noticed(self, event: ev.Notice) -> list[str]:
        """Return what is noticed, with who noticed it; what another host has said needs no more."""
        if not event.host:
            return [f"{event.level}: {printable(event.text)}"]
        is_new = event.text not in self._noticed_by_hosts
        self._noticed_by_hosts.add(event.text)
        told = f"{event.level}: host {one_line(event.host)}: {printable(event.text)}"
        return [told] if is_new or event.level is not ev.Level.INFO else []

    def diagnostics_for(self, event: ev.Event) -> list[str]:
        """Return what an event adds to standard error."""
        match event:
            case ev.Notice():
                return self._noticed(event)
            case ev.HostLost():
                why = f"Host {one_line(event.host)} was lost: {printable(event.why)}"
                return [why, *_indented([event.hint])]
            case ev.EngineFailed():
                return [f"Error: {printable(event.why, keep=_KEPT)}", *_indented([event.hint])]
            case ev.ReportRejected():
                return [f"VM {event.vm}: {printable(event.why)}: {printable(event.excerpt)}"]
            case ev.VmDetails() if event.dropped_bytes:
                dropped = f"{plural(event.dropped_bytes, 'byte')} of its details"
                return [f"VM {event.vm}: {dropped} {were(event.dropped_bytes)} left out"]
            case ev.QmpLeftOut():
                return [f"VM {event.vm}: {words}" for words in left_out_words(event.counts)]
            case ev.VmFailed():
                said = event.stderr.splitlines()[-_STDERR_LINES:]
                return [
                    f"VM {event.vm} failed: {printable(event.why)}",
                    *_indented([*said, event.hint]),
                ]
            case ev.VmTimedOut():
                why = event.why or f"no report within {event.limit_ns / 1e9:g} s"
                return [f"VM {event.vm} timed out: {printable(why)}"]
            case _:
                return []

    def final_lines(self, scope: Collection[int] | None = None) -> list[str]:
        """Return the end of the report: a line a VM, the average and the whole time.

        With several storms, whose own parts came as each ended, it is what they amount to. Reruns
        stand beneath, apart from both.
        """
        groups = counted_groups(self._fleet, scope)
        if sum(len(group.storms) for group in groups) > 1:
            lines = [line for group in groups for line in group_lines(group)]
        else:
            attempts = counted_attempts(self._fleet, scope)
            lines = attempts_lines(attempts) if attempts else []
        again = reruns(self._fleet, scope)
        return [*lines, *(["", "Run again:"] if again else []), *map(vm_line, again)]

    def _planned(self) -> int:
        storm = self._fleet.storm
        return storm.planned if storm else 0

    def _settled(self, vm: int) -> list[str]:
        """Say that all are launched as soon as no VM is left that may yet be."""
        if vm not in self._to_launch:
            return []
        self._to_launch.discard(vm)
        return ["All machines booted", ""] if not self._to_launch and self._launched else []

    def _storm_lines(self, number: int) -> list[str]:
        storm = self._fleet.storms.get(number)
        if storm is None or not storm.attempts:
            return []
        return attempts_lines([storm.attempts[vm] for vm in sorted(storm.attempts)])


def left_out_words(counts: Mapping[str, int]) -> list[str]:
    """Return how many QMP events of each name were counted only, in words."""
    return [
        f"{count:,} more of {one_line(name)} {were(count)} left out"
        for name, count in counts.items()
    ]


_KEPT = "\t\n"


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {printable(line)}" for line in lines if line]


def storm_title(event: ev.StormStarted, plan: RunPlan | None) -> str:
    """Return the line that opens one storm of several."""
    most = "at most " if plan is not None and plan.until_decided is not None else ""
    parameters = "".join(
        f", {printable(name)} = {printable(value)}" for name, value in event.parameters.items()
    )
    if event.kind is StormKind.DETAIL:
        return f"One more storm, for the kernel's details; it counts in nothing{parameters}"
    kind = "Warm-up storm" if event.kind is StormKind.WARMUP else "Storm"
    return f"{kind} {event.storm} of {most}{event.planned}{parameters}"


def vm_line(attempt: Attempt) -> str:
    """Return the report's line for one VM."""
    if attempt.boot_ns is not None:
        words = f": {one_line(attempt.text)}" if attempt.text else ""
        return f"VM {attempt.vm} booted in: {attempt.boot_ns / 1e9:.4g}s{words}"
    if attempt.state.is_lost:
        return f"VM {attempt.vm} {attempt.state}: {printable(attempt.why)}"
    return f"VM {attempt.vm} has not booted yet: {attempt.state}"


def attempts_lines(attempts: Sequence[Attempt]) -> list[str]:
    """Return the report on VMs booted together, in the order given."""
    figures = summarise(attempts)  # the words below are the original's
    lines = [vm_line(attempt) for attempt in attempts]
    if figures.mean_s is None or figures.last_booted_s is None:
        return [*lines, f"None of {plural(figures.number, 'VM')} booted"]
    all_of_them = figures.booted == figures.number
    whole = "all VMs" if all_of_them else f"{figures.booted} of {figures.number} VMs"
    return [
        *lines,
        f"Average boot: {figures.mean_s:.4g}s",
        f"It took {figures.last_booted_s:.4g}s to boot {whole}",
    ]


def group_lines(group: Group) -> list[str]:
    """Return what the storms booted with the same settings amount to."""
    name = f"{printable(group.label)}: " if group.label else ""
    storms = plural(len(group.storms), "storm")
    booted, number = len(boots_s(group.attempts)), len(group.attempts)
    if not booted:
        return [f"{name}{storms}: none of {plural(number, 'boot')} succeeded"]
    whole = "" if booted == number else f", {booted} of {number} boots succeeded"
    lines = [
        f"{name}{storms}: median boot {_range(group.medians)}, "
        f"all booted in {_range(group.all_booted_in)}{whole}"
    ]
    if group.spread is not None:
        lines.append(
            f"{name}spread of boot times: {group.spread.within:.3g}s within a storm, "
            f"{group.spread.between:.3g}s between storms"
        )
    return lines


def _range(figures: Figures | None) -> str:
    if figures is None or figures.median is None:
        return "hidden by VMs that did not boot"
    around = f" ({figures.min:.4g}s to {figures.max:.4g}s)" if figures.min != figures.max else ""
    return f"{figures.median:.4g}s{around}"
