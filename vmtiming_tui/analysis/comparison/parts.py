"""A part of a run: the storms that a sweep booted with some of its settings, as a run by itself."""

import re
from collections.abc import Mapping
from dataclasses import replace

from vmtiming_tui.analysis.comparison.samples import Side
from vmtiming_tui.analysis.summary import settings_label
from vmtiming_tui.errors import VmTimingError
from vmtiming_tui.escape import printable


def part_of(side: Side, text: str) -> Side:
    """Return what a run booted with these settings: ``smp=2``, several with a comma between.

    What is left of its settings is what tells its samples apart, so that two parts are compared
    setting by setting. Raises ``VmTimingError`` where nothing was booted so.
    """
    names = {name for sample in side.samples for name in sample.parameters}
    asked = _settings(text, names)
    samples = tuple(
        replace(
            sample,
            parameters={k: v for k, v in sample.parameters.items() if k not in asked},
        )
        for sample in side.samples
        if asked and all(sample.parameters.get(k) == v for k, v in asked.items())
    )
    if not samples:
        booted = ", ".join(settings_label(sample.parameters) for sample in side.samples[:_NAMED])
        raise VmTimingError(
            f"{printable(side.label)} booted nothing with {printable(text)}",
            hint=f"it booted {printable(booted)}" if names else "its settings were not varied",
        )
    setting = settings_label(asked)
    return replace(
        side,
        label=f"{side.label}:{setting}",
        samples=samples,
        identity=replace(side.identity, setting=setting),
    )


_NAMED = 8


def _settings(text: str, names: set[str]) -> Mapping[str, str]:
    """Return settings by name; a comma or space divides them where one of ``names`` follows."""
    known = "|".join(re.escape(name).replace("_", "[_-]") for name in sorted(names)) or "(?!)"
    parts = re.split(rf"[, ]+(?=(?:{known})=)", text)
    pairs = (part.partition("=") for part in parts)
    return {name.strip().replace("-", "_"): value for name, _, value in pairs}
