"""A whole run as a person asks for it: how often, and which settings are varied."""

import hashlib
import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from vmtiming_tui.errors import ConfigError, Problem
from vmtiming_tui.model.decision import UntilDecided
from vmtiming_tui.model.plan import RunPlan, Variant
from vmtiming_tui.model.threshold import Threshold
from vmtiming_tui.request.labels import read_labels, read_name
from vmtiming_tui.request.settings import Raw, build_config

T = TypeVar("T")

SWEPT: Mapping[str, str] = {
    "number": "number",
    "memory": "memory_mib",
    "smp": "smp",
    "accel": "accel",
    "kernel": "kernel",
    "initrd": "initrd",
    "append": "append",
    "after_report": "after_report",
    "base": "base",
    "prefix": "prefix",
    "qemu": "qemu",
    "machine": "machine",
    "cpu": "cpu",
    "boot": "boot",
    "parallel": "parallel",
    "start": "start",
    "stagger": "stagger_s",
    "rate": "rate",
}
_MAY_BE_EMPTY = ("append", "initrd", "machine", "cpu", "parallel")
MAX_VARIANTS = 1000
MAX_STORMS = 10_000
MOST_PERCENT = 100
MOST_STORMS = 40
"""How many storms of each setting at most, where a run is to go on until it is decided.

On hosts whose storms differ by 3 and by 4 %, so many tell a difference of 5 % in 98 and in 77 of
100 runs, and one of 10 % in nearly all, most of these after 10 or 20 (``tests/bench/verdicts.py``).
"""


def _whole(text: Raw, low: int, example: str) -> int:
    words = str(text).strip()
    if not re.fullmatch(r"[0-9]{1,9}", words):
        raise ValueError(f"{text!r} is no whole number; give one such as {example}")
    if not low <= int(words) <= MAX_STORMS:
        raise ValueError(f"{words} is out of range; give {low} to {MAX_STORMS}")
    return int(words)


def _until(percent: Raw, runs: Raw | None) -> UntilDecided | None:
    try:
        value = float(str(percent))
    except ValueError:
        raise ValueError(f"{percent!r} is no percentage; give one such as 5") from None
    if not 0 < value < MOST_PERCENT:
        raise ValueError(f"{percent} is out of range; give 0 to {MOST_PERCENT}, such as 5")
    if runs is not None:
        raise ValueError("-r says how many storms, and this that it is to show; give --max-runs")
    return UntilDecided(percent=value)


def sweep_values(text: str) -> list[str]:
    """Return the values of ``a,b,c``; a comma that belongs to a value is written ``\\,``."""
    return [value.replace("\\,", ",").strip() for value in re.split(r"(?<!\\),", text)]


def _sweeps(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the values of every swept setting; raise ``ConfigError`` with every fault."""
    problems, found = [], dict[str, list[str]]()
    for given, text in pairs:
        name, values = given.replace("-", "_"), sweep_values(text)
        if name not in SWEPT:
            known = ", ".join(SWEPT)
            problems.append(f"{given!r} cannot be varied; give one of {known}")
        elif name in found:
            problems.append(f"{name} is given twice; put its values into one list")
        elif "" in values and name not in _MAY_BE_EMPTY:
            problems.append(f"{name} has an empty value in {text!r}; give {name} a,b,c")
        elif len(set(values)) < len(values):
            problems.append(f"{name} has a value twice in {text!r}; --runs repeats storms")
        else:
            found[name] = values
    count = math.prod(map(len, found.values()))
    if count > MAX_VARIANTS:
        problems.append(f"{count} combinations are too many; keep to {MAX_VARIANTS}")
    if problems:
        raise ConfigError([Problem("sweeps", f"-L/--parameter-list: {text}") for text in problems])
    return found


def _prefix_of(prefix: str, base: str) -> str:
    """Return a prefix of a base's own: an overlay belongs to one base, and stays for later runs."""
    if not prefix:
        return prefix
    path = Path(base).absolute()
    digest = hashlib.sha256(str(path).encode(errors="surrogateescape")).hexdigest()[:8]
    return f"{prefix}-{path.stem}-{digest}"


def _variants(
    raw: Mapping[str, Raw], sweeps: Mapping[str, Sequence[str]], *, files: bool
) -> tuple[Variant, ...]:
    problems: list[Problem] = []
    variants = []
    for values in itertools.product(*sweeps.values()):
        parameters = dict(zip(sweeps, values, strict=True))
        settings = {SWEPT[name]: value for name, value in parameters.items()}
        if "base" in parameters and "prefix" not in parameters:
            settings["prefix"] = _prefix_of(str(raw.get("prefix", "")), parameters["base"])
        try:
            config = build_config({**raw, **settings}, files=files)
        except ConfigError as error:
            problems += [problem for problem in error.problems if problem not in problems]
        else:
            variants.append(Variant(config=config, parameters=parameters))
    if problems:
        raise ConfigError(problems)
    return tuple(variants)


def build_plan(
    raw: Mapping[str, Raw],
    *,
    sweeps: Sequence[tuple[str, str]] = (),
    warmup: Raw = 0,
    runs: Raw | None = None,
    until_decided: Raw | None = None,
    max_runs: Raw | None = None,
    prepare: str = "",
    drop_caches: bool = False,
    name: str = "",
    notes: str = "",
    labels: Sequence[str] = (),
    thresholds: Callable[[], tuple[Threshold, ...]] = tuple,
    files: bool = True,
) -> RunPlan:
    """Return the plan that raw texts describe; raise ``ConfigError`` with every fault at once.

    ``sweeps`` are the pairs of ``-L VAR a,b,c``; every combination becomes a variant, the last
    setting varying fastest. ``append`` is laid over the one given otherwise. Each ``base`` gets
    images of its own, whose names tell it, unless ``prefix`` is varied too. Of ``labels`` each is
    a ``key=value``; ``thresholds`` reads what the figures are held to. With ``until_decided`` (a
    percentage) there are ``max_runs`` at most, and when it is looked at is not settled yet.
    """
    problems: list[Problem] = []

    def checked(field_name: str, flag: str, read: Callable[[], T], otherwise: T) -> T:
        try:
            return read()
        except ConfigError as error:
            problems.extend(each for each in error.problems if each not in problems)
        except ValueError as error:
            problems.append(Problem(field_name, f"{flag}: {error}"))
        return otherwise

    until: UntilDecided | None = None
    no_sweeps: dict[str, list[str]] = {}
    nothing: tuple[Variant, ...] = ()
    varied = checked("sweeps", "-L/--parameter-list", lambda: _sweeps(sweeps), no_sweeps)
    variants = checked("variants", "", lambda: _variants(raw, varied, files=files), nothing)
    warmups = checked("warmup", "-w/--warmup", lambda: _whole(warmup, 0, "1"), 0)
    counted = checked("runs", "-r/--runs", lambda: _whole(runs or 1, 1, "10"), 1)
    if until_decided is not None:
        flag = "--until-decided"
        until = checked("until_decided", flag, lambda: _until(until_decided, runs), None)
        most = MOST_STORMS if max_runs is None else max_runs
        counted = checked("max_runs", "--max-runs", lambda: _whole(most, 1, "20"), 1)
    elif max_runs is not None:
        problems.append(Problem("max_runs", "--max-runs: goes with --until-decided PCT; else -r K"))
    called = checked("name", "--name", lambda: read_name(str(name)), "")
    no_labels: dict[str, str] = {}
    labelled = checked("labels", "--label", lambda: read_labels(labels), no_labels)
    no_thresholds: tuple[Threshold, ...] = ()
    held_to = checked("fail_over", "--fail-over", thresholds, no_thresholds)
    storms = (warmups + counted) * len(variants)
    if storms > MAX_STORMS:
        problems.append(Problem("runs", f"{storms} storms are too many; keep to {MAX_STORMS}"))
    if problems:
        raise ConfigError(problems)
    return RunPlan(
        variants=variants,
        warmup=warmups,
        runs=counted,
        prepare=prepare,
        drop_caches=drop_caches,
        name=called,
        notes=notes,
        labels=labelled,
        thresholds=held_to,
        until_decided=until,
    )
