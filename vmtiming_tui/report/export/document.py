"""What every export shows: one run, its figures reckoned once, and how they are worded."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from vmtiming_tui.analysis.cautions import Caution, cautions
from vmtiming_tui.analysis.compare import Comparison, compare_sides
from vmtiming_tui.analysis.counted import counts, kind_of
from vmtiming_tui.analysis.samples import Identity, Side, plan_of_run, side_of
from vmtiming_tui.analysis.stages import Labels, Stage, Stages, labels_of, stages_of
from vmtiming_tui.analysis.stats import Figures
from vmtiming_tui.analysis.summary import Group, Summary, counted_groups, summarise_fleet
from vmtiming_tui.analysis.sweep import Sweep, sweep_of
from vmtiming_tui.escape import are, plural
from vmtiming_tui.model.events import StormKind
from vmtiming_tui.model.fleet import Attempt, Fleet, RunState, VmState
from vmtiming_tui.model.plan import RunPlan

NOTHING = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """One attempt as it is exported; ``counts`` says whether the figures rest on it."""

    attempt: Attempt
    kind: StormKind
    parameters: Mapping[str, str]
    stages: Stages
    labels: Labels
    counts: bool

    @property
    def attempt_word(self) -> str:
        """Its number, and whether it is a rerun."""
        rerun = ", rerun" if self.kind is StormKind.RERUN else ""
        return f"{self.attempt.number}{rerun}"

    @property
    def word(self) -> VmState:
        """Its state for people and files."""
        return self.attempt.state.told

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
    known of it but which run it was.
    """

    fleet: Fleet
    scope: frozenset[int] | None
    plan: RunPlan | None
    summary: Summary
    groups: tuple[Group, ...]
    sweep: Sweep | None
    cautions: tuple[Caution, ...]
    boots: tuple[Boot, ...]
    against: Identity | None = None
    comparison: Comparison | None = None

    @property
    def is_partial(self) -> bool:
        """Whether the run had not come to its end, so that more may follow."""
        return not self.fleet.ran_to_end

    @property
    def listed(self) -> list[Boot]:
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
    return Document(
        fleet=fleet,
        scope=None if scope is None else frozenset(scope),
        plan=plan_of_run(fleet.run),
        summary=summarise_fleet(fleet, scope),
        groups=tuple(counted_groups(fleet, scope)),
        sweep=sweep_of(fleet),
        cautions=tuple(cautions(fleet, scope)),
        boots=tuple(
            _boot(fleet, attempt)
            for vm in sorted(fleet.vms)
            if scope is None or vm in scope
            for attempt in fleet.vms[vm].attempts
        ),
        against=baseline.identity if baseline else None,
        comparison=compare_sides(baseline, side_of(fleet, "this run"))
        if baseline and baseline.samples
        else None,
    )


def _boot(fleet: Fleet, attempt: Attempt) -> Boot:
    storm = fleet.storms.get(attempt.storm)
    return Boot(
        attempt=attempt,
        kind=kind_of(fleet, attempt),
        parameters=storm.parameters if storm else {},
        stages=stages_of(attempt),
        labels=labels_of(fleet, attempt),
        counts=counts(fleet, attempt),
    )


def seconds(value: float | None) -> str:
    """Return seconds to the millisecond, which is about as well as they are known."""
    return NOTHING if value is None else f"{value:.3f} s"


def seconds_of_ns(value: int | None) -> str:
    """Return ns as seconds to the millisecond."""
    return seconds(None if value is None else value / 1e9)


def percent(part: int, whole: int) -> str:
    """Return a share in percent."""
    return f"{100 * part / whole:.0f} %" if whole else NOTHING


def mebibytes(size: int) -> str:
    """Return bytes as MiB."""
    return f"{size / (1 << 20):.0f} MiB"


def utc(wall_ns: int) -> str:
    """Return a wall clock's ns since 1970 as ISO 8601 in UTC, to the second; empty where absurd."""
    try:
        return datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return ""


def figure_rows(summary: Summary) -> list[tuple[str, str]]:
    """Return the figures of a set of VMs as (name, worded value), in the order they are read."""
    interval = summary.median_interval
    between = (
        f"{seconds(interval.low)} to {seconds(interval.high)} ({100 * interval.confidence:.1f} %)"
        if interval
        else NOTHING
    )
    return [
        ("VMs", f"{summary.number}"),
        ("booted", f"{summary.booted}"),
        *((str(state), f"{summary.counts[state]}") for state in _lost_states(summary)),
        ("all booted in", seconds(summary.all_booted_in_s)),
        *_when_some_booted(summary),
        ("mean", seconds(summary.mean_s)),
        ("standard deviation", seconds(summary.stddev_s)),
        ("median", seconds(summary.median_s)),
        ("interval of the median", between),
        ("p90", seconds(summary.p90_s)),
        ("p95", seconds(summary.p95_s)),
        ("p99", seconds(summary.p99_s)),
        ("fastest", seconds(summary.min_s)),
        ("slowest", seconds(summary.max_s)),
        ("median absolute deviation", seconds(summary.mad_s)),
        ("launch skew", seconds(summary.launch_skew_s)),
        ("VMs per second", rate_of(summary.vms_per_s)),
        *((f"{share} % booted after", seconds(at)) for share, at in summary.time_to_s.items()),
    ]


def _when_some_booted(summary: Summary) -> list[tuple[str, str]]:
    if summary.booted in (0, summary.number):
        return []
    return [("those booted took", seconds(summary.last_booted_s))]


def _lost_states(summary: Summary) -> list[VmState]:
    return [state for state in VmState if summary.counts.get(state) and state is not VmState.BOOTED]


def rate_of(value: float | None) -> str:
    """Return VMs per second."""
    return NOTHING if value is None else f"{value:.3f}"


def left_out(summary: Summary) -> str:
    """Return how many boots the stages' figures leave out, as a sentence; empty for none."""
    if not summary.doubtful:
        return ""
    some = f"{summary.doubtful} of {plural(summary.booted, 'boot')}"
    return f"{some} {are(summary.doubtful)} doubtful and left out."


def stage_rows(summary: Summary) -> list[tuple[str, Figures]]:
    """Return the figures of every stage that is known, the time before the start first."""
    before = [("qemu", summary.qemu)] if summary.qemu else []
    return before + [(str(stage), figures) for stage, figures in summary.stages.items()]


def fact_rows(document: Document) -> list[tuple[str, str]]:
    """Return under what circumstances the run was made, as (name, worded value)."""
    run, plan = document.fleet.run, document.plan
    rows: list[tuple[str, str]] = [("state", str(document.fleet.state))]
    if document.against is not None:
        rows.append(("held against", str(document.against)))
    if run is not None:
        host = run.host
        rows += [
            ("run", run.run),
            ("started", utc(run.wall_ns)),
            ("host", str(host.get("hostname", ""))),
            ("CPU", _cpu(host)),
            ("host kernel", str(host.get("kernel", ""))),
            ("host system", str(host.get("os", ""))),
            ("virtualised", str(host.get("virtualised", ""))),
            ("governor", str(host.get("governor", ""))),
            ("load before", _load(host)),
            ("memory", _memory(host)),
            ("accelerator", f"{run.accel} ({run.accel_reason})" if run.accel_reason else run.accel),
            ("QEMU", run.qemu_version),
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
            ("storms", f"{plan.runs} and {plan.warmup} to warm up"),
            ("notes", plan.notes),
        ]
    return [(name, value) for name, value in rows if value]


def _cpu(host: Mapping[str, object]) -> str:
    model, cores = host.get("cpu_model", ""), host.get("cores", "")
    return f"{model}, {plural(cores, 'core')}" if model and isinstance(cores, int) else str(model)


def _load(host: Mapping[str, object]) -> str:
    load = host.get("load1")
    return f"{load:.2f}" if isinstance(load, (int, float)) else ""


def _memory(host: Mapping[str, object]) -> str:
    size = host.get("memory_bytes")
    return mebibytes(size) if isinstance(size, int) else ""


def known_stages(boots: Iterable[Boot]) -> Sequence[Stage]:
    """Return the stages at least one of the boots knows, in order."""
    found = {stage for boot in boots for stage, _ in boot.stages.known}
    return [stage for stage in Stage if stage in found]
