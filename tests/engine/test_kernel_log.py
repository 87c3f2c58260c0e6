"""What is made of a guest's kernel log, of whichever kernel, however long and whatever it says."""

import json

import pytest
from hypothesis import given, strategies as st

from support.kernel_logs import DEBIAN_12, LEVELS, as_kmsg
from vmtiming_tui.engine.guest.report_kernel import (
    MAX_INITCALLS_BYTES,
    MAX_PROBES_BYTES,
    MAX_SILENCES,
    KernelReader,
)
from vmtiming_tui.engine.guest.report_protocol import Details, ReportParser
from vmtiming_tui.model.codec import from_json, to_json
from vmtiming_tui.model.kernel_events import KernelLog, Spans

MOST_BYTES = MAX_INITCALLS_BYTES + MAX_PROBES_BYTES + 32 * 1024


def read(log: bytes, until_us: int | None = None) -> KernelLog | None:
    reader = KernelReader()
    for line in log.splitlines():
        reader.line(line)
    return reader.told(until_us)


def took(spans: Spans) -> dict[str, int]:
    return dict(zip(spans.names, spans.took_us, strict=True))


def test_initcalls_and_modules_come_with_what_they_took_the_slowest_first():
    found = read(DEBIAN_12)

    assert list(took(found.initcalls).items()) == [
        ("crypto_algapi_init", 1_080_160),
        ("init_kprobe_trace", 828_331),
        ("virtio_pci_init [virtio_pci]", 481_738),
        ("trace_init_flags_sys_enter", 0),
    ]
    assert found.initcalls.began_us[:2] == (4_288_422, 1_239_861)
    assert (found.initcalls.count, found.initcalls.total_us) == (4, 2_390_229)
    assert (found.lines, found.is_cut) == (19, False)


def test_modules_that_are_loaded_beside_each_other_count_once_in_all():
    log = b"""\
<7>[    1.000000] calling  slow_init+0x0/0x10 [slow] @ 7
<7>[    1.500000] calling  other_init+0x0/0x10 [other] @ 8
<7>[    2.500000] initcall other_init+0x0/0x10 [other] returned 0 after 1000000 usecs
<7>[    3.000000] initcall slow_init+0x0/0x10 [slow] returned 0 after 2000000 usecs
"""
    initcalls = read(log).initcalls

    assert list(took(initcalls).values()) == [2_000_000, 1_000_000]
    assert initcalls.total_us == 2_000_000


def test_probes_come_with_their_device_and_what_they_returned():
    probes = read(DEBIAN_12).probes

    assert took(probes) == {"0000:00:03.0": 481_319, "cpu0": 8108, "PNP0103:00": 4459}
    assert probes.returned == (0, 0, 19)


def test_a_silence_is_one_that_no_initcall_and_no_probe_accounts_for():
    silences = read(DEBIAN_12).silences

    assert took(silences) == {
        "systemd[1]: Queued start job for default target multi-user.target.": 1_787_436,
        "calling crypto_algapi_init": 1_627_215,
        "calling virtio_pci_init [virtio_pci]": 808_514,
        "smpboot: CPU0: AMD QEMU Virtual CPU version 2.5+": 693_352,
        "calling init_kprobe_trace": 513_746,
        "Freeing unused kernel image (initmem) memory: 2612K": 346_674,
        "Freeing unused decrypted memory: 2036K": 110_494,
        "Run /init as init process": 53_798,
        "calling trace_init_flags_sys_enter": 32_298,
    }


def test_what_was_silent_after_the_boot_is_not_the_boots():
    assert "systemd[1]" not in str(read(DEBIAN_12, until_us=8_000_000).silences.names)


def test_time_by_level_where_the_kernel_tells_levels():
    assert took(read(LEVELS).levels) == {"early": 100_000, "device": 800_000}
    assert read(DEBIAN_12).levels == Spans()


@pytest.mark.parametrize("log", [DEBIAN_12, LEVELS])
def test_dev_kmsg_says_the_same(log):
    assert read(as_kmsg(log)) == read(log)


def test_an_initcalls_error_is_kept():
    assert read(LEVELS).initcalls.returned == (-19, 0)


def test_devices_that_waited_for_others_are_named():
    found = read(
        b"<7>[    0.000000] probe of a.sysc returned 517 after 258 usecs\n"
        b"<7>[    0.200000] probe of b.sysc returned -517 after 3 usecs\n"
        b"<7>[    0.300000] probe of a.sysc returned 0 after 42 usecs\n"
        b"<6>[    9.000000] platform b.sysc: deferred probe pending: (reason unknown)\n"
    )

    assert (found.deferred, found.pending) == (("a.sysc", "b.sysc"), ("b.sysc",))
    assert took(found.probes)["a.sysc"] == 300


def test_asynchronous_calls_and_the_words_of_other_kernels_are_read_too():
    found = read(
        b"<7>[    1.000000] initcall 12_async_port_probe+0x0/0x40 returned after 7000 usecs\n"
        b"<7>[    1.100000] probe d_probe in driver d for device dev0 returned 0 after 9 usecs\n"
    )

    assert took(found.initcalls) == {"async_port_probe": 7000}
    assert found.initcalls.began_us == (993_000,)
    assert took(found.probes) == {"dev0": 9}


def test_a_log_whose_begin_was_overwritten_says_so():
    assert read(DEBIAN_12[DEBIAN_12.index(b"<7>[    1.239861]") :]).is_cut


def test_programs_do_not_speak_for_the_kernel():
    found = read(b"<14>[    0.000000] initcall evil+0x0/0x1 returned 0 after 9 usecs\n")

    assert found.initcalls == Spans()


def test_without_a_log_there_is_nothing_to_tell():
    assert read(b"dmesg: read kernel buffer failed: Operation not permitted\n\n") is None


def test_a_flood_of_names_is_counted_and_the_slowest_are_kept():
    log = b"".join(
        b"<7>[    0.%06d] initcall %s%d+0x0/0x1 returned 0 after %d usecs\n"
        % (number, b"n" * 80, number, number)
        for number in range(5000)
    )
    found = read(log).initcalls

    assert found.count == 5000
    assert found.left_out == 5000 - len(found.names) > 4000
    assert found.took_us[0] == 4999
    assert found.total_us == 4999


statements = st.sampled_from(
    [
        *DEBIAN_12.splitlines(),
        *LEVELS.splitlines(),
        b"<7>[    1.0] x",
        b"<7>[999999999.999999] \xff",
    ]
)


@given(st.lists(statements | st.binary(max_size=200), max_size=60))
def test_whatever_a_guest_says_what_is_kept_is_small_and_can_be_told(lines):
    found = read(b"\n".join(lines))

    if found is not None:
        told = json.dumps(to_json(found))
        assert len(told) < MOST_BYTES
        assert from_json(KernelLog, json.loads(told)) == found
        assert len(found.silences.names) <= MAX_SILENCES
        assert told.isprintable()


REPORT = b"VMREPORTID:0|||up\nprotocol=3\nclock_us=8000000\n[units]\nId=a.service\n"


def test_a_report_has_its_kernels_log_beside_all_else():
    parser = ReportParser(0)
    told = [*parser.feed(REPORT + b"\n[kernel]\n" + DEBIAN_12 + b"gathering_us=9\n[end]\n")]
    log, details = told[-2:]

    assert log == read(DEBIAN_12, until_us=8_000_000)
    assert isinstance(details, Details)
    assert (details.complete, details.gathering_us, details.dropped_bytes) == (True, 9, 0)


def test_half_a_log_is_told_as_far_as_it_came():
    parser = ReportParser(0)
    told = [*parser.feed(REPORT + b"\n[kernel]\n" + DEBIAN_12[:900])]
    told += parser.finish("no more was waited for")
    log, details = told[-2:]

    assert "init_kprobe_trace" in log.initcalls.names
    assert not details.complete
