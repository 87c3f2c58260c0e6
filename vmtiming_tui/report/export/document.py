"""What every export shows: one run, its figures reckoned once, its boots and its circumstances."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from vmtiming_tui.analysis.cautions import Caution, cautions
from vmtiming_tui.analysis.comparison.compare import Comparison, compare_sides
from vmtiming_tui.analysis.comparison.samples import THIS_RUN, Identity, Side, side_of
from vmtiming_tui.analysis.comparison.sequential import told
from vmtiming_tui.analysis.conditions import Conditions, conditions_of
from vmtiming_tui.analysis.counted import counts, kind_of
from vmtiming_tui.analysis.hosts import RunHosts, alike_in_short, run_hosts
from vmtiming_tui.analysis.kernel_times import KernelFigures, kernel_figures
from vmtiming_tui.analysis.stages import Stages, stages_of
from vmtiming_tui.analysis.straggler import Straggler, furthest_behind
from vmtiming_tui.analysis.summary import Group, Summary, counted_groups, summarise_fleet
from vmtiming_tui.analysis.sweep import Sweep, sweep_of
from vmtiming_tui.analysis.thresholds import Judged, judged
from vmtiming_tui.escape import plural
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.boot_file import BootFile
from vmtiming_tui.model.config import KernelDetail
from vmtiming_tui.model.decision import Decision
from vmtiming_tui.model.fleet import Fleet, RunState
from vmtiming_tui.model.host import HostFacts
from vmtiming_tui.model.hosts import Host
from vmtiming_tui.model.plan import RunPlan, StormKind
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.report.host_report import hosts_words
from vmtiming_tui.report.tables import Align, Head, Table, foreign, own, state_word, took_ns
from vmtiming_tui.report.wording import mebibytes, utc
from vmtiming_tui.request.labels import label_words

_TOLD_BY: Mapping[KernelDetail, str] = {
    KernelDetail.OFF: "",
    KernelDetail.ON: "of every boot",
    KernelDetail.EXTRA: "of one more storm, which does not count",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedBoot:
    """One attempt as it is exported; ``counts`` says whether the figures rest on it."""

    attempt: Attempt
    kind: StormKind
    parameters: Mapping[str, str]
    stages: Stages
    conditions: Conditions
    counts: bool

    @property
    def attempt_word(self) -> str:
        """Its number, and whether it is a rerun."""
        rerun = ", rerun" if self.kind is StormKind.RERUN else ""
        return f"{self.attempt.number}{rerun}"

    @property
    def storm_word(self) -> str:
        """Its storm's number, and what that was for where it does not count."""
        return f"{self.attempt.storm}" if self.counts else f"{self.attempt.storm}, {self.kind}"

    @property
    def doubts(self) -> str:
        """Why its stages are in no figure, in a few words; the cautions say it in full."""
        grave = (str(doubt.code) for doubt in self.stages.doubts if doubt.code.is_grave)
        codes = ", ".join(dict.fromkeys(grave))
        return f"doubtful: {codes}" if codes else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One run ready to be written: ``summary`` is of every boot that counts.

    ``scope`` holds the VMs it was narrowed to, None for all of them. ``against`` is the baseline
    the run was started with, ``comparison`` what came of it: None without one, and where nothing is
    known of it but which run it was. ``judged`` is what became of the thresholds, and
    ``decisions`` of what was to be decided, of all VMs. ``kernels`` is what kernels took for their
    parts, where they were asked. ``slowest`` is the VM that fell furthest behind, where one did.
    ``hosts`` is what hosts came to, of several.
    """

    fleet: Fleet
    scope: frozenset[int] | None
    plan: RunPlan | None
    summary: Summary
    groups: tuple[Group, ...]
    sweep: Sweep | None
    cautions: tuple[Caution, ...]
    boots: tuple[ExportedBoot, ...]
    against: Identity | None = None
    comparison: Comparison | None = None
    judged: tuple[Judged, ...] = ()
    decisions: tuple[Decision, ...] = ()
    kernels: tuple[KernelFigures, ...] = ()
    slowest: Straggler | None = None
    hosts: RunHosts | None = None

    @property
    def is_partial(self) -> bool:
        """Whether the run had not come to its end, so that more may follow."""
        return not self.fleet.ran_to_end

    @property
    def listed(self) -> list[ExportedBoot]:
        """The newest boot that counts of every VM, and its reruns after it."""
        newest = {boot.attempt.vm: boot for boot in self.boots if boot.counts}
        return [
            boot
            for boot in self.boots
            if boot.kind is StormKind.RERUN or newest.get(boot.attempt.vm) is boot
        ]

    @property
    def has_several_storms(self) -> bool:
        """Whether there are figures over storms besides those over all boots."""
        return sum(len(group.storms) for group in self.groups) > 1

    @property
    def figures_title(self) -> str:
        """What the summary is of."""
        return "Figures of all boots" if self.has_several_storms else "Figures"

    @property
    def title(self) -> str:
        """What the run is called: its name where it was given one."""
        if self.plan is not None and self.plan.name:
            return self.plan.name
        return f"Run {self.fleet.run.run}" if self.fleet.run else "Run"

    @property
    def where(self) -> str:
        """The host it was made on, or how many and which."""
        hosts = self.fleet.hosts
        return hosts_words(list(hosts) if hosts.are_many else [hosts.facts.hostname])

    @property
    def word(self) -> str:
        """The sentence that marks an export of a run not done, empty for a whole one."""
        if self.is_partial:
            return "Partial: the run had not ended when this was written."
        if self.fleet.state is RunState.INTERRUPTED:
            return "Interrupted: the run was cut off before its end."
        if self.fleet.state is RunState.STOPPED:
            return "Stopped: the run was ended on request."
        return ""


def document_of(
    fleet: Fleet, scope: Collection[int] | None = None, baseline: Side | None = None
) -> Document:
    """Return a run ready to be written; ``scope`` keeps only these VMs."""
    groups = tuple(counted_groups(fleet, scope))
    return Document(
        fleet=fleet,
        scope=None if scope is None else frozenset(scope),
        plan=fleet.plan,
        summary=summarise_fleet(fleet, scope),
        groups=groups,
        sweep=sweep_of(fleet),
        cautions=tuple(cautions(fleet, scope)),
        boots=tuple(
            _boot(fleet, attempt)
            for vm in sorted(fleet.vms)
            if scope is None or vm in scope
            for attempt in fleet.vms[vm].attempts
        ),
        against=baseline.identity if baseline else None,
        comparison=compare_sides(baseline, side_of(fleet, THIS_RUN))
        if baseline and baseline.samples
        else None,
        judged=judged(fleet),
        decisions=told(fleet, baseline),
        kernels=tuple(kernel_figures(fleet, scope)),
        slowest=furthest_behind(groups, fleet.unit_order),
        hosts=run_hosts(fleet, scope),
    )


def _boot(fleet: Fleet, attempt: Attempt) -> ExportedBoot:
    storm = fleet.storms.get(attempt.storm)
    return ExportedBoot(
        attempt=attempt,
        kind=kind_of(fleet, attempt),
        parameters=storm.parameters if storm else {},
        stages=stages_of(attempt),
        conditions=conditions_of(fleet, attempt),
        counts=counts(fleet, attempt),
    )


def fact_table(document: Document) -> Table:
    """Return under what circumstances the run was made, as far as they are known."""
    run, plan = document.fleet.run, document.plan
    rows: list[tuple[str, str]] = [("state", str(document.fleet.state))]
    if document.against is not None:
        rows.append(("held against", str(document.against)))
    if run is not None:
        rows += [
            ("run", run.run),
            ("started", utc(run.wall_ns)),
            ("host", document.where),
            *((name, alike_in_short(document.fleet.hosts, fact)) for name, fact in _HOST_FACTS),
            ("accelerator", _accel(document.fleet)),
            ("QEMU", document.fleet.qemu_version),
            ("vm-timing-report", run.tool_version),
        ]
    if plan is not None:
        config = plan.config
        rows += [
            ("VMs", str(plan.number)),
            ("memory a VM", f"{config.memory_mib} MiB"),
            ("vCPUs a VM", str(config.smp)),
            ("kernel", config.kernel),
            ("initrd", config.initrd),
            ("images", str(config.image(0)) if config.prefix else ""),
            *_files(document.fleet),
            ("storms", f"{plan.runs} and {plan.warmup} to warm up"),
            ("kernel details", _TOLD_BY[config.kernel_detail]),
            ("after the report", str(config.after_report)),
            ("end", str(config.end)),
            ("labels", label_words(plan.labels.items())),
            ("notes", plan.notes),
        ]
    return Table(
        heads=(Head("what", Align.LEFT), Head("value", Align.LEFT)),
        rows=tuple((own(name), foreign(value)) for name, value in rows if value),
    )


def _files(fleet: Fleet) -> list[tuple[str, str]]:
    """Return what VMs booted from, as it was: a row a file, of several hosts a row for its role."""
    if not fleet.hosts.are_many:
        return [(f"{file.role} file", _file(file)) for file in fleet.files]

    def of(role: str) -> Callable[[Host], str]:
        return lambda host: "; ".join(_file(file) for file in host.files if file.role == role)

    roles = dict.fromkeys(file.role for file in fleet.files)
    return [(f"{role} file", alike_in_short(fleet.hosts, of(role))) for role in roles]


def _file(file: BootFile) -> str:
    return f"{file.path}: {file.state}"


def _accel(fleet: Fleet) -> str:
    """Return the accelerator with the reason for it, which is known of one alone."""
    run, accel = fleet.run, fleet.accel
    reason = run.accel_reason if run is not None and run.accel == accel else ""
    return f"{accel} ({reason})" if reason else accel


def _cpu(host: HostFacts) -> str:
    if not (host.cpu_model and host.cores):
        return host.cpu_model
    return f"{host.cpu_model}, {plural(host.cores, 'core')}"


_HOST_FACTS: Sequence[tuple[str, Callable[[Host], str]]] = (
    ("CPU", lambda host: _cpu(host.facts)),
    ("host kernel", lambda host: host.facts.kernel),
    ("host system", lambda host: host.facts.os),
    ("virtualised", lambda host: host.facts.virtualised),
    ("governor", lambda host: host.facts.governor),
    ("load before", lambda host: f"{host.facts.load1:.2f}" if host.facts.cores else ""),
    (
        "memory",
        lambda host: mebibytes(host.facts.memory_bytes) if host.facts.memory_bytes else "",
    ),
)


def known_stages(boots: Iterable[ExportedBoot]) -> Sequence[Stage]:
    """Return the stages at least one of the boots knows, in order."""
    found = {stage for boot in boots for stage, _ in boot.stages.known}
    return [stage for stage in Stage if stage in found]


def _beside(boots: Sequence[ExportedBoot]) -> Mapping[str, Callable[[Attempt], int | None]]:
    """Return the columns of what is no part of a boot, as far as they tell anything."""
    columns: dict[str, Callable[[Attempt], int | None]] = {
        "disturbed": lambda attempt: attempt.disturbed_ns,
        "shutdown": lambda attempt: attempt.shutdown_took_ns,
    }
    return {
        name: value_ns
        for name, value_ns in columns.items()
        if any(value_ns(boot.attempt) for boot in boots)
    }


def boot_table(boots: Sequence[ExportedBoot], *, with_storms: bool = False) -> Table:
    """Return a row for each boot: how it ended, how long it took, and its stages.

    Its shutdown, and for how long others disturbed it, stand beside where any boot has some;
    ``with_storms`` says in which storm it was, too.
    """
    stages, beside = known_stages(boots), _beside(boots)
    with_hosts = any(boot.attempt.host for boot in boots)
    return Table(
        heads=(
            Head("VM", Align.LEFT),
            *([Head("host", Align.LEFT)] if with_hosts else []),
            *([Head("storm", Align.LEFT)] if with_storms else []),
            Head("state", Align.LEFT),
            Head("attempt"),
            Head("boot"),
            *(Head(str(stage)) for stage in stages),
            *map(Head, beside),
        ),
        rows=tuple(
            (
                own(str(boot.attempt.vm)),
                *([foreign(boot.attempt.host)] if with_hosts else []),
                *([own(boot.storm_word)] if with_storms else []),
                state_word(boot.attempt.state),
                own(boot.attempt_word),
                took_ns(boot.attempt.boot_ns),
                *(took_ns(boot.stages.of(stage)) for stage in stages),
                *(took_ns(value_ns(boot.attempt)) for value_ns in beside.values()),
            )
            for boot in boots
        ),
    )
