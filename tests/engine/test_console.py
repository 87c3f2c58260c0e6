"""The end of a console: kept within bounds, readable, safe."""

from pathlib import Path

from hypothesis import given, settings, strategies as st

from vmtiming_tui.engine.guest.console import KEPT_BYTES, ConsoleLog, readable


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 70_000), max_size=20))
def test_the_end_is_kept_and_the_rest_counted(tmp_path_factory, sizes: list[int]):
    spill = tmp_path_factory.mktemp("console") / "spill"
    log, whole = ConsoleLog(spill), b""
    for number, size in enumerate(sizes):
        data = bytes((number + index) % 251 for index in range(size))
        whole += data
        log.add(data)
    tail = log.tail()

    assert log.total_bytes == len(whole)
    assert whole.endswith(tail)
    assert len(tail) + log.dropped_bytes == len(whole)
    assert len(tail) >= min(len(whole), KEPT_BYTES - 32 * 1024)
    assert not spill.exists() or spill.stat().st_size <= KEPT_BYTES
    assert whole.endswith(log.tail(1000))
    assert len(log.tail(1000)) == min(1000, len(whole))


def test_a_later_console_in_the_same_place_shows_nothing_of_the_earlier_one(tmp_path: Path):
    spill = tmp_path / "spill"
    ConsoleLog(spill).add(b"earlier " * 50_000)
    log = ConsoleLog(spill)
    log.add(b"later " * 10_000)

    assert log.tail() == b"later " * 10_000
    assert spill.stat().st_size < 60_000


def test_a_full_disk_costs_the_older_part_only(tmp_path: Path):
    log = ConsoleLog(tmp_path / "no such folder" / "spill")
    log.add(b"a" * 300_000)
    log.add(b"the end")

    assert log.tail().endswith(b"the end")
    assert len(log.tail()) + log.dropped_bytes == log.total_bytes


def test_colours_are_left_out_and_what_steers_a_terminal_is_made_visible():
    raw = b"\x1bc\x1b[0;32m  OK  \x1b[0m Reached\r\n\x1bM\x1b]0;title\x07caf\xc3\xa9\xff\n"

    assert readable(raw) == "  OK   Reached\n\\x1b]0;title\\x07café\\xff\n"


def test_a_line_ends_once_however_often_the_cursor_went_back():
    assert readable(b"one\r\r\ntwo\rthree\n\nfour") == "one\ntwo\nthree\n\nfour"
