"""What the dashboard holds: view, model, settings; all without Textual running."""

from dataclasses import replace

import pytest

from support.facts import SECOND
from support.recording import Recorder, plan_for, smooth_run, troubled_run, until
from support.stage import FrozenClock
from vmtiming_tui.analysis.summary import summarise_fleet
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.fleet import Fleet, RunState
from vmtiming_tui.model.plan import StormKind
from vmtiming_tui.tui.state.dashboard import Model, differs, is_running
from vmtiming_tui.tui.state.dashboard_settings import load_settings
from vmtiming_tui.tui.state.live_figures import reckon
from vmtiming_tui.tui.state.view import Sort, View

TROUBLED = troubled_run(40)


@pytest.fixture
def fleet():
    return Fleet(TROUBLED)


def shown(fleet, text="", sort=Sort.ID, descending=False):
    view = View()
    view.order.sort, view.order.descending = sort, descending
    view.set_filter(text)
    view.refresh(fleet, fleet.last_ns)
    return view.shown


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("7", lambda vm: vm.id == 7),
        ("3-7", lambda vm: 3 <= vm.id <= 7),
        ("3..7", lambda vm: 3 <= vm.id <= 7),
        ("booted", lambda vm: vm.state.is_booted),
        ("timed out", lambda vm: vm.state is VmState.TIMED_OUT),
        ("!booted", lambda vm: not vm.state.is_booted),
        ("! failed", lambda vm: vm.state is not VmState.FAILED),
        ("PANICKED", lambda vm: vm.state is VmState.FAILED),
        (">6.5", lambda vm: vm.newest.elapsed_ns(0) > 6.5 * SECOND),
        ("< 3", lambda vm: vm.newest.elapsed_ns(0) < 3 * SECOND),
        ("", lambda vm: True),
        ("!", lambda vm: False),
    ],
)
def test_filter(fleet, text, wanted):
    assert shown(fleet, text) == [vm.id for vm in fleet.vms.values() if wanted(vm)]


@pytest.mark.parametrize("sort", Sort)
@pytest.mark.parametrize("descending", [False, True])
def test_every_order_has_every_vm_and_unknown_figures_last(fleet, sort, descending):
    ids = shown(fleet, sort=sort, descending=descending)
    assert sorted(ids) == list(range(40))
    if sort is Sort.RSS:
        unknown = [fleet.vms[vm].newest.usage is None for vm in ids]
        assert unknown == sorted(unknown)


def test_sort_by_time_is_by_host_seconds(fleet):
    times = [fleet.vms[vm].newest.elapsed_ns(0) for vm in shown(fleet, sort=Sort.TIME)]
    assert times == sorted(times)


def test_grid_and_list_have_an_order_each(fleet):
    view = View()
    view.sort_by(Sort.TIME)
    view.is_list = True
    view.sort_by(Sort.STATE)
    view.sort_by(Sort.STATE)
    view.is_list = False
    assert (view.order.sort, view.order.descending) == (Sort.TIME, False)
    view.is_list = True
    assert (view.order.sort, view.order.descending) == (Sort.STATE, True)


@pytest.mark.parametrize(
    ("text", "why"),
    [("7-3", "such as 3-7"), (">", "follows >, such as >20"), ("!<soon", "follows <, such as <20")],
)
def test_a_filter_that_can_match_nothing_is_refused_with_what_was_meant(text, why):
    view = View()
    view.set_filter(text)
    assert why in view.fault


def test_live_figures_are_the_summarys():
    fleet = Fleet(smooth_run(40))
    figures, summary = reckon(fleet, plan_for(40), fleet.last_ns), summarise_fleet(fleet)
    assert figures.median_ns == pytest.approx(summary.median_s * 1e9, abs=2)
    assert figures.p95_ns == pytest.approx(summary.p95_s * 1e9, abs=2)
    assert figures.max_ns == pytest.approx(summary.max_s * 1e9, abs=2)
    assert figures.booted == summary.booted == 40
    assert figures.curve[-1][1] == 40


def test_curve_returns_to_the_storm_when_a_rerun_is_over():
    half = next(event.at_ns for event in TROUBLED if getattr(event, "attempt", 1) == 2)
    during = Fleet(event for event in TROUBLED if event.at_ns <= half + SECOND)
    assert reckon(during, plan_for(40), half).curve_number == 2
    assert reckon(Fleet(TROUBLED), plan_for(40), 0).curve_number == 40


def test_a_rerun_by_a_fifth_or_more_differs_by_much():
    for slow, wanted in ((1.6, 1), (1.0, 0), (0.5, -1)):
        recorder = Recorder(1, mean_s=10)
        end = recorder.storm(0, [0])
        recorder._dice.gauss = lambda *_: 1.0
        recorder.storm(end + 1, [0], StormKind.RERUN, slow=slow)
        assert differs(Fleet(recorder.ordered()).vms[0]) == wanted


def test_model_folds_within_its_budget_and_goes_on_next_turn():
    model = Model(plan_for(2000), FrozenClock(60))
    model.take(smooth_run(2000))
    model.turn()
    waiting = model.waiting
    assert waiting > 0
    while model.waiting:
        model.turn()
    assert model.fleet.state is RunState.FINISHED


def test_frozen_picture_stands_still_and_nothing_is_lost():
    events, clock = smooth_run(8), FrozenClock(3)
    model = Model(plan_for(8), clock)
    model.take(until(events, 3))
    model.turn(everything=True)
    model.freeze(on=True)
    now = model.now_ns
    clock.at = 60
    rest = [event for event in events if event.at_ns > now]
    model.take(rest)
    assert not model.turn().vms
    assert model.now_ns == now
    assert all(attempt.exited_ns is None for attempt in model.fleet.newest)
    model.freeze(on=False)
    model.turn(everything=True)
    assert model.fleet.counts[VmState.BOOTED] == 8
    assert all(attempt.exited_ns is not None for attempt in model.fleet.newest)


def test_a_long_freeze_keeps_only_the_last_of_what_only_refines():
    model = Model(plan_for(8), FrozenClock(3))
    events = smooth_run(8)
    model.take(events)
    model.turn(everything=True)
    model.freeze(on=True)
    usage = next(event for event in events if isinstance(event, ev.VmUsage))
    for tick in range(60_000):
        model.take([replace(usage, cpu_ns=tick)])
    assert model.waiting < 15_000
    model.freeze(on=False)
    model.turn(everything=True)
    assert model.fleet.vms[usage.vm].newest.usage.cpu_ns == 59_999


def test_fleet_is_left_alone_while_it_is_held():
    model = Model(plan_for(8), FrozenClock(60))
    with model.held():
        model.take(smooth_run(8))
        model.turn()
        assert not model.fleet.vms
    model.turn(everything=True)
    assert len(model.fleet.vms) == 8


def test_a_new_run_begins_with_an_empty_fleet():
    model = Model(plan_for(8), FrozenClock(60))
    model.take(smooth_run(8))
    model.turn(everything=True)
    model.view.marked = {3}
    model.take([replace(event, run="r2") if isinstance(event, ev.RunStarted) else event
                for event in smooth_run(3)])  # fmt: skip
    assert model.turn(everything=True).new_run
    assert sorted(model.fleet.vms) == [0, 1, 2]
    assert model.plan.number == 3
    assert not model.view.marked


def test_running_is_till_the_qemu_is_gone(fleet):
    assert not any(is_running(vm) for vm in fleet.vms.values())
    half = Fleet(until(TROUBLED, 4.0))
    assert all(is_running(vm) for vm in half.vms.values() if not vm.state.is_lost)


# Settings.


def test_no_file_means_no_problem(tmp_path, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    settings = load_settings(tmp_path / "config.toml")
    assert (settings.theme, settings.ascii_only, settings.colour) == ("dark", False, True)
    assert not settings.problems


def test_file_sets_keys_theme_and_ascii(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('[ui]\ntheme = "light"\nascii = true\n[keys]\n"main.rerun" = "f5,x"\n')
    settings = load_settings(path)
    assert (settings.theme, settings.ascii_only) == ("light", True)
    assert settings.keys == {"main.rerun": "f5,x"}
    assert not settings.problems


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[keys", "is not TOML"),
        ('[keys]\nrerunn = "x"', "knows no 'rerunn'"),
        ("[keys]\nhelp = 3", "takes keys as a text"),
        ('[ui]\ntheme = "pink"', "give dark or light"),
        ('[ui]\nascii = "yes"', "true or false"),
        ("keys = 3", "is no table"),
        ('[keys]\n"main.rerun" = "K"', "K is the key of main.kill"),
    ],
)
def test_faults_of_the_file_are_told_and_do_no_harm(tmp_path, text, says):
    path = tmp_path / "config.toml"
    path.write_text(text)
    settings = load_settings(path)
    assert len(settings.problems) == 1
    assert says in settings.problems[0]
    assert str(path) in settings.problems[0]


def test_binary_file_is_told(tmp_path):
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in load_settings(path).problems[0]


@pytest.mark.parametrize(("value", "colour"), [("", True), ("1", False), ("0", False)])
def test_no_color(tmp_path, monkeypatch, value, colour):
    monkeypatch.setenv("NO_COLOR", value)
    assert load_settings(tmp_path / "none").colour is colour
