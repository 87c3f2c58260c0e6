"""What is told on standard error while VMs are collected and ended; standard output stays as is."""

import asyncio
import os
import pty
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from support.facts import plan
from support.making import FAILED, run_events
from support.phased import Aftermath, phased
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.config import End
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.plain import PlainReport
from vmtiming_tui.session.headless import follow
from vmtiming_tui.session.streams import Streams

BOOTS = [5.0, 6.0, 7.0, 8.0, FAILED]


class Played:
    """A source whose run was made up: a batch an event, as a live one's may be."""

    def __init__(self, events):
        self._events = events
        self.sent = []

    def send(self, command):
        self.sent.append(command)

    async def batches(self):
        for event in self._events:
            yield [event]


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """Two ends of a terminal: what a program writes to one is read from the other."""
    reader, writer = pty.openpty()
    try:
        yield reader, writer
    finally:
        os.close(reader)


def followed(events, tmp_path, err_fd=None):
    """Return what goes to standard output and, where it is a file, to standard error."""
    out_path, err_path = tmp_path / "out", tmp_path / "err"
    with (
        out_path.open("w") as out,
        os.fdopen(err_fd, "w") if err_fd is not None else err_path.open("w") as err,
        Streams(out, err) as streams,
    ):
        asyncio.run(follow(Played(events), Fleet(), streams))
    return out_path.read_text().splitlines(), err_path.read_text() if err_fd is None else ""


def _all_of(reader):
    """Return all that was written to a terminal whose other end is closed."""
    pieces = []
    with suppress(OSError):  # how a terminal says that there is no more
        while piece := os.read(reader, 1 << 16):
            pieces.append(piece)
    return b"".join(pieces)


def of_phases(told):
    return [line for line in told.splitlines() if line.startswith(("Coll", "Shut", "End"))]


def test_without_a_terminal_each_phase_is_said_once_at_its_begin(tmp_path):
    _, err = followed(phased(run_events([BOOTS])), tmp_path)

    assert of_phases(err) == ["Collecting 4 VMs.", "Shutting down 4 VMs."]
    assert "\r" not in err


def test_each_round_and_each_storm_has_its_own(tmp_path):
    stream = phased(run_events([BOOTS[:4], BOOTS[:4]]), Aftermath(rounds=2))
    _, err = followed(stream, tmp_path)

    assert of_phases(err) == ["Collecting 2 VMs.", "Shutting down 2 VMs."] * 4


def test_vms_that_are_quit_are_not_said_to_shut_down(tmp_path):
    asked = {"plan": plan(end=End.QUIT)}
    stream = phased(run_events([BOOTS], started=asked), Aftermath(end=End.QUIT))
    _, err = followed(stream, tmp_path)

    assert of_phases(err) == ["Collecting 4 VMs.", "Ending 4 VMs."]


def test_nothing_is_said_of_guests_that_went_their_own_way_and_are_gone(tmp_path):
    stream = run_events([BOOTS])
    decided = ev.StormDecided(at_ns=stream[-2].at_ns, storm=1)
    _, err = followed([*stream[:-2], decided, *stream[-2:]], tmp_path)

    assert of_phases(err) == []


def test_on_a_terminal_it_is_counted_in_place_and_gone_at_the_end(tmp_path):
    with terminal() as (reader, writer):
        followed(phased(run_events([BOOTS])), tmp_path, writer)
        shown = _all_of(reader).decode()

    frames = [frame.rstrip() for frame in shown.replace("\r\n", "\n").split("\r")]
    assert [frame for frame in frames if frame.startswith("coll")] == [
        f"collecting {done}/4" for done in range(4)
    ]
    assert [frame for frame in frames if frame.startswith("shut")] == [
        f"shutting down {done}/4" for done in range(4)
    ]
    assert frames[-1] == ""


@pytest.mark.parametrize("after", [Aftermath(), Aftermath(rounds=2), Aftermath(end=End.QUIT)])
def test_standard_output_is_the_plain_reports_line_for_line(tmp_path, after):
    stream = phased(run_events([BOOTS], skew_s=0.0), after)
    fleet, report, expected = Fleet(), None, []
    report = PlainReport(fleet)
    for event in stream:
        fleet.fold(event)
        expected += report.lines_for(event)

    out, _ = followed(stream, tmp_path)

    assert out == expected
    assert sorted(line for line in out if "reported" in line) == [
        f"VM {vm} reported as booted" for vm in range(4)
    ]


def test_the_words_of_guests_that_told_them_when_asked_are_in_the_reports_end():
    fleet = Fleet(phased(run_events([[5.0, 6.0]], skew_s=0.0)))

    assert PlainReport(fleet).final_lines() == [
        "VM 0 booted in: 5s: Startup finished in "
        "0.916s (kernel) + 1.374s (initrd) + 2.290s (userspace) = 4.580s",
        "VM 1 booted in: 6s: Startup finished in "
        "1.116s (kernel) + 1.674s (initrd) + 2.790s (userspace) = 5.580s",
        "Average boot: 5.5s",
        "It took 6s to boot all VMs",
    ]


def test_a_guest_that_told_nothing_has_a_line_all_the_same():
    fleet = Fleet(phased(run_events([[5.0, 6.0]]), Aftermath(silent=frozenset({1}))))

    assert PlainReport(fleet).final_lines()[1] == "VM 1 booted in: 6s"
