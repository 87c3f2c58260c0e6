"""What the kernels of many boots took for their parts, where ``--kernel-detail`` asked for that."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.counted import kind_of
from vmtiming_tui.analysis.summary import settings_label
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.kernel_events import KernelLog, Spans
from vmtiming_tui.model.plan import StormKind

MOST_TOLD = 100
_FIGURES = re.compile(r"\b(?:0x[0-9a-f]+|\d+(?:\.\d+)*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFigures:
    """How long one part took in the ``boots`` that have it, in seconds: median and quartiles."""

    name: str
    boots: int
    median_s: float
    low_s: float
    high_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelFigures:
    """The kernels of boots with the same settings, the slowest parts first.

    ``kind`` says in what storms they booted: those that count, or one more for these details.
    ``initcalls_count`` and ``initcalls_total_s``, for how long any was under way, are the medians
    of a boot's. ``levels`` are in the order of the boot. ``silences`` go by the line that ended
    them, without its figures. ``pending`` says in how many boots a device waited for another in
    vain. ``cut`` counts the logs whose begin was lost.
    """

    parameters: Mapping[str, str]
    kind: StormKind
    boots: int
    initcalls_count: float
    initcalls_total_s: float
    initcalls: tuple[PartFigures, ...] = ()
    levels: tuple[PartFigures, ...] = ()
    probes: tuple[PartFigures, ...] = ()
    silences: tuple[PartFigures, ...] = ()
    pending: Mapping[str, int] = field(default_factory=dict)
    cut: int = 0

    @property
    def label(self) -> str:
        """The settings in words, empty where nothing was varied."""
        return settings_label(self.parameters)


def typical_initcalls_s(attempts: Iterable[Attempt]) -> dict[str, float]:
    """Return the median of what the kernels of these boots took for each initcall, in seconds.

    One that a kernel does not name was among its quickest, or it has none: it took nothing.
    """
    logs = [attempt.kernel.initcalls for attempt in attempts if attempt.kernel is not None]
    took_us = [dict(zip(spans.names, spans.took_us, strict=True)) for spans in logs]
    names = dict.fromkeys(name for of_one in took_us for name in of_one)
    return {name: stats.median([each.get(name, 0) for each in took_us]) / 1e6 for name in names}


def kernel_figures(fleet: Fleet, scope: Collection[int] | None = None) -> list[KernelFigures]:
    """Return what the kernels took that told it, by settings; those that count are first.

    Reruns and warm-ups are in no figure.
    """
    found: dict[tuple[StormKind, tuple[tuple[str, str], ...]], list[KernelLog]] = {}
    for attempt in fleet.attempts:
        kind, log = kind_of(fleet, attempt), attempt.kernel
        is_of_figures = kind in (StormKind.RUN, StormKind.DETAIL)
        if log is not None and is_of_figures and (scope is None or attempt.vm in scope):
            storm = fleet.storms.get(attempt.storm)
            parameters = tuple(storm.parameters.items()) if storm else ()
            found.setdefault((kind, parameters), []).append(log)
    ordered = sorted(found.items(), key=lambda item: item[0][0] is StormKind.DETAIL)
    return [_figures(dict(parameters), kind, logs) for (kind, parameters), logs in ordered]


def _figures(
    parameters: Mapping[str, str], kind: StormKind, logs: list[KernelLog]
) -> KernelFigures:
    pending: dict[str, int] = {}
    for log in logs:
        for device in log.pending:
            pending[device] = pending.get(device, 0) + 1
    return KernelFigures(
        parameters=parameters,
        kind=kind,
        boots=len(logs),
        initcalls_count=stats.median([log.initcalls.count for log in logs]),
        initcalls_total_s=stats.median([log.initcalls.total_us / 1e6 for log in logs]),
        initcalls=_slowest(log.initcalls for log in logs),
        levels=tuple(_parts(log.levels for log in logs)),
        probes=_slowest(log.probes for log in logs),
        silences=_slowest((log.silences for log in logs), _without_figures),
        pending=dict(sorted(pending.items(), key=lambda item: (-item[1], item[0]))),
        cut=sum(log.is_cut for log in logs),
    )


def _without_figures(line: str) -> str:
    return _FIGURES.sub("#", line)


def _slowest(logs: Iterable[Spans], called: Callable[[str], str] = str) -> tuple[PartFigures, ...]:
    parts = sorted(_parts(logs, called), key=lambda part: (-part.median_s, part.name))
    return tuple(parts[:MOST_TOLD])


def _parts(logs: Iterable[Spans], called: Callable[[str], str] = str) -> list[PartFigures]:
    """Return the figures of every part, in the order they were first told."""
    times: dict[str, list[float]] = {}
    for spans in logs:
        of_one: dict[str, float] = {}
        for name, us in zip(spans.names, spans.took_us, strict=True):
            key = called(name)
            of_one[key] = of_one.get(key, 0.0) + us / 1e6
        for key, seconds in of_one.items():
            times.setdefault(key, []).append(seconds)
    return [
        PartFigures(
            name=name,
            boots=len(found),
            median_s=stats.median(found),
            low_s=stats.percentile(found, 25),
            high_s=stats.percentile(found, 75),
        )
        for name, found in times.items()
    ]
