"""JSON exports: the schema, hyperfine's results, and reading them back."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st

from support.facts import plan, run_started
from support.making import FAILED, KILLED, PENDING, TIMED_OUT, boot_events, fleet_of, run_events
from support.schema import exported_body, faults_of
from vmtiming_tui.analysis.comparison.samples import side_of
from vmtiming_tui.analysis.comparison.tolerance import KnownRun, known_tolerance
from vmtiming_tui.analysis.summary import summarise_fleet
from vmtiming_tui.analysis.units.one_boot import chain_lines, slowest_lines
from vmtiming_tui.errors import ExportError
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import StormKind
from vmtiming_tui.report.export import render
from vmtiming_tui.report.export.from_json import fleet_of as fleet_of_export, read_export


def exported(fleet, scope=None):
    return exported_body(render(".json", fleet, scope))


def test_carries_the_run_its_host_and_its_plan():
    named = replace(plan(number=2, memory_mib=340), name="nightly")
    body = exported(fleet_of([[5, 6]], started={"plan": named}))
    assert (body["format"], body["version"], body["partial"]) == ("vm-timing-report", 2, False)
    assert body["run"]["id"] == "run-1"
    assert body["run"]["name"] == "nightly"
    assert body["run"]["started"] == "2023-11-14T22:13:20+00:00"
    assert body["host"]["hostname"] == "bench1"
    assert body["plan"]["variants"][0]["config"]["memory_mib"] == 340


def test_carries_the_files_booted_from_and_is_read_back_with_them():
    begin, *rest = run_events([[5, 6]])
    file = ev.BootFile(role="image", path="/r.img", size_bytes=512, modified_ns=1)
    text = render(".json", Fleet([begin, ev.FilesSeen(at_ns=1, files=(file,)), *rest]))

    assert json.loads(text)["files"] == [
        {"role": "image", "path": "/r.img", "size_bytes": 512, "modified_ns": 1}
    ]
    assert fleet_of_export(text).files == (file,)


def test_carries_every_attempt_with_its_stages_in_seconds():
    body = exported(fleet_of([[5, 6], [7, TIMED_OUT]]))
    vms = {vm["vm"]: vm["attempts"] for vm in body["vms"]}
    assert [attempt["boot_s"] for attempt in vms[0]] == [5.0, 7.0]
    assert [attempt["state"] for attempt in vms[1]] == ["booted", "timed out"]
    assert [attempt["qemu_ended"] for attempt in vms[1]] == [True, True]
    stages = vms[0][0]["stages"]
    parts = [stages[f"{name}_s"] for name in ("firmware", "kernel", "initrd", "userspace", "lag")]
    assert math.fsum(parts) == pytest.approx(5.0, abs=stages["error_s"])
    assert vms[1][1]["limit_s"] == 30.0
    assert [storm["storm"] for storm in body["storms"]] == [1, 2]
    assert body["groups"][0]["storms"] == [1, 2]


def test_says_of_a_run_not_over_that_it_is_partial():
    assert exported(fleet_of([[5, PENDING]], outcome=None))["partial"] is True
    interrupted = exported(fleet_of([[5, PENDING]], outcome=ev.Outcome.INTERRUPTED))
    assert (interrupted["partial"], interrupted["state"]) == (False, "interrupted")


def test_narrows_everything_to_the_scope():
    body = exported(fleet_of([[5, 6, 7]]), scope={0, 2})
    assert [vm["vm"] for vm in body["vms"]] == [0, 2]
    assert body["scope"] == [0, 2]
    assert body["storms"][0]["vms"] == [0, 2]
    assert body["summary"]["number"] == body["storms"][0]["summary"]["number"] == 2
    assert body["results"][0]["times"] == [5.0, 7.0]


def test_results_have_the_names_and_types_hyperfines_scripts_read():
    sweep = [{"number": "2"}, {"number": "3"}]
    results = exported(fleet_of([[5, 6], [7, 8, TIMED_OUT]], parameters=sweep))["results"]
    assert [result["parameters"] for result in results] == sweep
    for result in results:
        assert type(result["command"]) is str
        for name in ("mean", "stddev", "median", "min", "max"):
            assert type(result[name]) is float
        assert all(type(time) is float for time in result["times"])
        assert len(result["times"]) == len(result["exit_codes"])
        assert set(result["exit_codes"]) == {0}
        assert result["min"] <= result["median"] <= result["max"]
        assert {"user", "system"} <= set(result)
    assert results[1]["times"] == [7.0, 8.0]


def test_a_single_boot_has_no_deviation_and_no_boot_no_result():
    assert exported(fleet_of([[5]]))["results"][0]["stddev"] is None
    assert exported(fleet_of([[FAILED]]))["results"] == []


FATES = st.one_of(
    st.floats(1, 25).map(lambda seconds: round(seconds, 6)),
    st.sampled_from([TIMED_OUT, FAILED, KILLED]),
)


@given(storms=st.lists(st.lists(FATES, min_size=1, max_size=5), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_reading_an_export_back_gives_the_same_export(storms):
    fleet = fleet_of(storms)
    text = render(".json", fleet)
    assert faults_of(json.loads(text)) == []
    again = fleet_of_export(text)
    assert summarise_fleet(again) == summarise_fleet(fleet)
    assert render(".json", again) == text


def test_reading_back_keeps_what_makes_a_boot_doubtful():
    stream = [
        run_started(),
        ev.StormStarted(at_ns=1, storm=1, kind=StormKind.RUN, vms=(0,)),
        ev.VmQueued(at_ns=1, vm=0, attempt=1, storm=1),
    ]
    who = {"vm": 0, "attempt": 1}
    *life, end = boot_events(0, 5, at_ns=2)
    for event in life:
        stream.append(event)
        if isinstance(event, ev.VmStarted):
            stream += [
                ev.QmpSeen(at_ns=event.at_ns, name=name, **who)
                for name in ("STOP", "RESUME", "RESET", "GUEST_PANICKED")
            ]
    stream.append(ev.ReportRejected(at_ns=9, why="a second report", excerpt="VMREP", **who))
    stream.append(
        ev.VmUsage(at_ns=end.at_ns, cpu_ns=7, vcpu_run_ns=5, vcpu_wait_ns=2, rss_bytes=9, **who)
    )
    stream.append(ev.Notice(at_ns=3, level=ev.Level.WARNING, text="the page cache was not emptied"))
    stream.append(ev.HostSample(at_ns=4, cpu_percent=50.0, load1=1.5, psi_cpu=2.0))
    stream.append(end)
    fleet = Fleet(stream)
    text = render(".json", fleet)
    assert exported_body(text)["vms"][0]["attempts"][0]["stages"]["doubts"]
    assert render(".json", fleet_of_export(text)) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not an export"),
        ('{"format": "vm-timing-report", "version": 99}', "version 99"),
        ('{"format": "vm-timing-report", "version": 1}', "damaged"),
        ('{"format": "vm-timing-report", "version": 1, "run": 5, "host_samples": {}}', "damaged"),
    ],
)
def test_what_is_no_export_is_refused_in_words(text, words):
    with pytest.raises(ExportError, match=words) as caught:
        fleet_of_export(text)
    assert caught.value.hint


EXPORT = render(".json", fleet_of([[5, TIMED_OUT], [6, FAILED]]))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_no_damage_to_an_export_gets_past_the_reader_as_another_error(data):
    place = body = json.loads(EXPORT)
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if isinstance(place[key], (dict, list)) and data.draw(st.booleans()):
            place = place[key]
            continue
        if isinstance(place, dict) and data.draw(st.booleans()):
            del place[key]
        else:
            place[key] = data.draw(st.one_of(SCALARS, st.just([]), st.just({})))
        break
    try:
        fleet = fleet_of_export(json.dumps(body))
    except ExportError as error:
        assert error.hint
    else:
        assert isinstance(fleet, Fleet)


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(ExportError, match="cannot be read: No such file"):
        read_export(tmp_path / "none.json")


def test_foreign_text_survives_as_it_was():
    nasty = "\x1b[31m</script>\u202e\ud800 = |||"
    fleet = Fleet(run_events([[5]], text=nasty))
    text = render(".json", fleet)
    assert text.isascii()
    assert json.loads(text)["vms"][0]["attempts"][0]["text"] == nasty


def test_an_export_of_the_first_schema_is_still_read():
    body = exported(fleet_of([[5, 6], [7, TIMED_OUT]]))
    body["version"] = 1
    for vm in body["vms"]:
        for attempt in vm["attempts"]:
            attempt["state"] = attempt["state"].replace("booted", "off")

    fleet = fleet_of_export(json.dumps(body))

    assert summarise_fleet(fleet) == summarise_fleet(fleet_of([[5, 6], [7, TIMED_OUT]]))


def test_what_a_notice_and_a_rejection_rest_on_is_read_back():
    cold = replace(plan(), drop_caches=True)
    stream = run_events([[5.0]], started={"plan": cold})
    codes = (ev.RejectionCode.SECOND_REPORT, ev.NoticeCode.CACHE_KEPT)
    stream.append(ev.ReportRejected(at_ns=9, vm=0, attempt=1, why="any", code=codes[0]))
    stream.append(ev.Notice(at_ns=3, level=ev.Level.WARNING, text="any", code=codes[1]))

    fleet = fleet_of_export(render(".json", Fleet(stream)))

    assert (fleet.vms[0].newest.rejected[0].code, fleet.notices[0].code) == codes
    assert exported(fleet)["vms"][0]["attempts"][0]["stages"]["doubt_codes"] == ["reported twice"]


def test_an_interval_that_lost_vms_leave_open_is_null_at_its_open_end():
    base = side_of(fleet_of([[5.0, 5.1]] * 5, run="base"))
    lost = fleet_of([[5.0, FAILED]] * 5)

    body = exported_body(render(".json", lost, None, base))["comparison"]

    assert (body["verdict"], body["against"]["run"]) == ("slower", "base")
    interval = body["groups"][0]["differences"][0]["percent_interval"]
    assert (interval["low"], interval["high"]) == (None, None)
    assert interval["confidence"] > 0.95
    assert body["groups"][0]["losses"]["second_booted"] == 5


def test_a_single_storms_change_says_what_it_was_held_against():
    base = side_of(fleet_of([[5.0] * 3], run="base"))
    known = [KnownRun(f"kept-{at}", base.samples[0].setting, (5.0 + at / 50,)) for at in range(8)]
    tolerance = known_tolerance(known, [base.samples[0].setting], ())
    slow = fleet_of([[45.0] * 3])

    bodies = [
        exported_body(render(".json", slow, None, replace(base, known=past)))["comparison"]
        for past in (tuple(known), ())
    ]

    (boot, *others), (unheld, *_) = (body["groups"][0]["differences"] for body in bodies)
    assert boot["tolerance"] == {"ratio": tolerance.ratio, "runs": 8}
    assert (boot["verdict"], unheld["verdict"]) == ("slower", "cannot tell")
    assert [each["tolerance"] for each in (unheld, *others)] == [None] * (len(others) + 1)


UP = ev.UnitTimes(
    name="dev-vda.device",
    active="active",
    sub="plugged",
    activating_us=1_200_001,
    active_us=1_500_000,
)
READY = ev.UnitTimes(
    name="multi-user.target",
    active="active",
    sub="active",
    activating_us=1_600_000,
    active_us=1_600_000,
)


def with_units(*units, order=None):
    stream = run_events([[5]])
    at = next(place for place, event in enumerate(stream) if isinstance(event, ev.VmDetails))
    told = replace(stream[at], gathering_us=80_000, slowest=(), critical_chain=())
    columns = ev.VmUnits.of(units, at_ns=9, vm=0, attempt=1)
    stream[at : at + 1] = [told, columns, *([order] if order else [])]
    return Fleet(stream)


def test_the_units_of_a_guest_are_told_in_seconds_and_read_back():
    fleet = with_units(UP)
    text = render(".json", fleet)

    guest = exported_body(text)["vms"][0]["attempts"][0]["guest"]
    assert guest["gathering_us"] == 80_000
    assert guest["units"] == [
        {
            "name": "dev-vda.device",
            "active": "active",
            "sub": "plugged",
            "result": "",
            "activating_s": 1.200001,
            "active_s": 1.5,
            "deactivating_s": None,
            "inactive_s": None,
        }
    ]
    again = fleet_of_export(text)
    assert list(again.vms[0].newest.units.rows) == [UP]
    assert render(".json", again) == text


def test_what_the_units_come_to_stands_where_older_guests_told_it():
    who = {"at_ns": 9, "vm": 0, "attempt": 1}
    order = ev.UnitOrder(after={"multi-user.target": ("dev-vda.device",)}, **who)
    fleet = with_units(UP, READY, order=order)
    text, boot = render(".json", fleet), fleet.vms[0].newest
    guest = exported_body(text)["vms"][0]["attempts"][0]["guest"]

    assert guest["slowest"] == slowest_lines(boot)
    assert guest["critical_chain"] == chain_lines(boot, order)
    assert len(guest["critical_chain"]) == 2
    assert render(".json", fleet_of_export(text)) == text
