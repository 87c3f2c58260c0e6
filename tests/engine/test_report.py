"""What a guest writes, and what is made of it."""

import itertools
import json

import pytest
from hypothesis import given, strategies as st

from vmtiming_tui.engine.guest.report_protocol import (
    MAX_DETAILS_BYTES,
    MAX_LINE_BYTES,
    MAX_ORDER_BYTES,
    MAX_REJECTIONS,
    MAX_REPORT_BYTES,
    MAX_REPORT_LINES,
    Details,
    DetailsBegun,
    LineEnded,
    OrderTold,
    Rejected,
    Reported,
    ReportParser,
    Statement,
)
from vmtiming_tui.model.guest_events import RejectionCode, UnitTimes

FIRST = b"VMREPORTID:3|||Startup finished in 1s (kernel) + 2s (userspace) = 3s\n"
REST = (
    b"protocol=2\nclock_us=5000000\nclock_resolution_us=10000\n"
    b"FirmwareTimestampMonotonic=0\nUserspaceTimestampMonotonic=1500000\n"
    b"Version=252\nSystemState=degraded\n"
    b"[slowest]\n2s a.service\n\n1s b.service\n[failed]\nc.service\n[critical-chain]\n"
    b"multi-user.target @3s\n[end]\n"
)
UNITS = rb"""protocol=3
clock_us=5000000
kernel_release=6.1.0-1-amd64
kernel_command_line=root=/dev/vda quiet VMREPORTID:3
FinishTimestampMonotonic=4900000
[units]
Result=success
Id=cron.service
Names=cron.service
After="dev-disk-by\\x2did.device" basic.target gone.target
ActiveState=active
SubState=running
InactiveExitTimestampMonotonic=4000000
ActiveEnterTimestampMonotonic=4200000
ActiveExitTimestampMonotonic=0
InactiveEnterTimestampMonotonic=0
SomethingNew=1

Id=multi-user.target
Names="multi-user.target" default.target
After=cron.service
ActiveState=active
SubState=active
InactiveExitTimestampMonotonic=4800000
ActiveEnterTimestampMonotonic=4800000

Id=basic.target
ActiveEnterTimestampMonotonic=3000000

Id=never.service
ActiveState=inactive
InactiveExitTimestampMonotonic=0

Result=exit-code
Id=broken.service
ActiveState=failed
SubState=failed
InactiveExitTimestampMonotonic=0
InactiveEnterTimestampMonotonic=18446744073709551615
gathering_us=120000
[end]
"""


def said(data: bytes, *, ended: str = "") -> list[Statement]:
    parser = ReportParser(3)
    found = list(parser.feed(data))
    return [*found, *parser.finish(ended)] if ended else found


def test_the_prefix_is_the_report_and_the_line_may_end_whenever_it_likes():
    parser = ReportParser(3)

    assert list(parser.feed(b"VMREPORTID:3||")) == []
    assert parser.awaits_first_line
    assert parser.is_midway
    assert list(parser.feed(b"|")) == [Reported()]
    assert not parser.awaits_first_line
    assert not parser.is_midway
    assert list(parser.feed(b"Startup finished")) == []
    assert not parser.is_midway
    assert list(parser.feed(b" in 3s\n")) == [LineEnded("Startup finished in 3s")]


def test_the_first_line_alone_is_a_report():
    text = "Startup finished in 1s (kernel) + 2s (userspace) = 3s"

    assert said(FIRST, ended="the end") == [Reported(), LineEnded(text)]


def test_the_second_part_is_read_into_its_fields():
    _, _, begun, details = said(FIRST + REST)

    assert begun == DetailsBegun()
    assert details == Details(
        clock_us=5_000_000,
        clock_resolution_us=10_000,
        timestamps_us={"FirmwareTimestampMonotonic": 0, "UserspaceTimestampMonotonic": 1_500_000},
        properties={"protocol": "2", "Version": "252", "SystemState": "degraded"},
        slowest=["2s a.service", "1s b.service"],
        failed=["c.service"],
        chain=["multi-user.target @3s"],
        complete=True,
    )


def test_units_are_read_from_their_properties_in_whatever_order_those_come():
    *_, details = said(FIRST + UNITS)

    assert details.complete
    assert details.gathering_us == 120_000
    assert details.units == [
        UnitTimes("cron.service", "active", "running", "success", 4_000_000, 4_200_000),
        UnitTimes("multi-user.target", "active", "active", "", 4_800_000, 4_800_000),
        UnitTimes("basic.target", active_us=3_000_000),
        UnitTimes("broken.service", "failed", "failed", "exit-code"),
    ]
    assert details.failed == ["broken.service"]
    assert details.properties == {
        "protocol": "3",
        "kernel_release": "6.1.0-1-amd64",
        "kernel_command_line": "root=/dev/vda quiet VMREPORTID:3",
        "default_unit": "multi-user.target",
    }


def test_the_order_of_units_is_told_apart_with_the_units_of_the_boot_only():
    _, _, _, order, _ = said(FIRST + UNITS)

    assert order == OrderTold(
        {"cron.service": ("basic.target",), "multi-user.target": ("cron.service",)}
    )


def test_a_name_that_systemd_quotes_is_the_name_it_stands_for():
    unit = rb"Id=a\x2db.mount%sInactiveExitTimestampMonotonic=1%s%s" % ((b"\n",) * 3)
    after = rb'Id=c.service%sInactiveExitTimestampMonotonic=1%sAfter="a\\x2db.mount"%s'
    *_, order, _ = said(FIRST + b"[units]\n" + unit + after % ((b"\n",) * 3) + b"[end]\n")

    assert order.after == {"c.service": (r"a\x2db.mount",)}


def many_units(count: int) -> bytes:
    unit = "Id=%d.service\nAfter=%s\nInactiveExitTimestampMonotonic=1\n\n"
    names = " ".join(f"{number}.service" for number in range(100))
    return "".join(unit % (number, names) for number in range(count)).encode()


def test_more_units_than_there_is_room_for_are_counted_and_the_report_goes_on():
    *_, order, details = said(FIRST + b"[units]\n" + many_units(2000) + b"[end]\n")
    kept = len(details.units)
    rest = b"\n\n".join(many_units(2000).split(b"\n\n")[kept:])

    assert details.complete
    assert 900 < kept < 2000
    assert rest.count(b"\n\n") == 2000 - kept
    assert details.dropped_bytes == len(rest) - (2000 - kept)
    assert order.dropped_bytes


def test_the_order_has_room_of_its_own():
    *_, order, details = said(FIRST + b"[units]\n" + many_units(150) + b"[end]\n")

    assert len(details.units) == 150
    assert not details.dropped_bytes
    assert MAX_ORDER_BYTES - 2000 < len(json.dumps(order.after)) <= MAX_ORDER_BYTES
    assert order.dropped_bytes


@pytest.mark.parametrize("rest", [REST, UNITS], ids=["protocol 2", "protocol 3"])
@given(cuts=st.lists(st.integers(0, len(FIRST + UNITS)), max_size=20))
def test_the_pieces_it_comes_in_make_no_difference(cuts: list[int], rest: bytes):
    data, parser, found = b"noise\nVMREPORTID:4|||x\n" + FIRST + rest, ReportParser(3), []
    edges = [0, *sorted(cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        found += list(parser.feed(data[start:end]))

    assert found == said(data)


def test_bars_in_the_text_belong_to_the_text():
    assert said(b"VMREPORTID:3|||a|||b\n") == [Reported(), LineEnded("a|||b")]


def test_a_carriage_return_before_the_newline_is_not_text():
    assert said(b"VMREPORTID:3|||a\r\n") == [Reported(), LineEnded("a")]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"VMREPORTID:4|||x", "claims to be VM 4"),
        (b"VMREPORTID:999999|||x", "claims to be VM 999999"),
        (b"VMREPORTID:-1|||x", "no VM's number"),
        (b"VMREPORTID:" + b"9" * 400 + b"|||x", "no VM's number"),
        (b"VMREPORTID:|||x", "no VM's number"),
        (b"VMREPORTID:three|||x", "no VM's number"),
        ("VMREPORTID:٣|||x".encode(), "no VM's number"),
        (b"VMREPORTID:3|x", "not a report"),
        (b"hello", "not a report"),
        (b"\x00\xff\x1b[2J", "not a report"),
    ],
)
def test_what_is_no_report_is_rejected_in_words(line: bytes, why: str):
    (rejected,) = said(line + b"\n")

    assert isinstance(rejected, Rejected)
    assert why in rejected.why
    assert rejected.excerpt.isprintable()


@pytest.mark.parametrize("prefix", [b"VMREPORTID:4|||", b"VMREPORTID:four|||"])
def test_a_prefix_that_is_not_true_is_rejected_at_once_and_its_line_passed_over(prefix: bytes):
    parser = ReportParser(3)
    (rejected,) = parser.feed(prefix)

    assert isinstance(rejected, Rejected)
    assert rejected.excerpt == prefix.decode()
    assert not parser.is_midway
    assert list(parser.feed(b"VMREPORTID:3|||x\n")) == []
    assert list(parser.feed(b"VMREPORTID:3|||")) == [Reported()]


def test_a_true_report_after_noise_still_counts():
    noise, *rest = said(b"noise\n" + FIRST)

    assert isinstance(noise, Rejected)
    assert rest == said(FIRST)


def test_a_second_report_is_rejected_and_the_first_stands():
    *first, rejected = said(FIRST + FIRST)

    assert first == said(FIRST)
    assert rejected.why == "a second report"
    assert rejected.code is RejectionCode.SECOND_REPORT


@pytest.mark.parametrize("rest", [REST, UNITS], ids=["protocol 2", "protocol 3"])
def test_what_is_told_twice_is_rejected_once_and_what_was_told_stands(rest: bytes):
    *first, rejected = said(FIRST + rest + rest * 3, ended="the end")

    assert first == said(FIRST + rest)
    assert rejected.why == "it wrote on after its report had ended"


def test_half_a_line_is_rejected_once_no_more_is_awaited():
    (rejected,) = said(b"VMREPORTID:3||", ended="nothing for 10 s")

    assert rejected.why == "half a line, then nothing for 10 s"


def test_of_a_first_line_without_its_end_there_is_what_came_of_it():
    assert said(b"VMREPORTID:3|||Startup fin", ended="silence") == [
        Reported(),
        LineEnded("Startup fin"),
    ]
    assert said(b"VMREPORTID:3|||", ended="silence") == [Reported()]


def test_more_details_than_are_kept_of_one_vm_are_counted_and_the_report_goes_on():
    sent = b"".join(b"%d.5s %s.service\n" % (number, b"\xff" * 300) for number in range(200))
    _, _, details = said(FIRST + b"[slowest]\n" + sent + b"[end]\n")
    kept = [len(json.dumps(entry)) for entry in details.slowest]

    assert details.complete
    assert MAX_DETAILS_BYTES - 1000 < sum(kept) <= MAX_DETAILS_BYTES
    assert details.dropped_bytes == len(b"".join(sent.splitlines(keepends=True)[len(kept) :]))


def test_details_without_their_end_are_kept_as_incomplete():
    *_, details = said(FIRST + REST[:40], ended="silence")

    assert isinstance(details, Details)
    assert not details.complete
    assert details.clock_us == 5_000_000


def test_a_line_too_long_is_rejected_once_and_passed_over():
    long = b"z" * (3 * MAX_LINE_BYTES)
    rejected, *rest = said(long + b"\n" + FIRST)

    assert rejected.why == "a line of more than 64 KiB"
    assert len(rejected.excerpt) <= 201
    assert rest == said(FIRST)


def test_a_first_line_too_long_is_rejected_and_has_no_text():
    reported, rejected, ended = said(b"VMREPORTID:3|||" + b"z" * (2 * MAX_LINE_BYTES) + b"\n")

    assert (reported, ended) == (Reported(), LineEnded(""))
    assert rejected.why == "a line of more than 64 KiB"


def test_more_than_may_ever_be_written_closes_the_report_for_good():
    parser, found = ReportParser(3), []
    for _ in range(2 * MAX_REPORT_BYTES // 65536):
        found += list(parser.feed(b"y" * 65536))

    assert found[-1] == Rejected("it wrote more than 4 MiB", "", final=True)


def test_a_flood_of_lines_is_cut_off_before_it_costs_much():
    parser = ReportParser(3)
    found = list(parser.feed(b"VMREPORTID:3|||up\nprotocol=3\n" + b"\n" * MAX_REPORT_LINES))

    assert parser.is_closed
    assert isinstance(found[-2], Details)
    assert found[-1] == Rejected("it wrote more than 65,536 lines", final=True)
    assert parser.is_closed
    assert list(parser.feed(FIRST)) == []


def test_rejections_are_bounded():
    assert len(said(b"noise\n" * 5000)) == MAX_REJECTIONS


@given(st.binary(max_size=4000))
def test_whatever_is_written_comes_out_printable_and_never_raises(data: bytes):
    unit = b"\n[units]\nInactiveExitTimestampMonotonic=1\nId=%s\nAfter=%s\n" % (data, data)
    sent = FIRST + data + b"\n[slowest]\n" + data + unit + b"\n[end]\n"
    for statement in said(sent, ended="silence"):
        match statement:
            case LineEnded(text) | Rejected(_, text):
                words = [text]
            case Details():
                words = [*statement.slowest, *statement.properties, *statement.properties.values()]
                words += [unit.name for unit in statement.units]
            case OrderTold(after):
                words = [*after, *itertools.chain(*after.values())]
            case _:
                words = []
        assert all(word.replace("\t", "").isprintable() for word in words)


@given(st.binary(max_size=3000), st.integers(1, 50))
def test_any_bytes_are_read_in_any_pieces_as_they_are_in_one(data: bytes, size: int):
    parser = ReportParser(3)
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    found = [statement for piece in pieces for statement in parser.feed(piece)]

    assert [*found, *parser.finish("the end")] == said(data, ended="the end")
