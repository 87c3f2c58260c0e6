"""The limits a team sets for its boots: how they are written, and whether a run keeps them.

A threshold rests on the boots that the exit code rests on, setting by setting: each boot is a value
(of ``all-booted-in`` each storm), and a VM that was lost ranks behind all that booted. So a figure
that lost VMs hide has failed, and one that nothing tells of cannot be told.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from vmtiming_tui.analysis import stats
from vmtiming_tui.analysis.counted import counted_by_storm, deciding_by_storm
from vmtiming_tui.analysis.stages import stages_of
from vmtiming_tui.analysis.summary import (
    all_booted_in_s,
    boots_s,
    settings_label,
    shutdowns_s,
)
from vmtiming_tui.analysis.units.spans import Spans
from vmtiming_tui.errors import ConfigError, Problem
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.model.threshold import Statistic, Subject, Threshold

_WHOLE = (Subject.BOOT, Subject.ALL_BOOTED_IN, Subject.QEMU, Subject.SHUTDOWN)
_ENDS = {"min": 0.0, "median": 50.0, "max": 100.0}
_PERCENTILE = re.compile(r"p([0-9]{1,3}(?:\.[0-9]{1,6})?)")


class Finding(StrEnum):
    """Whether a threshold was kept."""

    PASSED = "passed"
    FAILED = "failed"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A threshold held against one setting of a run (``parameters`` is what a sweep varied).

    ``figure_s`` is None where lost VMs hide it, or nothing tells of it: ``why`` says which.
    """

    threshold: Threshold
    parameters: Mapping[str, str]
    figure_s: float | None
    finding: Finding
    why: str = ""

    @property
    def reason(self) -> str:
        """Why it was not kept, in a sentence; empty where it was."""
        where = f"{settings_label(self.parameters)}: " if self.parameters else ""
        threshold = self.threshold
        if self.finding is Finding.CANNOT_TELL:
            return f"{where}whether {threshold.text} was kept cannot be told: {self.why}"
        if self.finding is Finding.PASSED:
            return ""
        if self.figure_s is None:
            return f"{where}the {threshold.figure} is {self.why}, over any limit"
        took = f"{self.figure_s:.4g} s, over the limit of {threshold.limit_s:g} s"
        return f"{where}the {threshold.figure} is {took}"


# Reading.


def read_thresholds(texts: Iterable[str]) -> tuple[Threshold, ...]:
    """Return the thresholds of the command line; raise ``ConfigError`` with every fault."""
    found, problems = [], []
    for text in texts:
        try:
            found.append(parse_threshold(text))
        except ValueError as error:
            problems.append(Problem("fail_over", f"--fail-over: {error}"))
    if problems:
        raise ConfigError(problems)
    return tuple(found)


def parse_threshold(text: str) -> Threshold:
    """Return a threshold that was written as ``[WHAT[:FIGURE]=]SECONDS``.

    A bare number limits every boot; a figure alone is the boot's, and anything else alone its
    median. Raises ``ValueError``, which says what to write.
    """
    what, equals, limit = text.strip().rpartition("=")
    plain = Threshold(text=text.strip(), subject=Subject.BOOT, limit_s=_seconds(limit))
    if not equals:
        return replace(plain, percent=100.0)
    if (of_boot := _with_figure(plain, what)) is not None:
        return of_boot
    subject, colon, rest = what.partition(":")
    if subject == Subject.UNIT:
        return _of_unit(plain, rest)
    if subject in _WHOLE:
        found = replace(plain, subject=Subject(subject))
    elif subject in tuple(Stage):
        found = replace(plain, subject=Subject.STAGE, name=subject)
    else:
        raise ValueError(
            f"{what!r} is nothing to limit; write p99=8, max=, mean=, spread=, unit:NAME=, or one "
            f"of {', '.join((*_WHOLE, *Stage))}, with a figure such as {Stage.USERSPACE}:p95=3"
        )
    chosen = _with_figure(found, rest) if colon else found
    if chosen is None:
        raise ValueError(
            f"{rest!r} is no figure of {subject}; write {subject}:p95=, or min, median, max, mean "
            "or spread"
        )
    return chosen


def _of_unit(plain: Threshold, words: str) -> Threshold:
    """Return the threshold of a unit; a name without a type is a service's, as for systemctl."""
    name, colon, last = words.rpartition(":")
    chosen = _with_figure(plain, last) if colon else None
    name = name if chosen is not None else words
    if not name:
        raise ValueError("a unit needs a name; write unit:sshd.service=0.4")
    name = name if "." in name else f"{name}.service"
    return replace(chosen or plain, subject=Subject.UNIT, name=name)


def _with_figure(threshold: Threshold, figure: str) -> Threshold | None:
    """Return it with another figure; None where that is the name of none."""
    if figure in (Statistic.MEAN, Statistic.SPREAD):
        return replace(threshold, statistic=Statistic(figure))
    found = _PERCENTILE.fullmatch(figure)
    percent = float(found[1]) if found else _ENDS.get(figure, math.inf)
    return replace(threshold, percent=percent) if percent <= 100 else None


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number of seconds; try 20, or p99=8") from None
    if not 0 < value < math.inf:
        raise ValueError(f"{text} is out of range; give seconds above 0, such as 20")
    return value


# Judging.


def judged(fleet: Fleet) -> tuple[Judged, ...]:
    """Return what becomes of the thresholds that a run was started with."""
    return judge(fleet, fleet.plan.thresholds if fleet.plan else ())


def judge(fleet: Fleet, thresholds: Sequence[Threshold]) -> tuple[Judged, ...]:
    """Return every threshold held against every setting that was booted."""
    if not thresholds:
        return ()
    settings = _settings(fleet)
    return tuple(
        _judge(threshold, parameters, _values(threshold, storms))
        for threshold in thresholds
        for parameters, storms in settings
    )


@dataclass(frozen=True, slots=True)
class _Storm:
    """The boots of a storm that count, and those that decide: reruns stand in for what was lost."""

    counted: Sequence[Attempt]
    deciding: Sequence[Attempt]

    @property
    def is_decided(self) -> bool:
        return all(attempt.state.is_decided for attempt in self.counted)


def _settings(fleet: Fleet) -> list[tuple[Mapping[str, str], list[_Storm]]]:
    counted, deciding = counted_by_storm(fleet), deciding_by_storm(fleet)
    found: dict[tuple[tuple[str, str], ...], list[_Storm]] = {}
    for number, attempts in counted.items():
        storm = fleet.storms.get(number)
        key = tuple(storm.parameters.items()) if storm else ()
        found.setdefault(key, []).append(_Storm(attempts, deciding[number]))
    return [(dict(key), storms) for key, storms in found.items()]


def _values(threshold: Threshold, storms: Sequence[_Storm]) -> list[float]:
    """Return the times (s) that a threshold is about, infinite where a VM was lost."""
    attempts = [attempt for storm in storms for attempt in storm.deciding]
    lost = [math.inf for attempt in attempts if attempt.state.is_lost]
    booted = [attempt for attempt in attempts if attempt.boot_ns is not None]
    match threshold.subject:
        case Subject.BOOT:
            return [*boots_s(booted), *lost]
        case Subject.ALL_BOOTED_IN:
            whole = [all_booted_in_s(storm.counted) for storm in storms if storm.is_decided]
            return [math.inf if value is None else value for value in whole]
        case Subject.SHUTDOWN:
            return shutdowns_s(booted)
        case Subject.QEMU:
            known = [stages_of(attempt).qemu_ns for attempt in booted]
        case Subject.STAGE:
            known = [_stage_ns(attempt, threshold.name) for attempt in booted]
        case Subject.UNIT:
            known = [_unit_ns(attempt, threshold.name) for attempt in booted]
    told = [value_ns / 1e9 for value_ns in known if value_ns is not None]
    return [*told, *lost] if told else []


def _stage_ns(attempt: Attempt, name: str) -> int | None:
    return next((ns for stage, ns in stages_of(attempt).known if stage == name), None)


def _unit_ns(attempt: Attempt, name: str) -> int | None:
    spans = Spans.of(attempt.units)
    if name not in spans.names:
        return None
    place = spans.names.index(name)
    was_up = spans.begun_us[place] and spans.up_us[place]
    return spans.took_us[place] * 1000 if was_up else None


def _judge(threshold: Threshold, parameters: Mapping[str, str], values: list[float]) -> Judged:
    known = [value for value in values if math.isfinite(value)]
    lost = len(values) - len(known)

    def found(finding: Finding, figure_s: float | None = None, why: str = "") -> Judged:
        return Judged(
            threshold=threshold, parameters=parameters, figure_s=figure_s, finding=finding, why=why
        )

    if not values:
        return found(Finding.CANNOT_TELL, why="no boot that counts tells of it")
    figure_s: float | None
    match threshold.statistic:
        case Statistic.PERCENTILE:
            figure_s = stats.worst_rank_percentile(known, lost, threshold.percent)
        case Statistic.MEAN:
            figure_s = None if lost else stats.mean(known)
        case Statistic.SPREAD:
            figure_s = None if lost else stats.stddev(known)
    if figure_s is not None:
        is_over = figure_s > threshold.limit_s
        return found(Finding.FAILED if is_over else Finding.PASSED, figure_s)
    if not lost:
        return found(Finding.CANNOT_TELL, why="a single value has no spread")
    ended = "ran into their limit" if threshold.subject is Subject.SHUTDOWN else "never booted"
    return found(Finding.FAILED, why=f"hidden by VMs that {ended}")
