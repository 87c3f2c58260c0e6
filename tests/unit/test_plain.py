"""plain: the original tool's report, line for line, and a line for what it had none for."""

import shlex
import subprocess
import unicodedata

import pytest
from hypothesis import given, settings, strategies as st

from support.facts import SECOND, argv
from support.making import FAILED, KILLED, PENDING, TIMED_OUT, fleet_of, run_events, storm_events
from vmtiming_tui.escape import shell_line
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import StormKind
from vmtiming_tui.report.plain import PlainReport

STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}

# The figures and words of the original's README (2014).
ORIGINAL = [
    (13.64, "988ms (kernel) + 1.167s (initrd) + 2.001s (userspace) = 4.158s"),
    (14.48, "1.785s (kernel) + 950ms (initrd) + 1.540s (userspace) = 4.276s"),
    (8.385, "898ms (kernel) + 1.518s (initrd) + 1.479s (userspace) = 3.896s"),
    (13.97, "1.200s (kernel) + 2.031s (initrd) + 966ms (userspace) = 4.199s"),
    (10.3, "900ms (kernel) + 1.217s (initrd) + 2.039s (userspace) = 4.157s"),
    (14.39, "1.773s (kernel) + 1.883s (initrd) + 1.504s (userspace) = 5.161s"),
    (13.23, "1.007s (kernel) + 1.536s (initrd) + 2.028s (userspace) = 4.572s"),
    (13.62, "1.579s (kernel) + 1.228s (initrd) + 1.723s (userspace) = 4.532s"),
]
ORIGINAL_END = [
    "VM 0 booted in: 13.64s: Startup finished in "
    "988ms (kernel) + 1.167s (initrd) + 2.001s (userspace) = 4.158s",
    "VM 1 booted in: 14.48s: Startup finished in "
    "1.785s (kernel) + 950ms (initrd) + 1.540s (userspace) = 4.276s",
    "VM 2 booted in: 8.385s: Startup finished in "
    "898ms (kernel) + 1.518s (initrd) + 1.479s (userspace) = 3.896s",
    "VM 3 booted in: 13.97s: Startup finished in "
    "1.200s (kernel) + 2.031s (initrd) + 966ms (userspace) = 4.199s",
    "VM 4 booted in: 10.3s: Startup finished in "
    "900ms (kernel) + 1.217s (initrd) + 2.039s (userspace) = 4.157s",
    "VM 5 booted in: 14.39s: Startup finished in "
    "1.773s (kernel) + 1.883s (initrd) + 1.504s (userspace) = 5.161s",
    "VM 6 booted in: 13.23s: Startup finished in "
    "1.007s (kernel) + 1.536s (initrd) + 2.028s (userspace) = 4.572s",
    "VM 7 booted in: 13.62s: Startup finished in "
    "1.579s (kernel) + 1.228s (initrd) + 1.723s (userspace) = 4.532s",
    "Average boot: 12.75s",
    "It took 14.48s to boot all VMs",
]


def stream(events):
    """Everything a reader of standard output sees, and what goes to standard error."""
    fleet = Fleet()
    report, out, err = PlainReport(fleet), [], []
    for event in events:
        fleet.fold(event)
        out += report.lines_for(event)
        err += report.diagnostics_for(event)
    return [*out, *report.final_lines()], err


def original_run():
    events = run_events([[boot for boot, _ in ORIGINAL]], skew_s=0.0, with_details=False)
    return [
        ev.VmBooted(
            at_ns=event.at_ns,
            vm=event.vm,
            attempt=event.attempt,
            report_ns=event.report_ns,
            uncertainty_ns=0,
            text=f"Startup finished in {ORIGINAL[event.vm][1]}",
        )
        if isinstance(event, ev.VmBooted)
        else event
        for event in events
    ]


def test_the_end_of_the_originals_readme_comes_out_verbatim():
    out, err = stream(original_run())

    assert out[-10:] == ORIGINAL_END
    assert err == []


def test_what_is_streamed_is_what_the_original_printed():
    out, _ = stream(original_run())

    assert out[:8] == [shlex.join(argv(vm)) for vm in range(8)]
    assert out[8:10] == ["All machines booted", ""]
    assert out[10:18] == [f"Got a connection: {number}" for number in range(4, 12)]
    assert sorted(out[18:26]) == [f"VM {vm} reported as booted" for vm in range(8)]
    assert out[18] == "VM 2 reported as booted"


def test_vms_that_did_not_boot_have_a_line_of_their_own_and_no_part_in_the_average():
    out, err = stream(run_events([[5.0, FAILED, TIMED_OUT, KILLED, 7.0]], skew_s=0.0))

    assert out[-7].startswith("VM 0 booted in: 5s: Startup finished in ")
    assert out[-6:-3] == [
        "VM 1 failed: the guest's kernel panicked",
        "VM 2 timed out: no report within 30 s",
        "VM 3 killed: killed on request",
    ]
    assert out[-2:] == ["Average boot: 6s", "It took 7s to boot 2 of 5 VMs"]
    assert "VM 1 failed: the guest's kernel panicked" in err
    assert "  qemu: oh dear" in err
    assert "VM 2 timed out: no report within 30 s" in err


def test_all_machines_are_launched_even_if_one_never_could_be():
    events = [
        event
        for event in run_events([[5.0, FAILED]], skew_s=0.0)
        if not (isinstance(event, (ev.VmLaunched, ev.ReportConnected)) and event.vm == 1)
    ]

    out, _ = stream(events)

    assert out.index("All machines booted") > out.index(shlex.join(argv(0)))
    assert out.count("All machines booted") == 1


def test_a_run_in_which_nothing_booted_says_so():
    out, _ = stream(run_events([[FAILED, FAILED]]))

    assert out[-1] == "None of 2 VMs booted"
    assert not any("Average" in line for line in out)


def test_a_vm_still_on_its_way_is_named():
    out, _ = stream(run_events([[5.0, PENDING]], outcome=None))

    assert "VM 1 has not booted yet: connected" in out


def test_a_storm_that_counts_in_nothing_says_so_and_adds_no_figure():
    kinds = [StormKind.RUN, StormKind.DETAIL]
    out, err = stream(run_events([[5.0, 6.0], [8.0, FAILED]], kinds=kinds, skew_s=0.0))

    assert "One more storm, for the kernel's details; it counts in nothing" in out
    assert out[-2:] == ["Average boot: 5.5s", "It took 6s to boot all VMs"]
    assert "VM 1 failed: the guest's kernel panicked" in err


def test_a_rerun_stands_beneath_the_storm_it_followed():
    again = storm_events(
        {1: 7.0}, storm=2, kind=StormKind.RERUN, attempts={1: 2}, at_ns=90 * SECOND
    )

    out, _ = stream([*run_events([[5.0, FAILED]], outcome=None), *again])

    assert out[-6:-2] == [
        "VM 1 failed: the guest's kernel panicked",
        "Average boot: 5s",
        "It took 5s to boot 1 of 2 VMs",
        "",
    ]
    assert out[-2] == "Run again:"
    assert out[-1].startswith("VM 1 booted in: 7s: ")


def test_every_storm_of_several_has_its_end_and_the_run_a_summary():
    rows = [[9.0, 9.0], [4.0, 6.0], [5.0, 7.0], [6.0, 8.0]]
    kinds = [StormKind.WARMUP, *[StormKind.RUN] * 3]

    out, _ = stream(run_events(rows, kinds=kinds, skew_s=0.0))

    assert [line for line in out if "torm" in line and " of 4" in line] == [
        "Warm-up storm 1 of 4",
        "Storm 2 of 4",
        "Storm 3 of 4",
        "Storm 4 of 4",
    ]
    assert [line for line in out if line.startswith("Average")] == [
        "Average boot: 9s",
        "Average boot: 5s",
        "Average boot: 6s",
        "Average boot: 7s",
    ]
    assert out[-2:] == [
        "3 storms: median boot 6s (5s to 7s), all booted in 7s (6s to 8s)",
        "spread of boot times: 1.41s within a storm, 0s between storms",
    ]


def test_a_sweep_is_summed_up_by_setting():
    parameters = [{"smp": "1"}, {"smp": "2"}]

    out, _ = stream(run_events([[5.0], [4.0]], parameters=parameters))

    assert "Storm 1 of 2, smp = 1" in out
    assert out[-2:] == [
        "smp=1: 1 storm: median boot 5s, all booted in 5s",
        "smp=2: 1 storm: median boot 4s, all booted in 4s",
    ]


@given(st.text(max_size=60))
def test_nothing_a_guest_says_steers_the_terminal(text):
    hostile = f"Startup\x1b[2J\u202e{text}\n\r\x07"
    events = [
        *run_events([[5.0, FAILED]], text=hostile),
        ev.ReportRejected(at_ns=1, vm=0, attempt=1, why=hostile, excerpt=hostile),
        ev.VmFailed(at_ns=1, vm=0, attempt=1, why=hostile, hint=hostile, stderr=hostile),
        ev.Notice(at_ns=1, level=ev.Level.WARNING, text=hostile),
        ev.StormStarted(
            at_ns=1, storm=9, kind=StormKind.RUN, vms=(0,), planned=2, parameters={text: hostile}
        ),
    ]

    out, err = stream(events)

    for line in [*out, *err]:
        steering = {char for char in line if unicodedata.category(char) in STEERING}
        assert steering <= {"\t"}


@given(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8")), max_size=4))
@settings(deadline=None, max_examples=40)
def test_a_shown_command_runs_as_it_was(words):
    line = shell_line(["printf", r"%s\0", *words, "end"])

    said = subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout
    assert "\n" not in line
    assert said == b"".join(word.encode() + b"\0" for word in [*words, "end"])


@pytest.mark.parametrize("outcome", [None, ev.Outcome.STOPPED])
def test_an_empty_run_ends_without_lines(outcome):
    assert PlainReport(Fleet(run_events([], outcome=outcome))).final_lines() == []


def test_a_scope_narrows_the_end():
    report = PlainReport(fleet_of([[5.0, 6.0, 7.0]], skew_s=0.0))

    assert report.final_lines({1})[-2:] == ["Average boot: 6s", "It took 6s to boot all VMs"]


def test_a_host_is_named_with_what_it_noticed_and_what_others_say_too_stands_once():
    report = PlainReport(Fleet())
    told = [
        ev.Notice(at_ns=at_ns, level=level, text=text, host=host)
        for at_ns, (level, text, host) in enumerate(
            [
                (ev.Level.INFO, "QEMU runs as root", "a"),
                (ev.Level.INFO, "QEMU runs as root", "b"),
                (ev.Level.WARNING, "the disk is full", "a"),
                (ev.Level.WARNING, "the disk is full", "b"),
            ]
        )
    ]
    said = [line for event in told for line in report.diagnostics_for(event)]

    assert said == [
        "info: host a: QEMU runs as root",
        "warning: host a: the disk is full",
        "warning: host b: the disk is full",
    ]
