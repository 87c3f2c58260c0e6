"""stages: one boot divided on the host's axis, adding up or doubted in words."""

from collections.abc import Sequence

import pytest
from hypothesis import given, strategies as st

from support.facts import MS, SECOND
from support.making import FAILED, boot_events, fleet_of
from vmtiming_tui.analysis.stages import Doubt, DoubtCode, stages_of, text_parts_ns, timespan_ns
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.stage import Stage

WHO = {"vm": 0, "attempt": 1}


def attempt_of(
    *events: ev.Event, boot: float = 5.0, meanwhile: Sequence[ev.Event] = (), **each
) -> Attempt:
    """Return a boot; ``meanwhile`` happened before its report, ``events`` after it."""
    life = list(boot_events(0, boot, **each))
    begun = next(at for at, event in enumerate(life, 1) if isinstance(event, ev.VmStarted))
    life[begun:begun] = meanwhile
    fleet = Fleet([ev.VmQueued(at_ns=0, storm=1, **WHO), *life, *events])
    return fleet.vms[0].newest


def stamped(clock_us: int, resolution_us: int = 1, **stamps_us: int) -> ev.VmDetails:
    return ev.VmDetails(
        at_ns=9 * SECOND,
        clock_us=clock_us,
        clock_resolution_us=resolution_us,
        timestamps_us={f"{name}TimestampMonotonic": us for name, us in stamps_us.items()},
        **WHO,
    )


def test_the_stages_lie_on_the_hosts_axis():
    attempt = attempt_of(
        stamped(4_600_000, InitRD=1_000_000, Userspace=2_500_000, Finish=4_500_000), text="up"
    )

    stages = stages_of(attempt)

    assert stages.qemu_ns == 100 * MS
    assert dict(stages.known) == {
        Stage.FIRMWARE: 400 * MS,
        Stage.KERNEL: 1000 * MS,
        Stage.INITRD: 1500 * MS,
        Stage.USERSPACE: 2000 * MS,
        Stage.LAG: 100 * MS,
    }
    assert stages.doubts == ()


@given(st.integers(1, 10**8), st.integers(1, 10**8), st.integers(1, 10**8), st.integers(0, 10**8))
def test_the_stages_always_sum_to_the_boot(kernel_us, initrd_us, userspace_us, lag_us):
    userspace = kernel_us + initrd_us
    finish = userspace + userspace_us
    attempt = attempt_of(
        stamped(finish + lag_us, InitRD=kernel_us, Userspace=userspace, Finish=finish),
        boot=500.0,
        text="up",
    )

    stages = stages_of(attempt)

    assert sum(ns for _, ns in stages.known) == attempt.boot_ns
    assert stages.residual_ns == 0
    assert stages.doubts == ()


def test_the_error_is_the_stamps_uncertainty_and_the_clocks_resolution():
    attempt = attempt_of(stamped(4_000_000, 10_000, Userspace=1_000_000, Finish=3_900_000))

    assert stages_of(attempt).error_ns == 1 * MS + 10 * MS


def test_a_guest_clock_longer_than_the_boot_is_doubted():
    attempt = attempt_of(stamped(5_100_000, Userspace=1_000_000, Finish=5_000_000))

    (doubt,) = [each for each in stages_of(attempt).doubts if "firmware stage" in each.text]

    assert doubt.code is DoubtCode.IMPOSSIBLE_CLOCK
    assert "firmware stage would be negative (-0.100 s)" in doubt.text


def test_stamps_out_of_order_are_doubted():
    attempt = attempt_of(
        stamped(4_000_000, InitRD=2_000_000, Userspace=1_000_000, Finish=3_900_000)
    )

    assert "initrd stage would be negative" in "; ".join(map(str, stages_of(attempt).doubts))


def test_a_clock_that_jumped_shows_between_stamps_and_words():
    said = "Startup finished in 1.000s (kernel) + 1.000s (initrd) + 2.000s (userspace) = 4.000s"
    stamps = {"InitRD": 1_000_000, "Userspace": 2_000_000, "Finish": 4_500_000}
    attempt = attempt_of(stamped(4_600_000, **stamps), text=said)

    assert stages_of(attempt).doubts == (
        Doubt(
            DoubtCode.CLOCK_JUMPED,
            "systemd-analyze says userspace took 2.000 s, its stamps 2.500 s",
        ),
    )


def test_an_initrd_that_tells_nothing_is_named():
    attempt = attempt_of(stamped(4_600_000, Userspace=2_500_000, Finish=4_500_000), text="up")

    stages = stages_of(attempt)

    assert stages.of(Stage.INITRD) is None
    assert stages.of(Stage.KERNEL) == 2500 * MS
    assert "no initrd part" in stages.doubts[0].text
    assert not stages.is_doubtful


def test_a_boot_not_finished_is_named():
    attempt = attempt_of(stamped(4_600_000, InitRD=1_000_000, Userspace=2_500_000), text="up")

    stages = stages_of(attempt)

    assert dict(stages.claimed)[Stage.USERSPACE] == 2100 * MS
    assert Stage.LAG not in dict(stages.claimed)
    assert [doubt.code for doubt in stages.doubts] == [DoubtCode.NOT_FINISHED]
    assert (stages.is_doubtful, stages.known) == (True, ())


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (ev.QmpSeen(at_ns=SECOND, name="STOP", **WHO), DoubtCode.PAUSED),
        (ev.QmpSeen(at_ns=SECOND, name="RESET", **WHO), DoubtCode.RESET),
        (
            ev.ReportRejected(
                at_ns=SECOND, why="any words", code=ev.RejectionCode.SECOND_REPORT, **WHO
            ),
            DoubtCode.REPORTED_TWICE,
        ),
    ],
)
def test_what_happened_meanwhile_makes_a_vm_doubtful(event, code):
    stages = stages_of(attempt_of(meanwhile=[event]))

    assert [doubt.code for doubt in stages.doubts] == [code]
    assert (stages.is_doubtful, stages.known) == (True, ())


@pytest.mark.parametrize("name", ["STOP", "RESET"])
def test_what_is_done_to_a_vm_that_has_booted_makes_none_doubtful(name):
    assert stages_of(attempt_of(ev.QmpSeen(at_ns=9 * SECOND, name=name, **WHO))).doubts == ()


def test_no_words_of_a_rejection_make_a_vm_doubtful():
    rejected = ev.ReportRejected(at_ns=SECOND, why="a second report", **WHO)

    assert stages_of(attempt_of(rejected)).doubts == ()


def test_a_stamp_that_is_unsure_by_little_of_a_long_boot_is_none():
    (attempt,) = fleet_of([[40.0]]).newest
    attempt.uncertainty_ns = 90 * MS

    assert stages_of(attempt).doubts == ()


def test_an_unsure_stamp_is_a_doubt():
    fleet = Fleet(
        [
            ev.VmQueued(at_ns=0, storm=1, **WHO),
            ev.VmStarted(at_ns=0, go_ns=0, **WHO),
            ev.VmBooted(
                at_ns=SECOND, report_ns=SECOND, uncertainty_ns=80 * MS, text="up 1 min", **WHO
            ),
        ]
    )

    doubts = [str(doubt) for doubt in stages_of(fleet.vms[0].newest).doubts]
    assert "the report's stamp may be off by 80 ms" in doubts


def test_a_guest_of_the_first_line_only_is_divided_by_its_words():
    attempt = attempt_of(
        with_details=False,
        text="Startup finished in 988ms (kernel) + 1.167s (initrd) + 2.001s (userspace) = 4.158s",
    )

    stages = stages_of(attempt)

    assert stages.from_text
    assert [ns // MS for _, ns in stages.known] == [988, 1167, 2001]
    assert stages.residual_ns == (5000 - 988 - 1167 - 2001) * MS
    assert stages.doubts == ()


def test_words_longer_than_the_boot_are_doubted():
    attempt = attempt_of(
        with_details=False, text="Startup finished in 2s (kernel) + 4s (userspace) = 6s"
    )

    (doubt,) = stages_of(attempt).doubts
    assert doubt.code is DoubtCode.IMPOSSIBLE_CLOCK
    assert "1.000 s longer than the host's" in doubt.text


def test_a_guest_without_systemd_is_not_divided():
    stages = stages_of(attempt_of(with_details=False, text=" 12:01:01 up 0 min, load average: 0.1"))

    assert stages.known == ()
    assert [doubt.code for doubt in stages.doubts] == [DoubtCode.NOT_DIVIDED]


def test_a_vm_that_did_not_boot_has_no_stages():
    stages = stages_of(attempt_of(boot=FAILED))

    assert (stages.known, stages.residual_ns, stages.doubts) == ((), None, ())


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("988ms", 988 * MS),
        ("1.167s", 1167 * MS),
        ("1min 2.345s", 62_345 * MS),
        ("2min", 120 * SECOND),
        ("1h 1min 1s", 3661 * SECOND),
        ("500us", 500_000),
        ("500µs", 500_000),
        ("nonsense", 0),
    ],
)
def test_time_spans_are_read_as_systemd_writes_them(text, ns):
    assert timespan_ns(text) == ns


def test_firmware_and_loader_of_an_efi_boot_are_read_too():
    text = (
        "Startup finished in 3.1s (firmware) + 1min 2.5s (loader) + 800ms (kernel) "
        "+ 2.25s (userspace) = 1min 8.65s"
    )

    assert {name: ns // MS for name, ns in text_parts_ns(text).items()} == {
        "firmware": 3100,
        "loader": 62500,
        "kernel": 800,
        "userspace": 2250,
    }


@given(st.text(max_size=300) | st.just("1s" * 40_000) | st.just("9" * 60_000 + "s (kernel)"))
def test_no_words_of_a_guest_break_the_division(text):
    for line in (text, f"Startup finished in {text}"):
        attempt = attempt_of(with_details=False, text=line)
        assert stages_of(attempt).qemu_ns == 100 * MS


ABSURD_US = st.integers(0, 10**18)


@given(ABSURD_US, ABSURD_US, ABSURD_US, ABSURD_US)
def test_no_stage_is_known_that_is_negative_or_longer_than_the_boot(clock, initrd, userspace, end):
    attempt = attempt_of(stamped(clock, InitRD=initrd, Userspace=userspace, Finish=end), text="up")

    stages = stages_of(attempt)

    for _, ns in stages.known:
        assert -stages.error_ns <= ns <= attempt.boot_ns + stages.error_ns


@pytest.mark.parametrize("clock_us", [999_999_999_999_999, 5_100_000, 1, 0])
def test_a_clock_before_the_boot_or_beyond_the_hosts_bound_makes_a_vm_doubtful(clock_us):
    attempt = attempt_of(stamped(clock_us, Userspace=1_000_000, Finish=4_000_000), text="up")

    stages = stages_of(attempt)

    assert (stages.is_doubtful, stages.known) == (True, ())
    assert stages.qemu_ns == 100 * MS


OWN = "800ms (kernel) + 1.500s (userspace) = 7.2s"
EFI = {"Firmware": 4_900_000, "Loader": 1_900_000}


def of_systemd_boot(text: str, boot: float = 8.0, **stamps: int) -> Attempt:
    own = {"Userspace": 800_000, "Finish": 2_300_000}
    return attempt_of(stamped(2_400_000, **own, **stamps), boot=boot, accel="tcg", text=text)


@pytest.mark.parametrize("stamps", [EFI, {}], ids=["stamps", "words only"])
def test_a_guest_of_systemd_boot_has_a_loader_stage_and_no_doubt(stamps):
    text = f"Startup finished in 3.000s (firmware) + 1.900s (loader) + {OWN}"
    stages = stages_of(of_systemd_boot(text, **stamps))

    assert stages.of(Stage.LOADER) == 1900 * MS
    assert stages.of(Stage.FIRMWARE) == 8000 * MS - 2400 * MS - 1900 * MS
    assert sum(ns for _, ns in stages.known) == 8000 * MS
    assert not stages.is_doubtful
    assert {doubt.code for doubt in stages.doubts} <= {DoubtCode.NO_INITRD_PART}


@pytest.mark.parametrize(
    "stamps", [{"Firmware": 1_712_990_000, "Loader": 1_900_000}, {}], ids=["stamps", "words only"]
)
def test_a_firmware_clock_beyond_what_the_host_saw_is_not_believed(stamps):
    text = f"Startup finished in 28min 31.090s (firmware) + 1.900s (loader) + {OWN}"
    stages = stages_of(of_systemd_boot(text, **stamps))

    (doubt,) = [each for each in stages.doubts if each.code is DoubtCode.FIRMWARE_CLOCK]
    assert doubt.text.startswith("the guest's firmware clock is not to be believed")
    assert stages.of(Stage.LOADER) is None
    assert stages.of(Stage.FIRMWARE) == 8000 * MS - 2400 * MS
    assert not stages.is_doubtful


def test_a_guest_of_the_first_line_only_may_tell_firmware_and_loader_too():
    text = f"Startup finished in 3.000s (firmware) + 1.900s (loader) + {OWN}"
    told = stages_of(attempt_of(with_details=False, boot=8.0, text=text))
    absurd = stages_of(
        attempt_of(with_details=False, boot=8.0, text=text.replace("3.000s", "28min 31.090s"))
    )

    assert (told.of(Stage.LOADER), told.of(Stage.FIRMWARE)) == (1900 * MS, 3000 * MS)
    assert told.residual_ns == 800 * MS
    assert [doubt.code for doubt in absurd.doubts] == [DoubtCode.FIRMWARE_CLOCK]
    assert [ns // MS for _, ns in absurd.known] == [800, 1500]
