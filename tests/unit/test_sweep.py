"""sweep: the table over settings, the penalty of company, and the knee."""

import random

import pytest

from support.making import FAILED, TIMED_OUT, fleet_of
from vmtiming_tui.analysis.comparison.compare import compare_variants
from vmtiming_tui.analysis.comparison.difference import Verdict
from vmtiming_tui.analysis.comparison.samples import Sample, StormSample
from vmtiming_tui.analysis.sweep import sweep_of
from vmtiming_tui.errors import ConfigError
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.report.findings import sweep_lines
from vmtiming_tui.request.sweeps import build_plan, sweep_values

RAW = {"prefix": "vm", "kernel": "k"}


def number_sweep(rows):
    """A run over ``number``: each row is (N, boot seconds), twice, the second time backwards."""
    turns = [*rows, *reversed(rows)]
    return sweep_of(
        fleet_of(
            [[boot] * number for number, boot in turns],
            parameters=[{"number": str(number)} for number, _ in turns],
            skew_s=0.0,
        )
    )


def test_a_run_without_a_sweep_has_no_table():
    assert sweep_of(fleet_of([[5.0], [6.0]])) is None


def test_the_table_has_a_row_a_setting():
    sweep = number_sweep([(1, 4.0), (2, 5.0), (4, 8.0)])

    assert sweep.names == ("number",)
    assert [row.parameters for row in sweep.rows] == [
        {"number": "1"},
        {"number": "2"},
        {"number": "4"},
    ]
    assert [row.boot.median for row in sweep.rows] == [4.0, 5.0, 8.0]
    assert [row.storms for row in sweep.rows] == [2, 2, 2]
    assert [row.relative for row in sweep.rows] == [1.0, 1.25, 2.0]
    assert [row.vms_per_s for row in sweep.rows] == [0.25, 0.4, 0.5]


def test_the_penalty_is_told_by_stage():
    penalty = number_sweep([(1, 4.4), (4, 8.4)]).penalties[0]

    assert (penalty.base, penalty.number) == (1, 4)
    assert penalty.boot == pytest.approx(8.4 / 4.4)
    assert penalty.stages[Stage.FIRMWARE] == pytest.approx(1)
    assert penalty.added_s[Stage.FIRMWARE] == pytest.approx(0)
    assert penalty.stages[Stage.KERNEL] == pytest.approx(7.98 / 3.98)
    assert sum(penalty.added_s.values()) == pytest.approx(4.0)


def test_the_knee_is_where_more_vms_bring_no_more_per_second():
    assert number_sweep([(1, 4.0), (2, 4.0), (4, 8.0), (8, 16.0)]).knees[0].number == 2


def test_a_rate_that_still_grows_has_no_knee_yet():
    knee = number_sweep([(1, 4.0), (2, 4.0), (4, 4.0)]).knees[0]

    assert (knee.number, knee.vms_per_s) == (None, 1.0)


def test_a_rate_that_falls_has_its_knee_at_its_height():
    assert number_sweep([(1, 4.0), (2, 4.0), (4, 12.0)]).knees[0].number == 2


def test_each_other_setting_has_a_knee_of_its_own():
    settings = [
        {"number": "1", "smp": "1"},
        {"number": "2", "smp": "1"},
        {"number": "1", "smp": "2"},
        {"number": "2", "smp": "2"},
    ]
    rows = [[4.0], [8.0, 8.0], [3.0], [3.0, 3.0]]

    sweep = sweep_of(fleet_of(rows, parameters=settings, skew_s=0.0))

    assert [(knee.parameters, knee.number) for knee in sweep.knees] == [
        ({"smp": "1"}, 1),
        ({"smp": "2"}, None),
    ]


def test_a_setting_that_never_booted_stays_in_the_table():
    sweep = sweep_of(
        fleet_of([[5.0], [TIMED_OUT]], parameters=[{"memory": "512"}, {"memory": "64"}])
    )

    assert [(row.booted, row.attempts) for row in sweep.rows] == [(1, 1), (0, 1)]
    assert sweep.rows[1].boot is None


@pytest.mark.parametrize("text", ["", "-4", "many", "1e3", "٤", "9" * 400])
def test_a_number_that_is_none_gives_no_knee_and_no_error(text):
    sweep = sweep_of(fleet_of([[5.0], [6.0]], parameters=[{"number": "1"}, {"number": text}]))

    assert (len(sweep.rows), sweep.knees, sweep.penalties) == (2, (), ())


def test_a_plan_of_a_sweep_has_every_combination_forth_and_back():
    plan = build_plan(
        RAW, sweeps=[("number", "1,2"), ("memory", "256,512")], runs="2", warmup="1", files=False
    )

    assert [variant.parameters for variant in plan.variants] == [
        {"number": "1", "memory": "256"},
        {"number": "1", "memory": "512"},
        {"number": "2", "memory": "256"},
        {"number": "2", "memory": "512"},
    ]
    assert [variant.config.memory_mib for variant in plan.variants] == [256, 512, 256, 512]
    order = [storm.variant.parameters["number"] for storm in plan.storms()]
    assert order == list("112222111122")
    assert (plan.number, len(plan)) == (2, 12)


@pytest.mark.parametrize("name", ["after_report", "after-report"])
def test_what_booted_vms_do_can_be_varied_by_its_name_or_as_its_option_is_spelt(name):
    plan = build_plan(RAW, sweeps=[(name, "freeze,off")], runs="2", files=False)

    words = [str(storm.variant.config.after_report) for storm in plan.storms()]
    assert words == ["freeze", "off", "off", "freeze"]
    assert [dict(variant.parameters) for variant in plan.variants] == [
        {"after_report": "freeze"}, {"after_report": "off"},
    ]  # fmt: skip


def test_a_comma_that_belongs_to_a_value_is_kept():
    assert sweep_values(r"console=ttyS0\,115200,quiet") == ["console=ttyS0,115200", "quiet"]


def test_every_fault_of_a_plan_is_found_at_once():
    with pytest.raises(ConfigError) as caught:
        build_plan(
            {"prefix": "", "kernel": "k"},
            sweeps=[("memory", "256,lots"), ("smp", "1,2")],
            warmup="-1",
            runs="0",
            name="two\nlines",
            files=False,
        )

    texts = "\n".join(str(problem) for problem in caught.value.problems)
    for flag in ("--prefix", "--memory: 'lots'", "--warmup", "--runs", "--name"):
        assert flag in texts
    assert len(caught.value.problems) == 5


@pytest.mark.parametrize(
    ("sweeps", "words"),
    [
        ([("colour", "red,blue")], "'colour' cannot be varied; give one of number, memory"),
        ([("smp", "1,2"), ("smp", "4")], "smp is given twice"),
        ([("after-report", "run"), ("after_report", "off")], "after_report is given twice"),
        ([("after_report", "freeze,gone")], "'gone' is none of freeze, run, off"),
        ([("smp", "1,,2")], "smp has an empty value"),
        ([("smp", "2,1,2")], "smp has a value twice"),
        ([("number", ",".join(map(str, range(1, 1200))))], "are too many"),
    ],
)
def test_a_sweep_that_cannot_be_is_said_with_its_remedy(sweeps, words):
    with pytest.raises(ConfigError, match=words):
        build_plan(RAW, sweeps=sweeps, files=False)


def test_how_fast_vms_start_can_be_varied_over_all_hosts_and_on_each():
    sweeps = [("rate", "2,4/host"), ("parallel", "8,4/host")]
    plan = build_plan(RAW, sweeps=sweeps, files=False)

    assert [
        (each.stagger_s, each.stagger_per_host, each.parallel, each.parallel_per_host)
        for each in (variant.config for variant in plan.variants)
    ] == [
        (0.5, False, 8, False), (0.5, False, 4, True), (0.25, True, 8, False), (0.25, True, 4, True)
    ]  # fmt: skip
    assert plan.variants[3].parameters == {"rate": "4/host", "parallel": "4/host"}


def test_no_kernel_arguments_is_a_value_too():
    plan = build_plan(RAW, sweeps=[("append", ",quiet")], files=False)

    assert [variant.config.append for variant in plan.variants] == ["", "quiet"]


def test_without_a_sweep_the_plan_is_its_config():
    plan = build_plan(RAW | {"number": "3"}, runs="2", prepare="sync", name="nightly", files=False)

    assert (plan.variants[0].parameters, plan.config.number, len(plan)) == ({}, 3, 2)
    assert (plan.prepare, plan.name) == ("sync", "nightly")


def test_a_setting_in_which_half_the_vms_never_booted_is_not_ranked_first():
    rows = [[5.0, 5.0, 5.0, 5.0], [4.0, 4.0, FAILED, FAILED]] * 2
    parameters = [{"smp": "1"}, {"smp": "2"}] * 2

    whole, lossy = sweep_of(fleet_of(rows, parameters=parameters, skew_s=0)).rows

    assert (whole.relative, whole.boot.median) == (1.0, 5.0)
    assert (lossy.relative, lossy.boot, lossy.all_booted_in) == (None, None, None)
    assert (lossy.booted, lossy.attempts) == (4, 8)


def test_a_setting_that_lost_few_is_ranked_by_a_median_that_counts_them():
    rows = [[5.0, 6.0, 7.0, TIMED_OUT], [6.4, 6.4, 6.4, 6.4]]
    parameters = [{"smp": "1"}, {"smp": "2"}]

    lossy, whole = sweep_of(fleet_of(rows, parameters=parameters, skew_s=0)).rows

    assert (lossy.boot.median, whole.relative) == (6.5, 1.0)


def turns_of(factors, count, *, fates=None):
    """A run that boots each setting in turn on a host that takes longer and longer."""
    rows, parameters = [], []
    for turn in range(count):
        order = list(factors) if turn % 2 == 0 else list(reversed(factors))
        for smp in order:
            lost = (fates or {}).get(smp, [])
            boot = 4 * factors[smp] * 1.1 ** (turn // 2) * (1 + (turn % 3) / 300)
            rows.append([*[boot] * (4 - len(lost)), *lost])
            parameters.append({"smp": smp})
    return fleet_of(rows, parameters=parameters, skew_s=0)


def test_each_setting_gets_a_verdict_against_the_first_round_by_round():
    sweep = sweep_of(turns_of({"1": 1.0, "2": 0.9, "4": 1.01}, 8))

    assert sweep.reference == {"smp": "1"}
    assert [group.parameters for group in sweep.against] == [{"smp": "2"}, {"smp": "4"}]
    faster, slower = (group.boot for group in sweep.against)
    assert (faster.verdict, slower.verdict) == (Verdict.FASTER, Verdict.SLOWER)
    assert faster.percent == pytest.approx(-10)
    lines = sweep_lines(sweep)
    assert "smp=1: what the others are held against, round by round." in lines
    assert any(line.startswith("smp=2: faster by 10.0 % (-10.") for line in lines)


def test_a_setting_that_lost_vms_is_not_called_faster_without_that():
    sweep = sweep_of(turns_of({"1": 1.0, "2": 0.9}, 6, fates={"2": [FAILED]}))

    (line,) = [line for line in sweep_lines(sweep) if line.startswith("smp=2:")]
    assert "booted: 24 of 24 against 18 of 24, a difference beyond chance" in line


def test_too_few_turns_say_once_how_many_it_takes():
    sweep = sweep_of(turns_of({"1": 1.0, "2": 0.9, "4": 1.1}, 2))

    lines = [line for line in sweep_lines(sweep) if "rounds" in line]
    assert lines == ["each of the others: cannot tell; 7 rounds or more (-r 7) can tell."]


def test_settings_booted_once_get_no_verdict_and_no_words_about_it():
    sweep = sweep_of(turns_of({"1": 1.0, "2": 0.9}, 1))

    assert sweep.against == ()
    assert not any("held against" in line for line in sweep_lines(sweep))


def test_a_turn_that_was_not_finished_is_left_out():
    whole = turns_of({"1": 1.0, "2": 0.9}, 7)
    last = max(whole.storms)
    for vm in whole.vms.values():
        vm.attempts[:] = [attempt for attempt in vm.attempts if attempt.storm != last]

    (group,) = sweep_of(whole).against
    assert (group.boot.rounds, group.unpaired) == (6, 1)
    assert "1 storm without a partner in the round was left out" in group.words


def test_about_one_sweep_of_the_same_in_twenty_has_a_verdict():
    chance = random.Random(5)
    wrong = 0
    for _ in range(150):
        samples = [
            Sample(
                parameters={"smp": str(at)},
                storms=tuple(
                    StormSample(boots=(chance.gauss(5, 0.2),), turn=turn) for turn in range(8)
                ),
            )
            for at in range(4)
        ]
        wrong += any(group.boot.is_decided for group in compare_variants(samples))

    assert wrong / 150 == pytest.approx(0.05, abs=0.045)
