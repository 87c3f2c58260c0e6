"""The JSON Schema of exports: it says what the code says, and no export differs from it."""

import csv
import dataclasses
import io
import json
import re

import pytest
from jsonschema import Draft202012Validator

from support.exported import hostile_fleet
from support.making import (
    FAILED,
    KILLED,
    PENDING,
    TIMED_OUT,
    Guest,
    fleet_of,
    run_events,
    run_started,
)
from support.schema import SCHEMA, exported_body, faults_of
from vmtiming_tui.analysis import cautions, kernel_times, stages, stats, summary, sweep, thresholds
from vmtiming_tui.analysis.comparison import compare, moved, tolerance
from vmtiming_tui.analysis.comparison.samples import side_of
from vmtiming_tui.model import (
    config,
    decision,
    events as ev,
    fleet,
    kernel_events,
    plan,
    threshold,
)
from vmtiming_tui.model.attempt import Phase
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.host import HostFacts
from vmtiming_tui.model.plan import StormKind
from vmtiming_tui.report.export import as_json, json_boots, render
from vmtiming_tui.report.export.from_json import fleet_of as read_back
from vmtiming_tui.request import sweeps

DEFS = SCHEMA["$defs"]
DATED = dict.fromkeys(("rejected", "notice", "failure", "host_sample"), "at_s")
BESIDE = {"guest": {"units"}}  # told by an event of their own
UNITS = {
    "_per_s": "per second",
    "_s": "seconds",
    "_us": "microseconds",
    "_ns": "nanoseconds",
    "_bytes": "bytes",
    "_mib": "MiB",
    "percent": "percent",
}


# The schema itself.


def test_is_a_schema_of_the_draft_it_names():
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


def test_is_of_the_version_that_is_written():
    told = {name: SCHEMA["properties"][name]["const"] for name in ("format", "version")}
    assert told == {"format": as_json.FORMAT, "version": as_json.VERSION}
    assert SCHEMA["$id"].endswith(f":{as_json.VERSION}")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("run_state", fleet.RunState),
        ("vm_state", fleet.VmState),
        ("storm_kind", StormKind),
        ("stage", stages.Stage),
        ("doubt", stages.DoubtCode),
        ("caution_kind", cautions.CautionKind),
        ("verdict", compare.Verdict),
        ("level", ev.Level),
        ("notice_code", ev.NoticeCode),
        ("rejection_code", ev.RejectionCode),
        ("accel", config.Accel),
        ("start_mode", config.StartMode),
        ("boot_mode", config.BootMode),
        ("inject", config.Inject),
        ("after_report", config.AfterReport),
        ("kernel_detail", config.KernelDetail),
        ("end", config.End),
        ("phase", Phase),
        ("release", ev.ReleaseCause),
        ("swept", sweeps.SWEPT),
        ("threshold_subject", threshold.Subject),
        ("statistic", threshold.Statistic),
        ("finding", thresholds.Finding),
        ("standing", decision.Standing),
    ],
)
def test_knows_the_words_the_code_knows(name, words):
    assert DEFS[name]["enum"] == [str(word) for word in words]


@pytest.mark.parametrize(
    ("name", "kind", "apart"),
    [
        ("config", config.RunConfig, {}),
        ("variant", plan.Variant, {}),
        ("plan", plan.RunPlan, {}),
        ("threshold", threshold.Threshold, {}),
        ("until_decided", decision.UntilDecided, {}),
        ("decided", decision.Decision, {}),
        ("host", HostFacts, {}),
        ("file", ev.BootFile, {}),
        ("interval", stats.Interval, {}),
        ("figures", stats.Figures, {}),
        ("summary", summary.Summary, {"median_interval": "median_interval_s"}),
        ("row", sweep.SweepRow, {"boot": "boot_s", "all_booted_in": "all_booted_in_s"}),
        ("penalty", sweep.Penalty, {}),
        ("knee", sweep.Knee, {}),
        ("sweep", sweep.Sweep, {}),
        ("losses", compare.Losses, {}),
        ("tolerance", tolerance.Tolerance, {}),
        ("caution", cautions.Caution, {}),
        ("guest", ev.VmDetails, {}),
        ("unit", ev.UnitTimes, {f"{at}_us": f"{at}_s" for at in json_boots.UNIT_STAMPS}),
        ("unit_order", ev.UnitOrder, {"at_ns": None}),
        ("console", ev.VmConsole, {"text": None}),
        ("rejected", ev.ReportRejected, {}),
        ("notice", ev.Notice, {}),
        ("host_sample", ev.HostSample, {}),
        ("failure", ev.EngineFailed, {}),
        ("movement", moved.Movement, {}),
        ("moved", moved.Moved, {}),
        ("kernel_log", kernel_events.KernelLog, {}),
        ("spans", kernel_events.Spans, {}),
        ("kernel_figures", kernel_times.KernelFigures, {}),
        ("part_figures", kernel_times.PartFigures, {}),
    ],
)
def test_has_the_fields_the_code_has(name, kind, apart):
    fields = {field.name for field in dataclasses.fields(kind)}
    if "at_ns" in fields:
        fields -= {"vm", "attempt"}  # they stand in the attempt that it belongs to
        apart = {"at_ns": DATED.get(name)} | apart
    renamed = {apart.get(field, field) for field in fields} - {None}
    assert set(DEFS[name]["properties"]) - BESIDE.get(name, set()) == renamed


def _objects():
    return [("", SCHEMA), *((name, each) for name, each in DEFS.items() if "properties" in each)]


@pytest.mark.parametrize(("name", "each"), _objects())
def test_every_key_is_known_and_there(name, each):
    assert each["additionalProperties"] is False
    assert each["required"] == list(each["properties"])
    assert each["description"]


@pytest.mark.parametrize(("name", "each"), _objects())
def test_every_key_is_told_in_words_with_its_unit(name, each):
    for key, value in each["properties"].items():
        words = value.get("description") or DEFS[value["$ref"].rpartition("/")[2]]["description"]
        unit = next((unit for ending, unit in UNITS.items() if key.endswith(ending)), "")
        assert re.search(rf"\b{unit}\b", words), f"{key}: {words}"


def test_a_number_a_word_or_a_key_out_of_place_is_found():
    body = json.loads(render(".json", fleet_of([[5, 6]])))
    assert faults_of(body) == []
    assert "attempts[0].state" in _only_fault(body, "vms", 0, "attempts", 0, state="off")
    assert "'2'" in _only_fault(body, "summary", number="2")
    assert "'news' was unexpected" in _only_fault(body, "storms", 0, news=1)
    assert "'name' is a required property" in _only_fault(body, "run", name=...)


def _only_fault(body, *place, **change):
    """Return the one fault of a document with one key of one object changed, or left out."""
    changed = json.loads(json.dumps(body))
    target = changed
    for step in place:
        target = target[step]
    for key, value in change.items():
        target[key] = value
        if value is ...:
            del target[key]
    faults = faults_of(changed)
    assert len(faults) == 1
    return faults[0]


# Exports against it.

SWEEP = [{"number": "2"}, {"number": "3"}, {"number": "2", "accel": "tcg"}]
SHAPES = {
    "nothing": Fleet(),
    "an engine that failed": Fleet([ev.EngineFailed(at_ns=1, why="no QEMU", hint="install it")]),
    "a run without a boot": Fleet([run_started()]),
    "one boot": fleet_of([[5]]),
    "a run": fleet_of([[5, 6, 7]]),
    "a run not over": fleet_of([[5, PENDING]], outcome=None),
    "a run that was interrupted": fleet_of([[5, PENDING]], outcome=ev.Outcome.INTERRUPTED),
    "every end": fleet_of([[5, TIMED_OUT, FAILED, KILLED]]),
    "none booted": fleet_of([[FAILED, FAILED]]),
    "storms": fleet_of([[5, 6], [6, 7], [7, TIMED_OUT]]),
    "many storms": fleet_of([[5.0 + at / 9, 6.0] for at in range(8)]),
    "a warm-up": fleet_of([[5, 6], [6, 7]], kinds=[StormKind.WARMUP, StormKind.RUN]),
    "a rerun": fleet_of([[5, FAILED], [6, 7]], kinds=[StormKind.RUN, StormKind.RERUN]),
    "a sweep": fleet_of([[5, 6], [7, 8, 9], [8, TIMED_OUT]], parameters=SWEEP),
    "a guest that says one line": fleet_of([[5, 6]], with_details=False),
    "a guest that says nothing": fleet_of([[5, 6]], with_details=False, text=""),
    "an absurd clock": fleet_of([[5, 6]], guest=Guest(firmware_s=-3)),
    "hostile words": hostile_fleet(),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_an_export_of_every_shape_keeps_to_it(shape):
    fleet = SHAPES[shape]
    body = exported_body(render(".json", fleet))
    assert len(body["vms"]) == len(fleet.vms)
    assert exported_body(render(".json", fleet, {0}))["scope"] == [0]


@pytest.mark.parametrize("shape", SHAPES)
def test_an_export_with_a_baseline_keeps_to_it(shape):
    base = side_of(fleet_of([[5.0, 5.1]] * 7, run="base"), "base")
    body = exported_body(render(".json", SHAPES[shape], None, base))
    assert body["comparison"]["against"]["run"] == "base"


def test_an_export_of_before_a_key_was_added_is_still_read():
    body = json.loads(render(".json", SHAPES["storms"]))
    del body["run"]["baseline"], body["unit_order"]
    for vm in body["vms"]:
        for attempt in vm["attempts"]:
            del attempt["qmp_left_out"], attempt["console"]
            if attempt["guest"] is not None:
                del attempt["guest"]["units"]
    assert "'baseline' is a required property" in faults_of(body)[0]
    assert summary.summarise_fleet(read_back(json.dumps(body))) == summary.summarise_fleet(
        SHAPES["storms"]
    )


def test_what_was_left_out_of_a_flood_is_exported_and_read_back():
    who = {"vm": 0, "attempt": 1}
    stream = run_events([[5, 6]])
    at = next(place for place, event in enumerate(stream) if isinstance(event, ev.VmDetails))
    stream[at] = dataclasses.replace(stream[at], dropped_bytes=900)
    stream += [
        ev.QmpLeftOut(at_ns=9, counts={"RTC_CHANGE": 4000}, **who),
        ev.VmConsole(at_ns=9, text="...", total_bytes=70_000, dropped_bytes=5_000, **who),
        ev.Notice(at_ns=9, level=ev.Level.WARNING, text="left out", left_out={"vm_usage": 3}),
    ]

    text = render(".json", Fleet(stream))
    body = exported_body(text)

    attempt = body["vms"][0]["attempts"][0]
    assert attempt["qmp_left_out"] == {"RTC_CHANGE": 4000}
    assert attempt["console"] == {"total_bytes": 70_000, "dropped_bytes": 5_000}
    assert attempt["guest"]["dropped_bytes"] == 900
    assert body["notices"][0]["left_out"] == {"vm_usage": 3}
    assert [caution["text"] for caution in body["cautions"] if caution["kind"] == "left out"] == [
        "VM 0 sent more than is kept; left out: 4,000 QMP events and 900 bytes of details",
        "left out",
    ]
    assert render(".json", read_back(text)) == text
    (row, _) = csv.DictReader(io.StringIO(render(".csv", Fleet(stream))))
    assert (row["qmp_left_out"], row["dropped_bytes"]) == ("4000", "900")
