"""A comparison as JSON: the runs with what was measured of each storm, and what they come to.

``version`` goes up when a key changes its meaning or goes away, not when one is added. The schema
is ``$defs/compared_runs`` of ``assets/export.schema.json``. Keys name their unit.
"""

import json

from vmtiming_tui.analysis.comparison.compare import Comparison
from vmtiming_tui.analysis.comparison.samples import Sample, Side, StormSample
from vmtiming_tui.report.export.comparison.document import ComparisonDocument
from vmtiming_tui.report.export.json_boots import Body
from vmtiming_tui.report.export.json_comparison import comparison_body, identity_body

FORMAT = "vm-timing-report comparison"
VERSION = 1


def render_json(document: ComparisonDocument) -> str:
    """Return the comparison as one JSON object, indented for people."""
    return json.dumps(body_of(document), indent=1, allow_nan=False) + "\n"


def body_of(document: ComparisonDocument) -> Body:
    """Return the comparison as JSON values."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "limit_percent": document.limit_percent,
        "runs": [_run(side) for side in document.sides],
        "comparisons": [_comparison(document, each) for each in document.comparisons],
    }


def _run(side: Side) -> Body:
    return {
        "label": side.label,
        "identity": identity_body(side.identity),
        "circumstances": dict(side.circumstances),
        "left_out": side.left_out,
        "settings": [_setting(sample) for sample in side.samples],
    }


def _setting(sample: Sample) -> Body:
    return {
        "parameters": dict(sample.parameters),
        "storms": [_storm(storm) for storm in sample.storms],
    }


def _storm(storm: StormSample) -> Body:
    return {
        "turn": storm.turn,
        "boots_s": list(storm.boots),
        "lost": {str(state): count for state, count in storm.lost.items()},
        "all_booted_in_s": storm.all_booted_in,
    }


def _comparison(document: ComparisonDocument, comparison: Comparison) -> Body:
    gate = document.gate_of(comparison)
    return {
        "first": comparison.first,
        "second": comparison.second,
        "gate": None if gate is None else str(gate),
        "comparison": comparison_body(comparison),
    }
