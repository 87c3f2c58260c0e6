"""Tables in their three forms; comparisons, sweeps and slow VMs in words that line up."""

import unicodedata

import pytest

from support.compared import compare
from support.exported import Elements
from support.facts import MS
from support.making import FAILED, fleet_of, run_events
from vmtiming_tui.analysis.straggler import blamed_ns, straggler
from vmtiming_tui.analysis.sweep import sweep_of
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.attempt import Attempt, VmState
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.report.aligned import aligned_lines
from vmtiming_tui.report.export.html.parts import html_table
from vmtiming_tui.report.export.markdown_parts import markdown_table
from vmtiming_tui.report.findings import (
    comparison_lines,
    found_lines,
    sweep_lines,
    warning_lines,
)
from vmtiming_tui.report.straggler import straggler_lines
from vmtiming_tui.report.tables import (
    Align,
    Head,
    Table,
    foreign,
    own,
    share,
    state_word,
    sweep_table,
    took,
)

OLD = [[5.0 + 0.01 * storm] for storm in range(6)]
SETTINGS = [{"memory": "256"}, {"memory": "512"}]
NEW = [[6.0 + 0.01 * storm] for storm in range(6)]


def test_columns_line_up():
    names = Table(
        heads=(Head("name", Align.LEFT), Head("n")),
        rows=((own("a"), own("10")), (own("long name"), own("5"))),
    )

    assert aligned_lines(names) == [
        "name        n",
        "a          10",
        "long name   5",
    ]


def mixed_table() -> Table:
    return Table(
        heads=(
            Head("of", Align.LEFT), Head("state", Align.LEFT), Head("median"),
            Head("VMs per second", short="VMs/s", is_detail=True), Head("said", Align.WRAPPED),
        ),
        rows=(
            (foreign("a|b"), state_word(VmState.FAILED), took(5.02789), share(1, 2), foreign("")),
            (foreign("c"), state_word(VmState.BOOTED), took(None), share(2, 2), foreign("<i>")),
        ),
    )  # fmt: skip


def test_one_table_is_rendered_in_short_words_for_a_terminal():
    assert aligned_lines(mixed_table()) == [
        "of   state   median  VMs/s  said",
        "a|b  failed  5.028s    1/2",
        "c    booted       -    2/2  <i>",
    ]


def test_one_table_is_rendered_in_full_words_for_markdown_and_obeys_no_foreign_one():
    assert markdown_table(mixed_table()) == [
        "| of | state | median | VMs per second | said |",
        "| --- | --- | ---: | ---: | --- |",
        "| a&#124;b | failed | 5.028 s | 1 of 2 | – |",
        "| c | booted | – | 2 of 2 | &#60;i&#62; |",
        "",
    ]


def test_one_table_is_rendered_for_html_with_marks_and_all_digits_to_sort_by():
    page = Elements()
    page.feed(html_table(mixed_table(), name="mixed"))
    rows = [attributes for name, attributes in page.found if attributes.get("scope") == "row"]
    cells = [attributes for name, attributes in page.found if name == "td"]

    assert ("table", {"class": "sortable", "id": "mixed"}) in page.found
    assert [row["class"] for row in rows] == ["left", "left"]
    assert [cell.get("class") for cell in cells[:4]] == ["left failed", None, None, "said"]
    assert [cell.get("data-value") for cell in cells[1::4]] == ["5.02789", ""]
    assert "✗ failed5.028 s1 of 2" in page.text
    assert page.text.endswith("<i>")


def test_a_table_without_its_details_has_none_of_their_cells():
    brief = mixed_table().without_details()

    assert [head.title for head in brief.heads] == ["of", "state", "median", "said"]
    assert [[cell.short for cell in row] for row in brief.rows] == [
        ["a|b", "failed", "5.028s", ""],
        ["c", "booted", "-", "<i>"],
    ]


def test_a_sweep_says_the_same_in_every_form():
    table = sweep_table(sweep_of(fleet_of([[5, 6], [7, FAILED]], parameters=SETTINGS)))
    terminal, markdown = aligned_lines(table), markdown_table(table)

    assert len(terminal) == len(markdown) - 2 == 3
    assert terminal[0].split()[:4] == ["memory", "storms", "booted", "boot"]
    assert terminal[1].split()[:4] == ["256", "1", "2/2", "5.5s"]
    assert markdown[2].startswith("| 256 | 1 | 2 of 2 | 5.500 s |")
    assert markdown[3].startswith("| 512 | 1 | 1 of 2 | – |")


def test_a_comparison_is_a_table_and_a_sentence():
    lines = comparison_lines(compare(fleet_of(OLD), fleet_of(NEW), labels=("old", "new")))

    assert lines[0].startswith("Held against run-1, 2023-11-1")
    assert lines[1].split() == [
        "stage", "old", "interval", "new", "interval", "change", "interval", "p",
    ]  # fmt: skip
    boot = lines[2].split()
    assert boot[:6] == ["boot", "5.025s", "5s..5.05s", "6.025s", "6s..6.05s", "+19.9%"]
    assert boot[-1] == "slower"
    assert any(line.startswith("boot: slower by 19.9 % (+1") for line in lines)


def test_a_comparison_carries_its_warnings():
    other = fleet_of(NEW, run="run-2", started={"accel": "tcg"})

    lines = comparison_lines(compare(fleet_of(OLD), other))

    assert "Warning: accelerator differs: kvm against tcg" in lines


def test_runs_with_nothing_in_common_say_so():
    assert comparison_lines(compare(Fleet(), Fleet()))[1].startswith("The two runs have no setting")


def test_a_sweep_is_a_table_the_penalty_and_the_knee():
    rows = [[4.4], [4.4] * 2, [8.4] * 4]
    parameters = [{"number": "1"}, {"number": "2"}, {"number": "4"}]

    lines = sweep_lines(sweep_of(fleet_of(rows, parameters=parameters, skew_s=0.0)))

    assert lines[0].split() == [
        "number", "storms", "booted", "boot", "interval", "all", "booted", "in", "VMs/s",
        "relative",
    ]  # fmt: skip
    assert lines[3].split() == ["4", "1", "4/4", "8.4s", "-", "8.4s", "0.476", "1.91"]
    assert lines[-2] == (
        "4 VMs at once against 1: a boot takes 1.91 times as long "
        "(userspace +2s, initrd +1.2s, kernel +0.8s)"
    )
    assert lines[-1] == "VMs per second stop growing at 2 VMs (0.455 a second)"


def test_foreign_names_steer_nothing():
    fleet = fleet_of(OLD[:2], parameters=[{"append": "a"}, {"append": "\x1b[2J\u202e"}])
    lines = [
        *sweep_lines(sweep_of(fleet)),
        *comparison_lines(compare(fleet, fleet, labels=("\x1b]0;", "b"))),
    ]

    assert not [
        char for line in lines for char in line if unicodedata.category(char) in ("Cc", "Cf")
    ]


def slow_details(vm: int, clock_us: int, slowest: tuple[str, ...]) -> ev.VmDetails:
    return ev.VmDetails(
        at_ns=99,
        vm=vm,
        attempt=1,
        clock_us=clock_us,
        timestamps_us={
            "InitRDTimestampMonotonic": 1_000_000,
            "UserspaceTimestampMonotonic": 2_000_000,
            "FinishTimestampMonotonic": clock_us - 10_000,
        },
        slowest=slowest,
    )


def straggling_fleet() -> Fleet:
    return Fleet(
        [
            *run_events([[5.0, 5.1, 9.0]], skew_s=0.0, text="up"),
            slow_details(1, 4_600_000, ("1.2s dev-vda.device", "300ms ssh.service")),
            slow_details(2, 8_500_000, ("1.3s dev-vda.device", "3.300s ssh.service", "junk")),
            ev.VmUsage(at_ns=99, vm=2, attempt=1, vcpu_run_ns=6 * MS, vcpu_wait_ns=2 * MS),
        ]
    )


def test_the_straggler_is_explained_by_its_stages_and_units():
    found = straggler(straggling_fleet().newest)

    assert (found.slowest.vm, found.median_ns, found.behind_ns) == (2, 5100 * MS, 3900 * MS)
    assert next(iter(found.added_ns)) is Stage.USERSPACE
    assert found.added_ns[Stage.USERSPACE] == 3900 * MS
    assert [(unit.name, unit.added_ns) for unit in found.units] == [
        ("ssh.service", 3000 * MS),
        ("dev-vda.device", 100 * MS),
    ]
    assert straggler_lines(found) == [
        "VM 2 was the slowest: +3.9 s to the median, 9s in all",
        "  by stage: userspace +3.9s",
        "  ssh.service: 3.3s against 0.3s, 77 % of the delay",
        "  dev-vda.device: 1.3s against 1.2s, 3 % of the delay",
        "  it waited for a free core 25 % of its time",
    ]


@pytest.mark.parametrize("boots", [[], [5.0], [5.0, FAILED]])
def test_one_vm_alone_is_no_straggler(boots):
    assert straggler(fleet_of([boots]).newest if boots else []) is None


def test_blame_is_read_as_systemd_writes_it():
    lines = ("1min 2.345s apt.service", "   988ms udev.service", "", "x" * 9999)

    attempt = Attempt(0, 1, 1, 1, details=slow_details(0, 1, lines))
    assert blamed_ns(attempt) == {
        "apt.service": 62_345 * MS,
        "udev.service": 988 * MS,
    }


def test_warnings_of_a_comparison_stand_apart_from_what_was_found():
    comparison = compare(fleet_of(OLD), fleet_of([[5, FAILED]]), labels=("Warning: a", "b"))

    assert len(warning_lines(comparison)) == len(comparison.cautions) > 0
    assert not set(warning_lines(comparison)) & set(found_lines(comparison))
    assert comparison_lines(comparison) == [*found_lines(comparison), *warning_lines(comparison)]


def test_durations_of_a_column_share_their_digits_and_no_more_than_the_largest_needs():
    def lines(*values):
        table = Table(heads=(Head("took"),), rows=tuple((took(value),) for value in values))
        return [line.strip() for line in aligned_lines(table)[1:]]

    assert lines(3.46, 4.156, 0.1, None) == ["3.460s", "4.156s", "0.100s", "-"]
    assert lines(57.5, 0.0234) == ["57.50s", "0.02s"]
    assert lines(6.0, 12.0) == ["6s", "12s"]
    assert lines(0.0) == ["0s"]
