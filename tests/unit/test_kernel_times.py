"""What kernels took over many boots: in the figures, the words, the files, and in a comparison."""

import json
import random

import pytest

from support.facts import plan
from support.kernels import kernel_fleet, log, spans, told
from support.making import FAILED, fleet_of, run_events
from support.schema import faults_of
from vmtiming_tui.analysis.cautions import CautionKind, cautions
from vmtiming_tui.analysis.comparison.compare import compare_sides
from vmtiming_tui.analysis.comparison.samples import side_of
from vmtiming_tui.analysis.exit_code import ExitCode, exit_code
from vmtiming_tui.analysis.kernel_times import KernelFigures, kernel_figures
from vmtiming_tui.analysis.summary import summarise_fleet
from vmtiming_tui.model.config import KernelDetail
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.kernel_events import KernelLog
from vmtiming_tui.model.plan import StormKind
from vmtiming_tui.report.export import render
from vmtiming_tui.report.export.from_json import fleet_of as read_back
from vmtiming_tui.report.findings import comparison_lines
from vmtiming_tui.report.kernel_report import kernel_lines, log_sections
from vmtiming_tui.report.plain import PlainReport

RUN, DETAIL = StormKind.RUN, StormKind.DETAIL
LOG = log(
    {"slow_init": 800, "[red]evil\x1b[31m": 3.5, "quick_init": 0.01},
    levels=spans({"early": 100, "device": 700}, returns=False),
    probes=spans({"0000:00:03.0": 481}),
    silences=spans({"tsc: Refined TSC clocksource calibration: 2596.140 MHz": 780}, returns=False),
    deferred=("a.sysc", "b.sysc"),
    pending=("b.sysc",),
)
CUT = KernelLog(lines=2, initcalls=spans({"slow_init": 400}), is_cut=True)


def only(fleet: Fleet) -> KernelFigures:
    (found,) = kernel_figures(fleet)
    return found


def test_each_initcall_has_its_median_and_quartiles_the_slowest_first():
    found = only(kernel_fleet([[log({"a": 10, "b": ms})] for ms in (30, 20, 40, 50, 60)]))

    (b, a) = found.initcalls
    assert (b.name, b.boots, b.median_s, b.low_s, b.high_s) == ("b", 5, 0.04, 0.03, 0.05)
    assert (a.name, a.median_s) == ("a", 0.01)
    assert (found.boots, found.initcalls_count, found.initcalls_total_s) == (5, 2, 0.05)


def test_silences_are_one_whatever_figures_the_line_has_that_ended_them():
    lines = [f"tsc: Refined calibration: {mhz} MHz at 0x{mhz:x}" for mhz in (2596, 2601)]
    found = only(kernel_fleet([[KernelLog(lines=1, silences=spans({line: 9}))] for line in lines]))

    (silence,) = found.silences
    assert (silence.name, silence.boots) == ("tsc: Refined calibration: # MHz at #", 2)


def test_the_extra_storm_stands_apart_and_warm_ups_and_reruns_are_in_no_figure():
    kinds = [StormKind.WARMUP, RUN, StormKind.RERUN, DETAIL]
    found = kernel_figures(kernel_fleet([[log({"a": ms})] for ms in (1, 2, 3, 4)], kinds=kinds))

    assert [(each.kind, each.initcalls[0].median_s) for each in found] == [
        (RUN, 0.002),
        (DETAIL, 0.004),
    ]


def test_a_few_lines_say_what_was_slow():
    assert kernel_lines(kernel_figures(kernel_fleet([[LOG, CUT]]))) == [
        "Kernel, 2 boots: 2 initcalls took 0.6018s in all",
        "      0.6s slow_init (0.5s to 0.7s)",
        "   0.0035s [red]evil\\x1b[31m, in 1 of 2",
        "  by level: early 0.1s, device 0.7s",
        "  silent for 0.78s before: tsc: Refined TSC clocksource calibration: # MHz",
        "  waited for other devices in vain: b.sysc",
        "  the begin of 1 log was lost",
    ]


def test_one_boots_own_parts_stand_under_headings_from_a_millisecond_on():
    sections = dict(log_sections(LOG))

    assert sections["Slowest initcalls"] == [
        "    800.0ms slow_init",
        "      3.5ms [red]evil\x1b[31m",
    ]
    assert sections["Devices that waited for others"] == ["a.sysc"]
    assert sections["Devices that waited for others in vain"] == ["b.sysc"]
    assert "Slowest probes" in sections


@pytest.mark.parametrize("ending", [".md", ".html", ".txt", ".json"])
def test_every_file_for_people_and_machines_has_it(ending):
    text = render(ending, kernel_fleet([[LOG], [LOG]]))

    assert "slow_init" in text.replace("\\", "")
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        (KernelDetail.ON, "| kernel details | of every boot |"),
        (KernelDetail.EXTRA, "| kernel details | of one more storm, which does not count |"),
    ],
)
def test_a_document_says_of_which_boots_it_was_asked(detail, told):
    assert told in render(".md", kernel_fleet([[LOG]], detail=detail))
    assert "kernel details" not in render(".md", fleet_of([[5.0]]))


def test_an_export_keeps_to_its_schema_and_is_read_back_whole():
    fleet = kernel_fleet([[LOG, CUT]] * 2, kinds=[RUN, DETAIL], detail=KernelDetail.EXTRA)
    text = render(".json", fleet)
    again = read_back(text)

    assert faults_of(json.loads(text)) == []
    assert kernel_figures(again) == kernel_figures(fleet)
    assert [attempt.kernel for attempt in again.attempts] == [LOG, LOG, CUT, CUT]


# A run is marked that was slowed, and one more storm counts in nothing.


def kernel_texts(fleet: Fleet) -> list[str]:
    return [each.text for each in cautions(fleet) if each.kind is CautionKind.KERNEL]


def test_a_run_whose_kernels_logged_more_is_marked():
    (text,) = kernel_texts(kernel_fleet([[LOG], [LOG]]))

    assert "slows these boots" in text
    assert "--kernel-detail=extra" in text


asked = plan(2, 1, kernel_detail=KernelDetail.ON)


def test_a_guest_that_told_nothing_of_its_kernel_is_said():
    fleet = Fleet(told(run_events([[5.0, 5.1]], started={"plan": asked}), [LOG]))
    *_, text = kernel_texts(fleet)

    assert text.startswith("1 of 2 guests told nothing of the kernel")


def test_runs_with_and_without_are_timed_differently():
    with_it, without = kernel_fleet([[LOG]] * 2), fleet_of([[5.0]] * 2)
    extra = kernel_fleet([[LOG]] * 2, kinds=[RUN, DETAIL], detail=KernelDetail.EXTRA)
    compared = compare_sides(side_of(with_it), side_of(without)).cautions

    assert any("--kernel-detail slows the boots" in caution for caution in compared)
    others = compare_sides(side_of(extra), side_of(without)).cautions
    assert not any("--kernel-detail" in caution for caution in others)


def test_the_extra_storm_is_in_no_figure_and_changes_no_exit_code():
    fleet = fleet_of([[5.0, 5.2], [FAILED, 9.0]], kinds=[RUN, DETAIL])

    assert exit_code(fleet) is ExitCode.ALL_BOOTED
    assert summarise_fleet(fleet).max_s == 5.2
    assert [line for line in PlainReport(fleet).final_lines() if "9s" in line] == []
    text, *_ = kernel_texts(fleet)
    assert text.startswith("1 of 2 boots failed in the storm for the kernel's details")


# Comparing.


def many(slow_ms: float, seed: int, storms: int = 9) -> Fleet:
    dice = random.Random(seed)

    def one() -> KernelLog:
        usual = {f"init_{number}": 5 + number for number in range(40)} | {"moved_init": slow_ms}
        return log({name: ms * dice.gauss(1, 0.03) for name, ms in usual.items()})

    return kernel_fleet([[one(), one()] for _ in range(storms)])


def test_the_initcall_that_moved_is_found_and_no_other():
    comparison = compare_sides(side_of(many(4, 1)), side_of(many(9, 2)))
    (group,) = comparison.groups

    assert [each.name for each in group.parts["initcalls"].moved] == ["moved_init"]
    assert group.parts["initcalls"].moved[0].shift_s == pytest.approx(0.005, rel=0.1)
    lines = comparison_lines(comparison)
    assert "initcalls that moved: 1 of 41 long enough to tell" in lines
    assert any(line.startswith("moved_init") for line in lines)


def test_an_initcall_of_one_side_only_moved_from_nothing():
    before, after = many(4, 1), kernel_fleet([[log({"new_init": 30})]] * 9)
    found = compare_sides(side_of(before), side_of(after)).groups[0].parts["initcalls"]

    moved = {each.name: each for each in found.moved}
    assert (moved["new_init"].first_s, moved["new_init"].second_s) == (0, 0.03)
    assert moved["moved_init"].second_s == 0


def test_few_storms_say_how_many_it_takes():
    comparison = compare_sides(side_of(many(4, 1, storms=3)), side_of(many(9, 2)))

    assert comparison.groups[0].parts["initcalls"].tested is None
    assert any("8 storms a side" in line for line in comparison_lines(comparison))


def test_where_one_side_tells_none_there_is_nothing_to_compare():
    comparison = compare_sides(side_of(many(4, 1)), side_of(fleet_of([[5.0, 5.1]] * 9)))

    assert comparison.groups[0].parts == {}
