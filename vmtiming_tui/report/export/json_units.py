"""The units of many boots as JSON: each with its figures, in seconds."""

import json

from vmtiming_tui.analysis.units.many_boots import UnitFigures, UnitsOfBoots, sorted_units
from vmtiming_tui.analysis.units.unit_sort import UnitSort
from vmtiming_tui.model.codec import to_json
from vmtiming_tui.report.export.json_boots import Body, without

_TIMES = ("start", "took", "own", "waited", "queued")


def render_units(found: UnitsOfBoots, by: UnitSort) -> str:
    """Return the units as one JSON object, indented for people."""
    body = {
        "boots": found.boots,
        "doubtful": found.doubtful,
        "units": [_unit(unit) for unit in sorted_units(found.units, by)],
    }
    return json.dumps(body, indent=1, allow_nan=False)


def _unit(unit: UnitFigures) -> Body:
    spread = unit.spread
    return {
        **without(to_json(unit), *_TIMES, "spread"),
        "type": unit.kind,
        **{f"{name}_s": to_json(getattr(unit, name)) for name in _TIMES},
        "between_storms_s": spread.between if spread is not None else None,
        "within_storms_s": spread.within if spread is not None else None,
    }
