"""compare: what two runs say of each other, and when they cannot say it."""

import json
import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from support.compared import compare
from support.facts import host, plan
from support.making import FAILED, KILLED, PENDING, TIMED_OUT, fleet_of, run_events
from support.many_hosts import many_hosts_run
from vmtiming_tui.analysis.comparison.compare import (
    ALL_BOOTED_IN,
    Gate,
    compare_all,
    compare_sides,
)
from vmtiming_tui.analysis.comparison.difference import Verdict, difference
from vmtiming_tui.analysis.comparison.doubts import NOT_IN_TURN
from vmtiming_tui.analysis.comparison.ranks import can_tell
from vmtiming_tui.analysis.comparison.samples import (
    Identity,
    Sample,
    Side,
    StormSample,
    side_of,
)
from vmtiming_tui.analysis.comparison.tolerance import KnownRun, Tolerance
from vmtiming_tui.history.runs import History
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.config import AfterReport, End
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.report.findings import comparison_lines
from vmtiming_tui.sources.event_lines import Told

DECIDED = (Verdict.SLOWER, Verdict.FASTER)


def storms(middle_s: float, count: int, seed: int = 1, vms: int = 3) -> list[list[float]]:
    chance = random.Random(seed)
    return [
        [max(0.6, chance.gauss(storm, 0.1)) for _ in range(vms)]
        for storm in [chance.gauss(middle_s, middle_s * 0.01) for _ in range(count)]
    ]


def runs(first, second, **started):
    """Two runs compared, called old and new."""
    other = fleet_of(second, run="run-2", started=started)
    return compare(fleet_of(first), other, labels=("old", "new"))


def cautions(found):
    """What makes it doubtful, but for what is said of any two runs."""
    return tuple(text for text in found.cautions if text != NOT_IN_TURN)


def row(found, name):
    return next(each for each in found.groups[0].differences if each.name == name)


def test_a_slower_run_is_found_slower_by_about_that_much():
    found = runs(storms(5.0, 8), storms(6.0, 8, seed=2))

    boot = found.groups[0].boot
    assert found.verdict is Verdict.SLOWER
    assert boot.percent == pytest.approx(20, abs=3)
    assert boot.percent_interval.low < boot.percent < boot.percent_interval.high
    assert boot.sentence.startswith("boot: slower by ")


def test_a_faster_run_is_found_faster():
    assert runs(storms(6.0, 8), storms(5.0, 8, 2)).verdict is Verdict.FASTER


def test_the_same_again_is_the_same_within_the_margin():
    found = runs(storms(5.0, 10), storms(5.0, 10, seed=3))

    assert found.verdict is Verdict.THE_SAME
    assert found.gate(5) is Gate.PASSED


def test_of_twenty_comparisons_of_the_same_about_one_cries_wolf():
    chance = random.Random(1)
    wrong = sum(
        difference(
            "boot",
            [chance.gauss(5, 0.05) for _ in range(8)],
            [chance.gauss(5, 0.05) for _ in range(8)],
        ).verdict
        in DECIDED
        for _ in range(600)
    )

    assert wrong / 600 == pytest.approx(0.05, abs=0.03)


def test_three_storms_against_three_can_tell_nothing_and_say_what_could():
    boot = runs(storms(5.0, 3), storms(50.0, 3, seed=2)).groups[0].boot

    assert boot.verdict is Verdict.CANNOT_TELL
    assert boot.percent_interval is None
    assert "3 against 3 storms cannot reach 0.05" in boot.sentence
    assert "3 against 5 could, 4 against 4 could" in boot.sentence


@pytest.mark.parametrize(("few", "many"), [(2, 8), (3, 8), (3, 10), (4, 4)])
def test_what_the_exact_distribution_can_tell_is_told_whatever_the_numbers(few, many):
    found = runs(storms(5.0, few), storms(6.0, many, seed=2))

    assert can_tell(few, many)
    assert found.verdict is Verdict.SLOWER
    assert found.gate(5) is Gate.TOO_SLOW


def test_noise_that_would_hide_a_change_cannot_tell_and_says_how_many_storms_could():
    chance = random.Random(4)
    noisy = [[[chance.gauss(6, 0.4)] for _ in range(8)] for _ in range(2)]

    boot = runs(*noisy).groups[0].boot

    assert boot.p_value > 0.05
    assert boot.verdict is Verdict.CANNOT_TELL
    assert boot.percent_interval.low < 0 < boot.percent_interval.high
    assert "storms a side would tell 5 %" in boot.sentence


def test_advice_is_capped_and_is_never_for_more_vms():
    chance = random.Random(4)
    noisy = [[[chance.uniform(3, 30)] * 20 for _ in range(8)] for _ in range(2)]

    sentence = runs(*noisy).groups[0].boot.sentence

    assert "more than 100 storms a side" in sentence
    assert "VM" not in sentence


@pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 10), (10, 1)])
def test_a_single_storm_carries_no_verdict_however_many_vms_it_had(first, second):
    found = runs(storms(5.0, first, vms=50), storms(8.0, second, vms=50, seed=2))

    boot = found.groups[0].boot
    assert found.verdict is Verdict.CANNOT_TELL
    assert boot.percent == pytest.approx(60, abs=5)
    assert "a single storm carries no verdict" in boot.sentence
    assert "6 or more a side" in boot.sentence
    assert found.gate(5) is Gate.CANNOT_TELL


def with_history(first, second, runs=8, **started):
    """Two single storms of these medians (s), and that many earlier runs within 4 % in between."""
    one = side_of(fleet_of([[first] * 3]), "old")
    other = side_of(fleet_of([[second] * 3], run="run-2", started=started), "new")
    setting = side_of(fleet_of([[5.0] * 3])).samples[0].setting
    medians = [5.0, 5.1, 4.9, 5.05]
    known = tuple(KnownRun(f"kept-{at}", setting, (medians[at % 4],)) for at in range(runs))
    return compare_sides(replace(one, known=known), other)


@pytest.mark.parametrize(("first", "second"), [(5.0, 45.0), (5.0, 7.0)])
def test_a_single_storm_beyond_all_that_the_hosts_storms_differ_by_is_told_and_why(first, second):
    slower, faster = with_history(first, second), with_history(second, first)
    boot = slower.groups[0].boot

    assert (slower.verdict, slower.gate(5)) == (Verdict.SLOWER, Gate.TOO_SLOW)
    assert (faster.verdict, faster.gate(5)) == (Verdict.FASTER, Gate.PASSED)
    assert boot.sentence.startswith(f"boot: slower by {100 * (second / first - 1):.1f} %, beyond")
    assert boot.sentence.endswith("times that storms like these differ by (8 past runs)")
    assert boot.percent_interval.low == pytest.approx(
        100 * (second / first / boot.tolerance.ratio - 1)
    )


def test_a_single_storm_within_what_the_hosts_storms_differ_by_carries_no_verdict():
    found = with_history(5.0, 5.4)
    boot = found.groups[0].boot

    assert (found.verdict, found.gate(5)) == (Verdict.CANNOT_TELL, Gate.CANNOT_TELL)
    assert boot.percent_interval is None
    assert f"no verdict within the {boot.tolerance.ratio:.3g} times" in boot.sentence
    assert "(8 past runs); 6 or more a side" in boot.sentence


def test_nine_times_as_slow_is_no_verdict_where_the_history_does_not_know_the_host():
    for found in (with_history(5.0, 45.0, runs=5), runs(storms(5.0, 1), storms(45.0, 1))):
        assert (found.verdict, found.gate(5)) == (Verdict.CANNOT_TELL, Gate.CANNOT_TELL)
        assert "where the history keeps fewer than 6 other runs like it" in (
            found.groups[0].boot.sentence
        )


@pytest.mark.parametrize(
    "change",
    [
        {"accel": "tcg"},
        {"host": host(hostname="other")},
        {"host": host(cores=2)},
        {"plan": plan(3, memory_mib=64)},
        {"plan": plan(4)},
        {"plan": None},
    ],
)
def test_single_storms_in_other_circumstances_carry_no_verdict(change):
    assert with_history(5.0, 45.0, **change).verdict is Verdict.CANNOT_TELL


def test_single_storms_of_another_guest_or_command_line_are_told_by_what_the_host_does():
    other = plan(3, append="quiet", initrd="/boot/other")

    assert with_history(5.0, 45.0, plan=other).verdict is Verdict.SLOWER
    assert with_history(5.0, 5.4, plan=other).verdict is Verdict.CANNOT_TELL


def test_a_single_storm_is_told_by_its_boot_alone():
    verdicts = {each.name: each.verdict for each in with_history(5.0, 45.0).groups[0].differences}

    assert {name for name, verdict in verdicts.items() if verdict in DECIDED} == {"boot"}


def test_past_runs_change_nothing_where_both_sides_have_storms_enough():
    one, other = (side_of(fleet_of(storms(middle, 8, seed))) for middle, seed in ((5, 1), (5.3, 2)))
    known = tuple(KnownRun(f"kept-{at}", one.samples[0].setting, (1.0 + at,)) for at in range(9))

    assert compare_sides(replace(one, known=known), other).groups == (
        compare_sides(one, other).groups
    )


def test_all_booted_in_and_every_stage_are_compared():
    names = [each.name for each in runs(storms(5.0, 4), storms(6.0, 4)).groups[0].differences]

    assert names == [
        "boot", "all booted in", "qemu", "firmware", "kernel", "initrd", "userspace", "lag",
    ]  # fmt: skip


def test_a_gate_follows_the_interval_and_cannot_tell_where_it_holds_the_limit():
    found = runs(storms(5.0, 8), storms(6.0, 8, seed=2))
    interval = found.groups[0].boot.percent_interval

    assert found.gate(interval.low - 0.1) is Gate.TOO_SLOW
    assert found.gate((interval.low + interval.high) / 2) is Gate.CANNOT_TELL
    assert found.gate(interval.high + 0.1) is Gate.PASSED


@pytest.mark.parametrize("fate", [TIMED_OUT, FAILED, KILLED])
@pytest.mark.parametrize("kept", [0, 1])
def test_vms_that_were_lost_make_a_run_slower_and_fail_the_gate(fate, kept):
    lost = [[*[4.0] * kept, *[fate] * (4 - kept)] for _ in range(6)]

    found = runs(storms(5.0, 6, vms=4), lost)

    assert found.verdict is Verdict.SLOWER
    assert math.isinf(found.groups[0].boot.percent_interval.low)
    assert found.gate(1e6) is Gate.TOO_SLOW
    assert "rank behind all others" in found.groups[0].boot.sentence
    assert any(text.startswith(f"new: {24 - 6 * kept} of 24 boots") for text in found.cautions)


def test_the_survivors_of_a_run_that_lost_vms_are_not_called_faster():
    lost = [[4.0, FAILED, FAILED, FAILED] for _ in range(6)]

    found = runs(storms(5.0, 6, vms=4), lost)
    verdicts = {each.name: each.verdict for each in found.groups[0].differences}

    assert Verdict.FASTER not in verdicts.values()
    assert verdicts["boot"] is verdicts[ALL_BOOTED_IN] is Verdict.SLOWER
    assert verdicts["kernel"] is Verdict.NOT_COMPARED
    assert row(found, "kernel").p_value is None


def test_how_many_booted_is_told_and_tested_by_storm():
    lost = [[5.0, 5.1, 5.2, FAILED] for _ in range(6)]

    losses = runs(storms(5.0, 6, vms=4), lost).groups[0].losses

    assert losses.sentence.startswith("booted: 24 of 24 against 18 of 24, a difference beyond")
    assert losses.p_value < 0.05
    assert runs(lost, lost).groups[0].losses.sentence == "booted: 18 of 24 against 18 of 24"
    assert runs(storms(5.0, 6), storms(5.0, 6)).groups[0].losses.sentence == ""


def test_a_median_between_a_boot_and_another_is_the_same_as_in_the_report():
    found = runs([[5.0, 6.0, 7.0, TIMED_OUT]] * 4, [[5.0, 6.0, 7.0, TIMED_OUT]] * 4)

    assert found.groups[0].boot.first.median == 6.5


@pytest.mark.parametrize(
    ("change", "caution"),
    [
        ({"accel": "tcg"}, "accelerator differs: kvm against tcg"),
        ({"qemu_version": "9.0.0"}, "QEMU differs: 7.2.15 against 9.0.0"),
        ({"host": host(hostname="other")}, "host differs: bench1 against other"),
        ({"host": host(kernel="6.9")}, "host kernel differs: 6.1.0-18-amd64 against 6.9"),
        (
            {"plan": plan(3, 4, timeout_s=60.0)},
            "limit of a boot (s) differs: 300 against 60",
        ),
        (
            {"plan": plan(3, 4, after_report=AfterReport.OFF)},
            "what VMs do after their report differs: freeze against off; they were timed "
            "differently: where VMs that have reported go on (off), the boots after them take "
            "longer",
        ),
    ],
)
def test_other_circumstances_are_a_caution(change, caution):
    rows = storms(5.0, 4)

    assert cautions(runs(rows, rows)) == ()
    assert cautions(runs(rows, rows, **change)) == (caution,)


def of_protocol(number, rows, run="run-1"):
    fleet = fleet_of(rows, run=run)
    for attempt in fleet.attempts:
        properties = {"protocol": str(number)} if number else {}
        attempt.details = replace(attempt.details, properties=properties)
    return fleet


def test_guests_that_report_at_another_moment_are_a_caution():
    rows = storms(5.0, 4)
    found = [
        cautions(compare(of_protocol(first, rows), of_protocol(second, rows, "run-2")))
        for first, second in ((3, 3), (2, 3), (None, 3))
    ]

    meaning = (
        "; they were timed differently: from protocol 3 on a boot ends with the first byte of its "
        "report, before the guest gathers anything (some 0.3 s sooner under TCG)"
    )
    assert found == [
        (),
        (f"the guests' protocol differs: 2 against 3{meaning}",),
        (f"the guests' protocol differs: unknown against 3{meaning}",),
    ]


def as_stored_before(events, tmp_path):
    """Return a run as the history has it of a version whose plans said nothing of reports."""
    lines = []
    for event in events:
        body = json.loads(ev.encode(event))
        if isinstance(event, ev.RoundStarted):
            continue
        if isinstance(event, ev.RunStarted):
            for name in ("after_report", "end", "shutdown_timeout_s"):
                del body["plan"]["variants"][0]["config"][name]
        line = json.dumps(body)
        lines.append(Told(line.encode(), ev.decode(line)))
    with History.open(tmp_path / "history.db") as history:
        with history.recorder() as recorder:
            recorder.write(lines)
        return history.load(history.find("last"))


def test_a_run_that_an_earlier_version_stored_is_told_from_one_of_today(tmp_path):
    rows = storms(5.0, 4)
    past = as_stored_before(run_events(rows, run="run-0"), tmp_path)

    cautions = compare(past, fleet_of(rows)).cautions

    assert past.plan.config.after_report is AfterReport.OFF
    assert cautions[0].startswith("what VMs do after their report differs: off against freeze; ")


def test_what_is_known_of_storms_that_were_timed_otherwise_is_not_held_against_these(tmp_path):
    rows = storms(5.0, 4)
    past = as_stored_before(run_events(rows, run="run-0"), tmp_path)
    off, freeze, quit_ = (
        side_of(fleet_of(rows, started={"plan": plan(3, 4, **asked)})).samples[0].setting
        for asked in ({"after_report": AfterReport.OFF}, {}, {"end": End.QUIT})
    )

    assert freeze.circumstances != off.circumstances
    assert off == side_of(past).samples[0].setting
    assert quit_ == freeze


def test_what_each_host_counts_for_itself_is_another_setting_on_several_hosts_alone():
    one, several = (
        {
            side_of(fleet(plan(9, parallel=4, parallel_per_host=each))).samples[0].setting
            for each in (False, True)
        }
        for fleet in (
            lambda asked: fleet_of(storms(5.0, 4, vms=9), started={"plan": asked}),
            lambda asked: Fleet(many_hosts_run(how={"started": {"plan": asked}})),
        )
    )

    assert (len(one), len(several)) == (1, 2)


def test_the_setting_of_a_run_that_went_the_old_way_is_what_earlier_versions_kept():
    host_, asked = host(), plan(3, 4, after_report=AfterReport.OFF)
    setting = side_of(fleet_of(storms(5.0, 4), started={"plan": asked})).samples[0].setting

    assert json.loads(setting.circumstances) == [
        host_.hostname, host_.cpu_model, host_.cores, "kvm", 3, 512, 1, "each", 0.0, None,
    ]  # fmt: skip


def test_a_run_compared_with_itself_is_said():
    fleet = fleet_of(storms(5.0, 4))

    assert compare(fleet, fleet).cautions == ("a run is compared with itself",)


def test_doubtful_boots_are_in_no_stage_and_counted_for_each_side():
    fleet = fleet_of(storms(5.0, 4), run="run-2")
    stamps = fleet.vms[1].newest.details.timestamps_us
    fleet.fold(ev.VmDetails(at_ns=9, vm=1, attempt=4, clock_us=10**15, timestamps_us=stamps))

    found = compare(fleet_of(storms(5.0, 4)), fleet, labels=("old", "new"))

    assert cautions(found) == ("new: the stages of 1 boot are doubtful and left out",)
    assert row(found, "firmware").second.max < 1


@pytest.mark.parametrize(
    ("fate", "outcome"),
    [(PENDING, None), (KILLED, ev.Outcome.STOPPED), (KILLED, ev.Outcome.INTERRUPTED)],
)
def test_a_storm_cut_short_is_left_out_of_the_comparison_and_that_is_said(fate, outcome):
    whole = storms(5.0, 5)
    cut = fleet_of([*whole, [4.0, fate, fate]], run="run-2", outcome=outcome)

    found = compare(fleet_of(whole), cut, labels=("old", "new"))

    assert found.groups[0].boot.second.size == 5
    assert cautions(found) == ("new: a storm that was cut short is left out",)


def test_vms_killed_in_a_run_that_went_on_count_as_lost():
    found = runs(storms(5.0, 5), [[5.0, KILLED, KILLED]] * 5)

    assert found.verdict is Verdict.SLOWER


def test_settings_of_two_sweeps_are_matched():
    first = [{"smp": "1"}, {"smp": "2"}]
    second = [{"smp": "2"}, {"smp": "4"}]
    rows = [[5.0] * 5, [4.0] * 5]

    found = compare(fleet_of(rows, parameters=first), fleet_of(rows, parameters=second))

    assert [group.parameters for group in found.groups] == [{"smp": "2"}]
    assert "1 setting was booted by one run only and left out" in found.cautions


def test_one_setting_that_is_slower_fails_the_gate_and_one_that_cannot_tell_holds_it_open():
    def swept(*middles):
        pairs = [(str(at), row) for at, m in enumerate(middles) for row in storms(m, 8, seed=at)]
        return fleet_of([row for _, row in pairs], parameters=[{"smp": at} for at, _ in pairs])

    base = swept(5.0, 5.0)

    assert compare(base, swept(5.0, 6.0)).gate(5) is Gate.TOO_SLOW
    assert compare(base, swept(5.0, 5.0)).gate(5) is Gate.PASSED
    assert compare(base, swept(5.0, 5.25)).gate(5) is Gate.CANNOT_TELL


def test_runs_without_a_boot_cannot_tell_and_are_no_error():
    found = compare(Fleet(), Fleet())
    assert (found.verdict, found.groups, found.gate(5)) == (
        Verdict.CANNOT_TELL, (), Gate.CANNOT_TELL,
    )  # fmt: skip

    found = compare(fleet_of([[FAILED]]), fleet_of([[5.0]]))
    assert found.gate(5) is not Gate.TOO_SLOW
    assert compare(fleet_of([[5.0]]), fleet_of([[FAILED]])).gate(5) is Gate.TOO_SLOW


times = st.lists(st.sampled_from([1.0, 1.5, 2.0]) | st.floats(0.5, 100) | st.just(math.inf),
                 max_size=12)  # fmt: skip


tolerances = st.none() | st.builds(Tolerance, st.floats(1, 20), st.integers(6, 99))


@given(times, times, tolerances)
def test_verdict_interval_p_and_advice_never_contradict_each_other(first, second, known):
    found = difference("boot", first, second, known)
    interval = found.percent_interval
    excludes = interval is not None and (interval.low > 0 or interval.high < 0)

    assert found.sentence
    assert (found.verdict in DECIDED) == excludes
    if found.p_value is not None:
        assert (found.p_value <= 0.05) == excludes
    assert bool(found.advice) == (found.verdict is Verdict.CANNOT_TELL)
    if found.verdict is Verdict.THE_SAME:
        assert -5 <= found.same_interval.low <= found.same_interval.high <= 5


def test_an_interval_that_excludes_0_is_never_worded_as_if_it_touched_it():
    nearly = difference("boot", [1.0, 1.1, 1.2, 1.3], [1.3001, 1.4, 1.5, 1.6])

    assert nearly.verdict is Verdict.SLOWER
    assert "(+0.0077 % to" in nearly.sentence
    assert difference("boot", [1.0] * 4, [1.0, 1.0, 1.0, 1.2]).verdict is Verdict.CANNOT_TELL


fates = st.floats(1, 60) | st.sampled_from([FAILED, TIMED_OUT])
rows = st.lists(st.lists(fates, min_size=2, max_size=3), min_size=1, max_size=6)


@given(rows, rows, st.floats(0.5, 100))
def test_whatever_is_compared_a_gate_fails_only_what_is_called_slower(first, second, percent):
    found = runs(first, second)

    if found.gate(percent) is Gate.TOO_SLOW:
        assert found.verdict is Verdict.SLOWER
    if found.gate(percent) is Gate.PASSED:
        assert found.verdict is not Verdict.CANNOT_TELL or found.groups[0].boot.percent_interval
    assert comparison_lines(found)


@given(st.lists(st.floats(1, 100), min_size=4, max_size=9, unique=True), st.floats(1.01, 2))
def test_turning_the_comparison_round_turns_the_verdict(sample, factor):
    other = [value * factor for value in sample]
    turned = {Verdict.SLOWER: Verdict.FASTER, Verdict.FASTER: Verdict.SLOWER}

    there = difference("boot", sample, other)
    back = difference("boot", other, sample)

    assert back.p_value == pytest.approx(there.p_value)
    if there.verdict in turned:
        assert back.verdict is turned[there.verdict]


def test_of_all_lines_together_about_one_run_in_twenty_has_one_that_is_wrong():
    chance = random.Random(22)

    def sample():
        return [
            StormSample(
                boots=(chance.gauss(5, 0.1),),
                all_booted_in=chance.gauss(6, 0.1),
                stages={str(stage): (chance.gauss(1, 0.05),) for stage in Stage},
            )
            for _ in range(8)
        ]

    wrong = wrong_boot = 0
    for _ in range(400):
        (group,) = compare_sides(of_storms(sample()), of_storms(sample())).groups
        wrong_boot += group.boot.verdict in DECIDED
        wrong += any(each.verdict in DECIDED for each in group.differences[1:])

    assert wrong_boot / 400 == pytest.approx(0.05, abs=0.03)
    assert wrong / 400 == pytest.approx(0.05, abs=0.03)


def of_storms(found, run="", setting="", **parameters):
    sample = Sample(parameters=parameters, storms=tuple(found))
    return Side(label=run, samples=(sample,), facts={}, identity=Identity(run, setting=setting))


def test_the_interval_of_a_line_that_is_one_of_many_is_the_one_that_decides():
    stages = {str(stage): 0.5 for stage in Stage}

    def sample(factor, seed):
        chance = random.Random(seed)
        return [
            StormSample(
                boots=(chance.gauss(5, 0.1),),
                all_booted_in=chance.gauss(6, 0.1),
                stages={
                    name: (chance.gauss(half, 0.02) * (factor if name == "userspace" else 1),)
                    for name, half in stages.items()
                },
            )
            for _ in range(8)
        ]

    (group,) = compare_sides(of_storms(sample(1, 51)), of_storms(sample(1.2, 72))).groups

    for each in group.differences:
        interval = each.percent_interval
        excludes = interval.low > 0 or interval.high < 0
        assert excludes == (each.p_value <= 0.05) == (each.verdict in DECIDED)
    decided = [each for each in group.differences if each.verdict in DECIDED]
    assert [each.name for each in decided] == ["userspace"]
    assert decided[0].percent_interval.confidence > 0.99 > group.boot.percent_interval.confidence


def test_the_same_within_the_margin_is_two_one_sided_tests():
    first = [5.0, 5.1, 5.2, 5.3, 5.4, 5.5, 5.6]
    found = next(
        found
        for found in (
            difference("boot", first, [value * (1 + at / 1000) for value in first])
            for at in range(1, 60)
        )
        if found.percent_interval.high > 5 and found.same_interval.high <= 5
    )

    assert found.verdict is Verdict.THE_SAME
    assert 0.9 <= found.same_interval.confidence < found.percent_interval.confidence
    assert f"{found.same_interval.high:+.1f} %" in found.sentence


def drifting(count, factor=1.0):
    """Storms of a host that takes 5 % longer from one to the next."""
    return [[5.0 * factor * 1.05**at] * 3 for at in range(count)]


def test_two_runs_one_after_the_other_say_that_a_drift_between_them_is_in_no_interval():
    assert NOT_IN_TURN in runs(storms(5.0, 4), storms(5.0, 4)).cautions
    assert NOT_IN_TURN not in runs(storms(5.0, 1), storms(5.0, 4)).cautions


def test_a_run_whose_host_drifted_is_named():
    found = runs(storms(5.0, 8), drifting(8))

    told = [text for text in found.cautions if "the host drifted" in text]
    assert len(told) == 1
    assert told[0].startswith("new: storms that follow each other are alike (the last third took")


def in_turn(first, second, turns, run="run-1"):
    """Two variants of one run, the host drifting by a tenth a block, that differ by this factor."""
    sides = []
    for setting, factor in (("smp=1", first), ("smp=2", second)):
        found = [
            StormSample(boots=(4 * factor * 1.1 ** (turn // 2) * (1 + turn % 3 / 200),), turn=turn)
            for turn in range(turns)
        ]
        sides.append(of_storms(found, run, setting))
    return sides


def test_variants_of_one_run_are_compared_round_by_round():
    found = compare_sides(*in_turn(1, 1.05, 6))

    boot = found.groups[0].boot
    assert found.verdict is Verdict.SLOWER
    assert boot.percent == pytest.approx(5)
    assert boot.rounds == 6
    assert NOT_IN_TURN not in found.cautions
    apart = compare_sides(in_turn(1, 1.05, 6)[0], in_turn(1, 1.05, 6, "run-2")[1])
    assert apart.verdict is Verdict.CANNOT_TELL
    assert apart.groups[0].boot.rounds is None


def test_fewer_rounds_than_can_tell_say_how_many_can():
    (group,) = compare_sides(*in_turn(1, 1.5, 4)).groups

    assert group.boot.sentence == "boot: cannot tell; 6 rounds or more (-r 6) can tell"


def test_rounds_are_blocks_of_two_only_where_none_is_missing():
    one, other = in_turn(1, 1.5, 6)
    storms = other.samples[0].storms
    gap = replace(other, samples=(replace(other.samples[0], storms=(*storms[:2], *storms[3:])),))

    (in_blocks,), (by_round,) = (compare_sides(one, each).groups for each in (other, gap))

    assert in_blocks.boot.p_value == pytest.approx(2 / 216)
    assert by_round.boot.p_value == pytest.approx(2 / 32)


def test_a_round_that_one_variant_alone_booted_is_left_out_and_that_is_said():
    one, other = in_turn(1, 1.05, 8)
    cut = replace(other, samples=(replace(other.samples[0], storms=other.samples[0].storms[1:7]),))

    (group,) = compare_sides(one, cut).groups

    assert (group.boot.rounds, group.unpaired) == (6, 2)
    assert group.boot.percent == pytest.approx(5)
    assert "2 storms without a partner in the round were left out" in group.sentences


def test_several_runs_are_held_against_the_first_and_share_the_level():
    chance = random.Random(3)

    def sample():
        return of_storms(StormSample(boots=(chance.gauss(5, 0.1),)) for _ in range(8))

    wrong = sum(
        any(each.verdict in DECIDED for each in compare_all(sample(), [sample() for _ in range(4)]))
        for _ in range(120)
    )
    alone, *_ = compare_all(of_storms(in_turn(1, 1, 8)[0].samples[0].storms), [sample()])

    assert wrong / 120 == pytest.approx(0.05, abs=0.04)
    assert alone.groups[0].boot.percent_interval.confidence < 0.97


def test_whoever_is_compared_beside_others_has_a_wider_interval():
    base, other = (of_storms(side.samples[0].storms, label) for side, label in zip(
        in_turn(1, 1.1, 8), ("base", "b"), strict=True))  # fmt: skip

    (alone,) = compare_all(base, [other])
    beside = compare_all(base, [other, other, other])

    assert [found.second for found in beside] == ["b", "b", "b"]
    assert beside[0].groups[0].boot.percent_interval.confidence > (
        alone.groups[0].boot.percent_interval.confidence
    )
