"""Whatever a guest writes: to its report port, to its console, of its boot."""

import itertools
import pickle

from hypothesis import example, given, strategies as st

from faults.examples import fixed
from vmtiming_tui.analysis.stages import text_parts_ns, timespan_ns
from vmtiming_tui.engine.guest.console import readable
from vmtiming_tui.engine.guest.report_protocol import (
    MAX_LINE_BYTES,
    MAX_REJECTIONS,
    MAX_REPORT_BYTES,
    Details,
    LineEnded,
    OrderTold,
    Rejected,
    Reported,
    ReportParser,
)

FRAGMENTS = st.sampled_from(
    [
        b"VMREPORTID:3|||Startup finished in 1s (kernel) = 1s", b"VMREPORTID:4|||x", b"VMREPORTID:",
        b"|||", b"\r", b"\r\n", b"\n", b"\n\n", b"protocol=2\n", b"clock_us=500\n", b"clock_us=",
        b"clock_resolution_us=0\n", b"KernelTimestampMonotonic=", b"9" * 18, b"[slowest]\n",
        b"[failed]\n", b"[critical-chain]\n", b"[end]\n",
        b"[units]\n", b"Id=a.service\n", b"After=\"b\\\\x2d\" c\n", b"ActiveState=failed\n",
        b"ActiveEnterTimestampMonotonic=5\n", b"gathering_us=7\n", b"\x1b[31m", b"\xff\xfe", b"\0",
        "\u202e\u2066".encode(), b"z" * MAX_LINE_BYTES, b"y" * (MAX_LINE_BYTES - 1),
    ]
)  # fmt: skip
WRITTEN = st.lists(FRAGMENTS | st.binary(max_size=20), max_size=15).map(b"".join)


def heard(*pieces):
    parser, found = ReportParser(3), []
    for piece in pieces:
        found += parser.feed(piece)
    return [*found, *parser.finish("the end")]


@given(WRITTEN, st.lists(st.integers(0, 300_000), max_size=12))
@example(b"VMREPORTID:3|||" + b"x" * (MAX_LINE_BYTES - 15) + b"\r\n", [MAX_LINE_BYTES + 1])
@example(b"y" * (MAX_LINE_BYTES + 1) + b"\nVMREPORTID:3|||up\n", [MAX_LINE_BYTES + 1])
@fixed(400)
def test_a_report_is_the_same_in_whatever_pieces_it_comes(written, cuts):
    edges = [0, *sorted(min(cut, len(written)) for cut in cuts), len(written)]
    pieces = [written[first:last] for first, last in itertools.pairwise(edges)]

    assert heard(*pieces) == heard(written[:MAX_REPORT_BYTES])


@given(WRITTEN.filter(bool), st.integers(1, 65_536))
@fixed(60)
def test_no_flood_makes_a_report_grow(written, size):
    flood = written * (2 * MAX_REPORT_BYTES // len(written) + 1)
    parser, found = ReportParser(3), []
    size = max(size, 4096)
    for place, start in enumerate(range(0, len(flood), size)):
        found += parser.feed(flood[start : start + size])
        if place % 32 == 0:
            assert len(pickle.dumps(parser)) < MAX_LINE_BYTES + size + 900_000
    found += parser.finish("the end")

    assert parser.is_closed
    assert sum(isinstance(one, Rejected) for one in found) <= MAX_REJECTIONS + 1
    assert sum(isinstance(one, Reported) for one in found) <= 1


@given(WRITTEN)
@fixed(150)
def test_all_that_is_said_of_a_report_can_be_shown(written):
    for statement in heard(written):
        match statement:
            case LineEnded(text):
                words = [text]
            case Rejected():
                words = [statement.why, statement.excerpt]
            case Details():
                names = [unit.name for unit in statement.units]
                lists = (statement.slowest, statement.failed, statement.chain, names)
                words = [*itertools.chain(*lists), *statement.properties]
                words += [*statement.properties.values(), *statement.timestamps_us]
            case OrderTold(after):
                words = [*after, *itertools.chain(*after.values())]
            case _:
                words = []
        assert all(word.replace("\t", "").isprintable() for word in words)


# What a guest writes to its console, and what systemd says of a boot.


@given(st.lists(FRAGMENTS | st.binary(max_size=40), max_size=12).map(b"".join))
@fixed(100)
def test_a_console_steers_no_terminal(written):
    shown = readable(written)

    assert shown.replace("\n", "").replace("\t", "").isprintable()


UNITS = (("y", 31_557_600), ("month", 2_629_800), ("w", 604_800), ("d", 86_400), ("h", 3600))


def span(us: int) -> str:
    """Return a time span as systemd's manual has it (systemd.time(7)): units from large to small,
    the last one with a fraction.
    """
    words = []
    for unit, seconds in (*UNITS, ("min", 60)):
        count, us = divmod(us, seconds * 1_000_000)
        words += [f"{count}{unit}"] * bool(count)
    if us >= 1_000_000:
        words.append(f"{us / 1e6:.6f}".rstrip("0").rstrip(".") + "s")
    elif us >= 1000:
        words.append(f"{us / 1e3:.3f}".rstrip("0").rstrip(".") + "ms")
    elif us or not words:
        words.append(f"{us}us")
    return " ".join(words)


@given(st.integers(0, 3 * 31_557_600 * 10**6))
@example(60_000_000)
@fixed(200)
def test_a_span_as_systemd_writes_it_is_read_to_the_microsecond(us):
    assert abs(timespan_ns(span(us)) - us * 1000) <= 10


@given(
    st.dictionaries(
        st.sampled_from(["firmware", "loader", "kernel", "initrd", "userspace"]),
        st.integers(1, 10**10),
        min_size=1,
    )
)
@fixed(100)
def test_every_part_of_the_startup_line_is_read(parts):
    line = " + ".join(f"{span(us)} ({name})" for name, us in parts.items())

    read = text_parts_ns(f"Startup finished in {line} = {span(sum(parts.values()))}")

    assert read.keys() == parts.keys()
    assert all(abs(read[name] - us * 1000) <= 10 for name, us in parts.items())
