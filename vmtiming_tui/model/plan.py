"""What a run consists of: which storms, in which order, with which settings.

A sweep (``-L VAR a,b,c``) is interleaved: every round boots each combination once, and every
second round goes backwards (ABBA), so that a drift of the host falls on all of them alike.
"""

import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from vmtiming_tui.errors import ConfigError, Problem
from vmtiming_tui.model.codec import from_json, to_json
from vmtiming_tui.model.config import Raw, RunConfig, build_config
from vmtiming_tui.model.events import StormKind

T = TypeVar("T")

SWEPT: Mapping[str, str] = {
    "number": "number",
    "memory": "memory_mib",
    "smp": "smp",
    "accel": "accel",
    "kernel": "kernel",
    "initrd": "initrd",
    "append": "append",
}
MAX_VARIANTS = 1000
MAX_STORMS = 10_000
MAX_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One combination of swept settings: their texts as given, and the config they make."""

    config: RunConfig
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StormPlan:
    """One storm to come."""

    kind: StormKind
    variant: Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """A whole run: ``warmup`` storms that do not count, then ``runs`` that do, per variant.

    ``prepare`` is a shell command run before every storm; ``drop_caches`` empties the host's page
    cache before every storm.
    """

    variants: tuple[Variant, ...]
    warmup: int = 0
    runs: int = 1
    prepare: str = ""
    drop_caches: bool = False
    name: str = ""
    notes: str = ""

    @property
    def config(self) -> RunConfig:
        """The first variant's config: what a rerun or a new form starts from."""
        return self.variants[0].config

    @property
    def number(self) -> int:
        """The most VMs any storm of the plan boots."""
        return max(variant.config.number for variant in self.variants)

    def storms(self) -> Iterator[StormPlan]:
        """Yield the storms in the order they are to be booted."""
        kinds = itertools.chain(
            itertools.repeat(StormKind.WARMUP, self.warmup),
            itertools.repeat(StormKind.RUN, self.runs),
        )
        for turn, kind in enumerate(kinds):
            for variant in self.variants if turn % 2 == 0 else reversed(self.variants):
                yield StormPlan(kind=kind, variant=variant)

    def __len__(self) -> int:
        return (self.warmup + self.runs) * len(self.variants)


def plan_of(config: RunConfig) -> RunPlan:
    """Return the plan of a single storm."""
    return RunPlan(variants=(Variant(config=config),))


def _whole(text: Raw, low: int, example: str) -> int:
    words = str(text).strip()
    if not re.fullmatch(r"[0-9]{1,9}", words):
        raise ValueError(f"{text!r} is no whole number; give one such as {example}")
    if not low <= int(words) <= MAX_STORMS:
        raise ValueError(f"{words} is out of range; give {low} to {MAX_STORMS}")
    return int(words)


def _label(text: Raw) -> str:
    label = str(text)
    if not label.isprintable() or len(label) > MAX_NAME:
        raise ValueError(f"give one line of at most {MAX_NAME} characters")
    return label


def sweep_values(text: str) -> list[str]:
    """Return the values of ``a,b,c``; a comma that belongs to a value is written ``\\,``."""
    return [value.replace("\\,", ",").strip() for value in re.split(r"(?<!\\),", text)]


def _sweeps(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the values of every swept setting; raise ``ConfigError`` with every fault."""
    problems, found = [], dict[str, list[str]]()
    for name, text in pairs:
        values = sweep_values(text)
        if name not in SWEPT:
            known = ", ".join(SWEPT)
            problems.append(f"{name!r} cannot be varied; give one of {known}")
        elif name in found:
            problems.append(f"{name} is given twice; put its values into one list")
        elif "" in values and name not in ("append", "initrd"):
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


def _variants(
    raw: Mapping[str, Raw], sweeps: Mapping[str, Sequence[str]], *, files: bool
) -> tuple[Variant, ...]:
    problems: list[Problem] = []
    variants = []
    for values in itertools.product(*sweeps.values()):
        parameters = dict(zip(sweeps, values, strict=True))
        settings = {SWEPT[name]: value for name, value in parameters.items()}
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
    runs: Raw = 1,
    prepare: str = "",
    drop_caches: bool = False,
    name: str = "",
    notes: str = "",
    files: bool = True,
) -> RunPlan:
    """Return the plan that raw texts describe; raise ``ConfigError`` with every fault at once.

    ``sweeps`` are the pairs of ``-L VAR a,b,c``; every combination becomes a variant, the last
    setting varying fastest. ``append`` is laid over the one given otherwise.
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

    no_sweeps: dict[str, list[str]] = {}
    nothing: tuple[Variant, ...] = ()
    varied = checked("sweeps", "-L/--parameter-list", lambda: _sweeps(sweeps), no_sweeps)
    variants = checked("variants", "", lambda: _variants(raw, varied, files=files), nothing)
    plan = RunPlan(
        variants=variants,
        warmup=checked("warmup", "-w/--warmup", lambda: _whole(warmup, 0, "1"), 0),
        runs=checked("runs", "-r/--runs", lambda: _whole(runs, 1, "10"), 1),
        prepare=prepare,
        drop_caches=drop_caches,
        name=checked("name", "--name", lambda: _label(name), ""),
        notes=notes,
    )
    if len(plan) > MAX_STORMS:
        problems.append(Problem("runs", f"{len(plan)} storms are too many; keep to {MAX_STORMS}"))
    if problems:
        raise ConfigError(problems)
    return plan


def plan_to_json(plan: RunPlan) -> dict[str, Any]:
    """Return the plan's JSON form, as ``RunStarted.plan`` carries it."""
    body = to_json(plan)
    assert isinstance(body, dict)  # noqa: S101  a dataclass becomes an object
    return body


def plan_from_json(body: Any) -> RunPlan:
    """Return the plan of its JSON form; raise ``EventError`` where it does not fit."""
    return from_json(RunPlan, body)
