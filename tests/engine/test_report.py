"""What a guest writes, and what is made of it."""

import itertools
import json

import pytest
from hypothesis import given, strategies as st

from vmtiming_tui.engine.guest.report_protocol import (
    MAX_DETAILS_BYTES,
    MAX_LINE_BYTES,
    MAX_REJECTIONS,
    MAX_REPORT_BYTES,
    Booted,
    Details,
    DetailsBegun,
    Rejected,
    ReportParser,
    Statement,
)

FIRST = b"VMREPORTID:3|||Startup finished in 1s (kernel) + 2s (userspace) = 3s\n"
REST = (
    b"protocol=2\nclock_us=5000000\nclock_resolution_us=10000\n"
    b"FirmwareTimestampMonotonic=0\nUserspaceTimestampMonotonic=1500000\n"
    b"Version=252\nSystemState=degraded\n"
    b"[slowest]\n2s a.service\n\n1s b.service\n[failed]\nc.service\n[critical-chain]\n"
    b"multi-user.target @3s\n[end]\n"
)


def said(data: bytes, *, ended: str = "") -> list[Statement]:
    parser = ReportParser(3)
    found = list(parser.feed(data))
    return [*found, *parser.finish(ended)] if ended else found


def test_the_first_line_alone_is_a_report():
    assert said(FIRST) == [Booted("Startup finished in 1s (kernel) + 2s (userspace) = 3s")]


def test_the_second_part_is_read_into_its_fields():
    _, begun, details = said(FIRST + REST)

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


@given(st.lists(st.integers(0, len(FIRST + REST)), max_size=20))
def test_the_pieces_it_comes_in_make_no_difference(cuts: list[int]):
    data, parser, found = FIRST + REST, ReportParser(3), []
    edges = [0, *sorted(cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        found += list(parser.feed(data[start:end]))

    assert found == said(data)


def test_bars_in_the_text_belong_to_the_text():
    assert said(b"VMREPORTID:3|||a|||b\n") == [Booted("a|||b")]


def test_a_carriage_return_before_the_newline_is_not_text():
    assert said(b"VMREPORTID:3|||a\r\n") == [Booted("a")]


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


def test_a_true_report_after_noise_still_counts():
    noise, booted = said(b"noise\n" + FIRST)

    assert isinstance(noise, Rejected)
    assert isinstance(booted, Booted)


def test_a_second_report_is_rejected_and_the_first_stands():
    booted, rejected = said(FIRST + FIRST)

    assert isinstance(booted, Booted)
    assert rejected.why == "a second report"


def test_half_a_line_is_rejected_once_no_more_is_awaited():
    (rejected,) = said(b"VMREPORTID:3|||Startup fin", ended="nothing for 10 s")

    assert rejected.why == "half a line, then nothing for 10 s"


def test_more_details_than_are_kept_of_one_vm_are_counted_and_the_report_goes_on():
    sent = b"".join(b"%d.5s %s.service\n" % (number, b"\xff" * 300) for number in range(200))
    booted, details = said(FIRST + b"[slowest]\n" + sent + b"[end]\n")
    kept = [len(json.dumps(entry)) for entry in details.slowest]

    assert isinstance(booted, Booted)
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
    rejected, booted = said(long + b"\n" + FIRST)

    assert rejected.why == "a line of more than 64 KiB"
    assert len(rejected.excerpt) <= 201
    assert isinstance(booted, Booted)


def test_more_than_may_ever_be_written_closes_the_report_for_good():
    parser, found = ReportParser(3), []
    for _ in range(2 * MAX_REPORT_BYTES // 65536):
        found += list(parser.feed(b"y" * 65536))

    assert found[-1] == Rejected("it wrote more than 1 MiB", "", final=True)
    assert parser.is_closed
    assert list(parser.feed(FIRST)) == []


def test_rejections_are_bounded():
    assert len(said(b"noise\n" * 5000)) == MAX_REJECTIONS


@given(st.binary(max_size=4000))
def test_whatever_is_written_comes_out_printable_and_never_raises(data: bytes):
    for statement in said(FIRST + data + b"\n[slowest]\n" + data + b"\n[end]\n", ended="silence"):
        match statement:
            case Booted(text) | Rejected(_, text):
                assert text.replace("\t", "").isprintable()
            case Details():
                words = [*statement.slowest, *statement.properties, *statement.properties.values()]
                assert all(word.replace("\t", "").isprintable() for word in words)


@given(st.binary(max_size=3000), st.integers(1, 50))
def test_any_bytes_are_read_in_any_pieces_as_they_are_in_one(data: bytes, size: int):
    parser = ReportParser(3)
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    found = [statement for piece in pieces for statement in parser.feed(piece)]

    assert [*found, *parser.finish("the end")] == said(data, ended="the end")
