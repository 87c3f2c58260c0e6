"""The lines of a stream: whole however it is cut, each with its event, none lost."""

import pytest

from support.making import as_told, raw, run_events
from vmtiming_tui.model import events as ev
from vmtiming_tui.sources.event_lines import LineDecoder


@pytest.mark.parametrize("size", [1, 7, 100, 100_000])
def test_a_stream_gives_its_lines_and_their_events_however_it_is_cut(size):
    events, decoder = run_events([[5, 6]]), LineDecoder()
    stream = raw(events)

    told = [
        each
        for first in range(0, len(stream), size)
        for each in decoder.take(stream[first : first + size])
    ]

    assert told == as_told(events)


def test_half_a_line_waits_for_the_other_half():
    decoder = LineDecoder()
    line = ev.encode(ev.StormEnded(at_ns=5, storm=1)).encode()

    assert decoder.take(line[:9]) == []
    (told,) = decoder.take(line[9:] + b"\n{")

    assert told == (line, ev.StormEnded(at_ns=5, storm=1))


@pytest.mark.parametrize("line", [b'{"event":"from_the_future"}', b"\xff\xfe", b"", b"[]"])
def test_a_line_that_is_no_event_is_kept_as_it_came_and_said(line):
    ((kept, event),) = LineDecoder().take(line + b"\n")

    assert kept == line
    assert event.level is ev.Level.ERROR
    assert event.text.startswith("a line from the engine was not understood: ")
