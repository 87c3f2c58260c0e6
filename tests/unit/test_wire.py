"""Events and commands as JSON lines: what is written is read back, what is damaged is refused."""

import json
import subprocess
import sys
import typing
from collections.abc import Mapping

import pytest
from hypothesis import given, strategies as st

from support.facts import foreign_run_started, plan_of, run_started
from vmtiming_tui.errors import EventError
from vmtiming_tui.model import commands, events, plan
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.decision import Decision
from vmtiming_tui.model.host import HostFacts
from vmtiming_tui.model.kernel_events import KernelLog, Spans

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
json_objects = st.dictionaries(st.text(), json_values)


def any_of(union):
    """Build instances of any class of a union, with JSON where a field may hold anything."""
    return st.one_of(*(any_instance(kind) for kind in union.__args__))


def any_instance(kind):
    special = {
        Mapping[str, typing.Any]: json_objects,
        Mapping[str, int]: st.dictionaries(st.text(), wholes),
        tuple[int, ...]: st.lists(wholes).map(tuple),
        float: finite,
        int: wholes,
        int | None: st.none() | wholes,
        plan.RunPlan: plans,
        plan.RunPlan | None: st.none() | plans,
        HostFacts: hosts,
        tuple[Decision, ...]: st.lists(decisions, max_size=3).map(tuple),
        KernelLog: kernel_logs,
        tuple[events.BootFile, ...]: st.lists(files, max_size=3).map(tuple),
        tuple[commands.Share, ...]: st.lists(shares, max_size=3).map(tuple),
    }
    fields = {
        name: special[hint] for name, hint in typing.get_type_hints(kind).items() if hint in special
    }
    if kind is events.VmUnits:
        rows = st.lists(any_instance(events.UnitTimes), max_size=5)
        return st.builds(kind.of, rows, **dict.fromkeys(("at_ns", "vm", "attempt"), wholes))
    return st.builds(kind, **fields)


finite = st.floats(allow_nan=False, allow_infinity=False)
wholes = st.integers(-(2**63) + 1, 2**63 - 1)
files = st.builds(events.BootFile, size_bytes=wholes, modified_ns=wholes)
configs = st.builds(
    RunConfig,
    timeout_s=finite,
    stagger_s=finite,
    **dict.fromkeys(("number", "memory_mib", "smp"), wholes),
    parallel=st.none() | wholes,
)
shares = st.builds(
    commands.Share,
    config=configs,
    **dict.fromkeys(("vms", "attempts"), st.lists(wholes, max_size=3).map(tuple)),
)
plans = st.builds(
    plan.RunPlan,
    **dict.fromkeys(("warmup", "runs"), wholes),
    variants=st.tuples(
        st.builds(plan.Variant, config=configs, parameters=st.dictionaries(st.text(), st.text()))
    ),
)
shares = st.builds(
    commands.Share,
    config=configs,
    **dict.fromkeys(("vms", "attempts"), st.lists(wholes, max_size=3).map(tuple)),
)
decisions = st.builds(
    Decision,
    storms=wholes,
    **dict.fromkeys(("percent", "low_percent", "high_percent"), st.none() | finite),
)
hosts = st.builds(
    HostFacts,
    **dict.fromkeys(("cores", "memory_bytes", "memory_available_bytes"), wholes),
    load1=finite,
    psi=st.dictionaries(st.text(), finite),
)


def spans_of(rows):
    names, began_us, took_us, returned = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Spans(names=names, began_us=began_us, took_us=took_us, returned=returned)


kernel_logs = st.builds(
    KernelLog,
    initcalls=st.lists(st.tuples(st.text(), wholes, wholes, wholes), max_size=5).map(spans_of),
    pending=st.lists(st.text(), max_size=3).map(tuple),
)

decisions = st.builds(
    Decision,
    parameters=st.dictionaries(st.text(), st.text()),
    storms=wholes,
    **dict.fromkeys(("percent", "low_percent", "high_percent"), st.none() | finite),
)


@given(any_of(events.Event))
def test_every_event_survives_the_wire(event):
    line = events.encode(event)

    assert "\n" not in line
    assert events.decode(line) == event
    assert events.decode(line.encode()) == event


@given(any_of(commands.Command))
def test_every_command_survives_the_wire(command):
    assert commands.decode(commands.encode(command)) == command


@given(st.text() | st.binary() | json_values.map(json.dumps))
def test_anything_else_is_refused_with_an_event_error(line):
    with pytest.raises(EventError):
        events.decode(line)


@pytest.mark.parametrize(
    "body",
    [
        {"event": "vm_booted"},
        {"event": "storm_ended", "at_ns": "1", "storm": 1},
        {"event": "storm_ended", "at_ns": True, "storm": 1},
        {"event": "storm_ended", "at_ns": 10**400, "storm": 1},
        {"event": "run_ended", "at_ns": 1, "outcome": "exploded"},
        {"event": ["storm_ended"], "at_ns": 1, "storm": 1},
        {"event": "host_sample", "at_ns": 1, "cpu_percent": 10**400, "load1": 1},
        {"event": "host_sample", "at_ns": 1, "cpu_percent": float("nan"), "load1": 1},
    ],
)
def test_a_known_event_with_a_wrong_field_is_refused(body):
    with pytest.raises(EventError):
        events.decode(json.dumps(body))


def test_a_kernels_log_of_which_one_column_is_shorter_than_the_others_is_refused():
    log = KernelLog(initcalls=Spans(names=("a", "b"), began_us=(1, 2), took_us=(3, 4)))
    body = json.loads(events.encode(events.VmKernel(at_ns=1, vm=0, attempt=1, log=log)))
    body["log"]["initcalls"]["took_us"] = [1]
    with pytest.raises(EventError, match="columns of different lengths"):
        events.decode(json.dumps(body))


def test_a_newer_writer_may_add_fields():
    event = events.StormEnded(at_ns=5, storm=1)
    body = json.loads(events.encode(event)) | {"added_later": {"x": 1}}

    assert events.decode(json.dumps(body)) == event


def test_units_of_which_one_column_is_shorter_than_the_others_are_refused():
    rows = [events.UnitTimes("a.service"), events.UnitTimes("b.service")]
    body = json.loads(events.encode(events.VmUnits.of(rows, at_ns=1, vm=0, attempt=1)))
    with pytest.raises(EventError, match=r"columns of different lengths: \[1, 2\]"):
        events.decode(json.dumps(body | {"active_us": [1]}))


@pytest.mark.parametrize("column", ["ab", ["a", 1], [1, None], {"a": 1}, [2**63]])
def test_a_column_with_anything_else_in_it_is_refused(column):
    body = {"event": "vm_units", "at_ns": 1, "vm": 0, "attempt": 1}
    for name in ("names", "active_us"):
        with pytest.raises(EventError):
            events.decode(json.dumps(body | {name: column}))


def test_units_stand_in_the_order_of_their_names_whatever_order_a_guest_tells_them_in():
    rows = [events.UnitTimes("b.service", active_us=2), events.UnitTimes("a.target", result="x")]
    told = events.VmUnits.of(rows, at_ns=1, vm=0, attempt=1)

    assert told.names == ("a.target", "b.service")
    assert list(told.rows) == rows[::-1]


def test_deep_nesting_is_an_event_error_not_a_crash():
    with pytest.raises(EventError):
        events.decode("[" * 100_000)


def test_a_plan_survives_inside_an_event():
    whole = plan_of(RunConfig(number=3, prefix="p", qemu_args=("-cpu", "max")))

    assert events.decode(events.encode(run_started(plan=whole))).plan == whole


def test_a_host_that_tells_less_or_more_is_taken_for_what_is_known_of_it():
    told = {"hostname": "old", "cores": 4, "added_later": [1]}

    assert foreign_run_started(host=told).host == HostFacts(hostname="old", cores=4)
    assert foreign_run_started(host={}).host == HostFacts()


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"variants": []},
        {"variants": "none"},
        {"variants": [{"config": {"accel": "of a newer version"}}]},
        {"variants": [{"config": {}}], "runs": "many"},
    ],
)
def test_of_a_plan_that_does_not_fit_nothing_is_known_and_the_rest_still_is(told):
    started = foreign_run_started(plan=told, run="foreign")

    assert (started.plan, started.run) == (None, "foreign")


def test_of_a_host_that_does_not_fit_nothing_is_known():
    assert foreign_run_started(host={"hostname": "odd", "cores": "many"}).host == HostFacts()


@pytest.mark.parametrize("part", ["plan", "host"])
@pytest.mark.parametrize("told", [3, "text", [1], True])
def test_what_is_no_object_at_all_is_refused(part, told):
    with pytest.raises(EventError):
        foreign_run_started(**{part: told})


def test_a_begin_without_a_plan_or_a_host_is_refused():
    body = json.loads(events.encode(run_started()))
    for part in ("plan", "host"):
        with pytest.raises(EventError):
            events.decode(json.dumps({name: body[name] for name in body if name != part}))


def test_a_command_to_start_nothing_is_refused():
    with pytest.raises(EventError):
        commands.decode('{"command":"start","plan":{"variants":[]}}')


def test_the_core_does_not_load_textual():
    code = (
        "import sys, vmtiming_tui.model.events, vmtiming_tui.model.commands,"
        " vmtiming_tui.model.fleet,"
        " vmtiming_tui.analysis.stats, vmtiming_tui.report.plain, vmtiming_tui.history.runs,"
        " vmtiming_tui.report.export, vmtiming_tui.engine.__main__, vmtiming_tui.cli\n"
        "sys.exit([m for m in sys.modules if m.split('.')[0] in ('textual', 'rich')] or None)"
    )

    result = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True
    )

    assert (result.returncode, result.stderr) == (0, "")
