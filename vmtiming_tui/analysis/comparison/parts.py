"""A part of a run: the storms that a sweep booted with some of its settings, as a run by itself."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vmtiming_tui.analysis.comparison.samples import Side
from vmtiming_tui.analysis.summary import counted_groups, settings_label
from vmtiming_tui.errors import VmTimingError
from vmtiming_tui.escape import printable
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.fleet import Fleet

_NAMED = 8


@dataclass(frozen=True, slots=True)
class BootsOfRun:
    """The boots of a run that count, storm after storm: all of them, or those with ``setting``."""

    fleet: Fleet
    storms: tuple[tuple[Attempt, ...], ...]
    setting: str = ""
    is_mixed: bool = False


def part_of(side: Side, text: str) -> Side:
    """Return what a run booted with these settings: ``smp=2``, several with a comma between.

    What is left of its settings is what tells its samples apart, so that two parts are compared
    setting by setting. Raises ``VmTimingError`` where nothing was booted so.
    """
    asked = _asked(side.label, [sample.parameters for sample in side.samples], text)
    samples = tuple(
        replace(
            sample,
            parameters={k: v for k, v in sample.parameters.items() if k not in asked},
        )
        for sample in side.samples
        if _has(sample.parameters, asked)
    )
    setting = settings_label(asked)
    return replace(
        side,
        label=f"{side.label}:{setting}",
        samples=samples,
        identity=replace(side.identity, setting=setting),
    )


def boots_of(fleet: Fleet, text: str = "") -> BootsOfRun:
    """Return the boots of a run that count, or those with these settings, as ``part_of`` has them.

    ``is_mixed`` says that they still had different ones. Raises ``VmTimingError`` as that does.
    """
    groups = counted_groups(fleet)
    label = fleet.run.run if fleet.run is not None else ""
    asked = _asked(label, [group.parameters for group in groups], text) if text else {}
    kept = [group for group in groups if _has(group.parameters, asked)]
    storms = sorted(
        (storm for group in kept for storm in group.storms), key=lambda storm: storm.number
    )
    attempts = tuple(storm.attempts for storm in storms)
    return BootsOfRun(fleet, attempts, settings_label(asked), is_mixed=len(kept) > 1)


def _has(parameters: Mapping[str, str], asked: Mapping[str, str]) -> bool:
    return all(parameters.get(name) == value for name, value in asked.items())


def _asked(label: str, booted: Sequence[Mapping[str, str]], text: str) -> Mapping[str, str]:
    names = {name for parameters in booted for name in parameters}
    asked = _settings(text, names)
    if not asked or not any(_has(parameters, asked) for parameters in booted):
        known = ", ".join(map(settings_label, booted[:_NAMED]))
        raise VmTimingError(
            f"{printable(label)} booted nothing with {printable(text)}",
            hint=f"it booted {printable(known)}" if names else "its settings were not varied",
        )
    return asked


def _settings(text: str, names: set[str]) -> Mapping[str, str]:
    """Return settings by name; a comma or space divides them where one of ``names`` follows."""
    known = "|".join(re.escape(name).replace("_", "[_-]") for name in sorted(names)) or "(?!)"
    parts = re.split(rf"[, ]+(?=(?:{known})=)", text)
    pairs = (part.partition("=") for part in parts)
    return {name.strip().replace("-", "_"): value for name, _, value in pairs}
