"""RUN:setting: a part of a run, by whatever name the run has."""

from dataclasses import replace

import pytest

from support.making import as_told, fleet_of, run_events
from support.past_runs import keep, named
from vmtiming_tui.analysis.comparison.compare import Verdict, compare_sides
from vmtiming_tui.analysis.comparison.doubts import NOT_IN_TURN
from vmtiming_tui.analysis.comparison.parts import part_of
from vmtiming_tui.analysis.comparison.samples import Identity, side_of
from vmtiming_tui.errors import VmTimingError
from vmtiming_tui.history.lookup import side_named
from vmtiming_tui.history.runs import History
from vmtiming_tui.report.export import write_export

SETTINGS = [
    {"smp": "1", "append": "console=ttyS0:1"},
    {"smp": "1", "append": "quiet a=b, c"},
    {"smp": "2", "append": "console=ttyS0:1"},
    {"smp": "2", "append": "quiet a=b, c"},
]
TURNS = [*SETTINGS, *reversed(SETTINGS)] * 4
BOOTS = [[5.0 + at / 50 - (0.5 if parameters["smp"] == "2" else 0)]
         for at, parameters in enumerate(TURNS)]  # fmt: skip


@pytest.fixture
def state(tmp_path, monkeypatch):
    """The user's history, with one sweep that is called nightly."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with History.open() as history:
        keep(history, run_events(BOOTS, parameters=TURNS, started=named("nightly")))
    return tmp_path


def settings_of(side):
    return [dict(sample.parameters) for sample in side.samples]


def test_a_part_is_a_run_whose_settings_are_what_is_left_of_its_own():
    part = part_of(side_of(fleet_of(BOOTS, parameters=TURNS), "nightly"), "smp=2")

    assert part.label == "nightly:smp=2"
    assert part.identity.setting == "smp=2"
    assert settings_of(part) == [{"append": each["append"]} for each in SETTINGS[2:]]


@pytest.mark.parametrize("text", ["smp=2,append=quiet a=b, c", "append=quiet a=b, c smp=2"])
def test_several_settings_name_one_and_their_values_may_have_commas_and_spaces(text):
    part = part_of(side_of(fleet_of(BOOTS, parameters=TURNS)), text)

    assert settings_of(part) == [{}]
    assert len(part.samples[0].storms) == 8


@pytest.mark.parametrize("text", ["smp=3", "memory=512", "smp=2,append=none", "smp", "="])
def test_what_was_not_booted_is_no_part_and_what_was_is_said(text):
    side = side_of(fleet_of(BOOTS, parameters=TURNS), "nightly")

    with pytest.raises(VmTimingError, match="nightly booted nothing with") as caught:
        part_of(side, text)
    assert caught.value.hint.startswith("it booted smp=1 append=console=ttyS0:1, ")


def test_a_run_without_a_sweep_has_no_parts():
    with pytest.raises(VmTimingError) as caught:
        part_of(side_of(fleet_of([[5.0]])), "smp=2")

    assert caught.value.hint == "its settings were not varied"


@pytest.mark.parametrize("name", ["last", "nightly", "run-1"])
@pytest.mark.parametrize(
    "setting", ["smp=2", "append=console=ttyS0:1", "smp=1,append=quiet a=b, c"]
)
def test_a_part_is_named_behind_any_name_of_its_run(state, name, setting):
    side = side_named(f"{name}:{setting}")

    assert side.label == f"nightly:{setting.replace(',append', ' append')}"
    assert all(sample.storms for sample in side.samples)


def test_parts_of_an_exported_file_are_named_as_those_of_a_kept_run(state):
    path = state / "sweep.json"
    write_export(path, fleet_of(BOOTS, parameters=TURNS))

    assert side_named(f"{path}:smp=1").label == "sweep.json:smp=1"


def test_two_parts_of_one_run_are_compared_round_by_round_setting_by_setting(state):
    found = compare_sides(side_named("last:smp=1"), side_named("last:smp=2"))

    assert [group.boot.rounds for group in found.groups] == [8, 8]
    assert found.verdict is Verdict.FASTER
    assert NOT_IN_TURN not in found.cautions
    assert found.second == "nightly:smp=2"


def test_a_part_against_a_part_of_another_run_is_not_paired(state):
    other = side_of(fleet_of(BOOTS, parameters=TURNS, run="run-2"))

    found = compare_sides(side_named("last:smp=1"), part_of(other, "smp=2"))

    assert [group.boot.rounds for group in found.groups] == [None, None]
    assert NOT_IN_TURN in found.cautions


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nigthly:smp=2", "no run in the history is called 'nigthly'"),
        ("nightly:smp=8", "nightly booted nothing with smp=8"),
        ("nothing.json:smp=2", "nothing.json cannot be read"),
        ("nightly:", "no run in the history is called 'nightly:'"),
        (":smp=2", "no run in the history is called ':smp=2'"),
    ],
)
def test_a_name_that_is_none_is_said_with_what_is_wrong_about_it(state, text, words):
    with pytest.raises(VmTimingError) as caught:
        side_named(text)

    assert words in caught.value.message
    assert caught.value.hint


def test_a_run_held_against_a_part_is_so_again_when_it_is_exported(state):
    part = side_named("nightly:smp=2")
    with History.open() as history:
        with history.recorder(baseline=part.identity) as recorder:
            events = run_events([[5.0]] * 6, run="run-2", started={"wall_ns": 5})
            recorder.write(as_told(events))
        kept = history.baseline_of(history.find("run-2"))

    assert (kept.label, kept.identity) == (part.label, part.identity)
    assert settings_of(kept) == settings_of(part)
    assert str(replace(Identity("run-1"), setting="smp=2")) == "run-1, smp=2"
