"""cautions: each said when there is reason to, with a figure, and never without."""

from dataclasses import replace

import pytest

from support.facts import SECOND, foreign_run_started, host, plan
from support.making import FAILED, TIMED_OUT, fleet_of, run_events, storm_events
from vmtiming_tui.analysis.cautions import CautionKind, cautions
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.config import AfterReport
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import StormKind

STEADY = [[5.0, 5.1], [5.05, 5.12], [5.02, 5.11], [5.03, 5.09]]


def texts(fleet: Fleet, kind: CautionKind) -> list[str]:
    return [caution.text for caution in cautions(fleet) if caution.kind is kind]


def test_a_steady_run_on_a_quiet_host_needs_none():
    assert cautions(fleet_of(STEADY)) == []


def test_boots_that_did_not_succeed_are_said():
    (text,) = texts(fleet_of([[5.0, FAILED, TIMED_OUT]]), CautionKind.LOST)

    assert text.startswith("2 of 3 boots did not succeed")
    assert "slower than all others in median and percentiles" in text


def test_a_slow_first_storm_suggests_a_warmup():
    (text,) = texts(fleet_of([[7.0, 7.1], *STEADY]), CautionKind.REPEATS)

    assert "the first storm was slower than the rest (7.05 s against 5.062 s)" in text
    assert "--warmup 1" in text


def test_where_storms_warm_up_already_more_are_suggested():
    started = {"plan": replace(plan(), warmup=1)}
    kinds = [StormKind.WARMUP, *[StormKind.RUN] * 5]
    fleet = fleet_of([[9.0, 9.0], [7.0, 7.1], *STEADY], kinds=kinds, started=started)

    (text,) = texts(fleet, CautionKind.REPEATS)

    assert "let more storms warm up" in text


def test_a_first_storm_faster_than_the_rest_is_no_cold_cache():
    assert texts(fleet_of([[5.0, 5.0], *STEADY]), CautionKind.REPEATS) == []

    (text,) = texts(fleet_of([[4.0, 4.0], *STEADY]), CautionKind.REPEATS)
    assert text.startswith("storm 1 differs from the others by far")


def test_a_storm_far_from_the_others_is_named():
    (text,) = texts(fleet_of([*STEADY, [9.0, 9.1], *STEADY]), CautionKind.REPEATS)

    assert text.startswith("storm 5 differs from the others by far")


def test_vms_run_again_are_named_and_what_they_count_for():
    again = storm_events(
        {1: 3.0, 2: 3.0},
        storm=2,
        kind=StormKind.RERUN,
        attempts={1: 2, 2: 2},
        at_ns=90 * SECOND,
    )
    fleet = Fleet([*run_events([[5.0, FAILED, 5.1]], outcome=None), *again])

    good, beside = texts(fleet, CautionKind.RERUNS)

    assert good.startswith("VM 1 did not boot in its storm and booted when run again")
    assert beside.startswith("VM 2: run again beside the storm; reruns are in no figure")


def test_outliers_are_named_by_their_vm():
    (text,) = texts(fleet_of([[5.0, 5.02, 5.01, 5.03, 4.99, 25.0]]), CautionKind.OUTLIERS)

    assert text.startswith("VM 5: outliers")


def test_many_outliers_are_counted_rather_than_listed():
    boots = [5.0 + 0.001 * (vm % 7) for vm in range(60)] + [50.0] * 8

    (text,) = texts(fleet_of([boots]), CautionKind.OUTLIERS)

    assert text.startswith("VMs 60, 61, 62, 63, 64 and 3 more: outliers")


def test_what_is_doubtful_about_stages_is_said_once_a_reason():
    (text,) = texts(fleet_of([[5.0, 5.1]], with_details=False, text="up 1 min"), CautionKind.STAGES)

    assert text == "stages of VMs 0, 1: the guest did not say how its boot divides"


def test_doubtful_vms_are_said_to_be_left_out_each_kind_of_doubt_once():
    fleet = fleet_of([[5.0, 5.1, 5.2]])
    for vm in (0, 2):
        stamps = fleet.vms[vm].newest.details.timestamps_us
        fleet.fold(
            ev.VmDetails(at_ns=9, vm=vm, attempt=1, clock_us=9_000_000, timestamps_us=stamps)
        )

    (text,) = texts(fleet, CautionKind.STAGES)

    assert text.startswith("stages of VMs 0, 2 are doubtful and left out of the figures: ")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"load1": 4.0}, "the host was busy before the first storm (load 4.00 on 8 cores)"),
        ({"psi": {"io": 35.0}}, "(io pressure 35 %)"),
        ({"governor": "powersave"}, "the CPU governor is powersave"),
        ({"virtualised": "KVM"}, "the host is itself a virtual machine"),
    ],
)
def test_a_host_not_fit_for_measuring_is_said(changed, words):
    (text,) = texts(fleet_of(STEADY, started={"host": host(**changed)}), CautionKind.HOST)

    assert words in text


def test_emulation_is_said():
    (text,) = texts(fleet_of(STEADY, accel="tcg"), CautionKind.HOST)

    assert "TCG emulates" in text


def test_pressure_during_the_run_names_what_was_short():
    sample = ev.HostSample(at_ns=2, cpu_percent=90, load1=4, psi_cpu=80, psi_io=45, psi_memory=5)

    (text,) = texts(Fleet([*run_events(STEADY), sample]), CautionKind.HOST)

    assert text.startswith("the host waited for its disk (pressure up to 45 %)")


def test_vms_that_waited_for_a_core_are_said_with_their_share():
    usage = ev.VmUsage(
        at_ns=2, vm=0, attempt=1, vcpu_run_ns=31_500_000_000, vcpu_wait_ns=53_500_000_000
    )

    (text,) = texts(Fleet([*run_events([[5.0, 5.1]]), usage]), CautionKind.HOST)

    assert "waited for a free core 63 % of the time" in text


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"number": 12}, "up to 12 vCPUs share 8 cores"),
        ({"number": 4, "smp": 4}, "up to 16 vCPUs share 8 cores"),
        ({"number": 4, "memory_mib": 4096}, "may take 16384 MiB and the host had 12288 MiB free"),
    ],
)
def test_more_than_the_host_has_is_said(settings, words):
    started = {"plan": plan(**settings)}

    (text,) = texts(fleet_of(STEADY, started=started), CautionKind.SIZE)

    assert words in text


def test_few_at_once_do_not_overcommit_the_cores():
    started = {"plan": plan(number=12, parallel=4)}

    assert texts(fleet_of(STEADY, started=started), CautionKind.SIZE) == []


def test_vms_that_power_off_at_once_hold_no_more_memory_than_boot_at_once():
    settings = {"number": 4, "parallel": 2, "memory_mib": 4096}

    def said(after_report):
        started = {"plan": plan(after_report=after_report, **settings)}
        return texts(fleet_of(STEADY, started=started), CautionKind.SIZE)

    assert said(AfterReport.OFF) == []
    (text,) = said(AfterReport.FREEZE)
    assert "may take 16384 MiB" in text


@pytest.mark.parametrize("odd", [{}, {"cores": "many", "psi": 3, "load1": None}])
def test_a_foreign_hosts_facts_break_nothing(odd):
    stream = [foreign_run_started(host=odd, plan={"variants": "none"}), *storm_events([5.0])]

    assert cautions(Fleet(stream)) == []
