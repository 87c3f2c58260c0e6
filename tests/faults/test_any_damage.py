"""Whatever has become of what was kept, and of what an initrd holds."""

import contextlib
import io
import tempfile
from pathlib import Path

from hypothesis import example, given, strategies as st

from faults.examples import fixed
from support.making import as_told
from support.recording import troubled_run
from vmtiming_tui.analysis.comparison.compare import compare_sides
from vmtiming_tui.analysis.comparison.samples import side_of
from vmtiming_tui.errors import EventError, ExportError, HistoryError
from vmtiming_tui.history.listing import history_lines, show_lines
from vmtiming_tui.history.runs import History
from vmtiming_tui.images.system.initrd.contents import InitrdKind, LookedAt
from vmtiming_tui.images.system.initrd.cpio import Entry, cpio
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export import FORMATS, render
from vmtiming_tui.report.export.from_json import fleet_of
from vmtiming_tui.report.findings import comparison_lines
from vmtiming_tui.sources.event_lines import LineDecoder
from vmtiming_tui.tui.state.dashboard_settings import load_settings

EVENTS = troubled_run(6)
LINES_KEPT = [ev.encode(event).encode() for event in EVENTS]


@st.composite
def damaged(draw, whole):
    """Bytes of something well-formed, some of them changed, left out, put in or doubled."""
    raw = bytearray(whole)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(raw) - 1, 0)))
        match draw(st.sampled_from(["flip", "cut", "end", "insert", "double"])):
            case "flip" if raw:
                raw[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del raw[at : at + draw(st.integers(1, 300))]
            case "end":
                del raw[at:]
            case "insert":
                raw[at:at] = draw(st.sampled_from(INSERTED) | st.binary(max_size=8))
            case _:
                raw[at:at] = raw[at : at + draw(st.integers(1, 100))]
    return bytes(raw)


INSERTED = (
    b"9" * 30, b"9" * 5000, b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-", b"null", b"[" * 2000,
    b'{"a":' * 2000, b'"at_ns":1,', b'"vm":-1,', b"\\ud800", b"\xff", b"\0", b"\n", b"[]", b"{}",
)  # fmt: skip


@given(st.sampled_from(LINES_KEPT).flatmap(damaged))
@example(b'{"event":"storm_ended","at_ns":' + b"9" * 400 + b',"storm":1}')
@example(b'{"event":"storm_ended","at_ns":1,"at_ns":2,"storm":1}')
@fixed(400)
def test_a_damaged_line_is_an_event_or_the_one_error(line):
    try:
        event = ev.decode(line)
    except EventError as error:
        assert len(str(error)) < 500
    else:
        assert ev.decode(ev.encode(event)) == event


@given(st.lists(st.sampled_from(LINES_KEPT) | st.sampled_from(LINES_KEPT).flatmap(damaged)))
@fixed(80)
def test_any_stream_of_events_can_be_shown_and_exported(lines):
    stream = []
    for line in lines:
        with contextlib.suppress(EventError):
            stream.append(ev.decode(line))
    fleet = Fleet(stream)
    for suffix in FORMATS:
        render(suffix, fleet).encode(errors="surrogatepass")
    assert comparison_lines(compare_sides(side_of(fleet), side_of(Fleet(EVENTS))))


def kept_run(path: Path) -> bytes:
    """Return the file a recorder makes of a run, its pieces small so that there are several."""
    with History.open(path) as history:
        raw = b"".join(line + b"\n" for line in LINES_KEPT)
        for first in range(0, len(raw), 30_000):
            with history.recorder() as recorder:
                piece = LINES_KEPT[0] + b"\n" + raw[first : first + 30_000]
                recorder.write(LineDecoder().take(piece))
    return path.read_bytes()


with tempfile.TemporaryDirectory() as _folder:
    KEPT = kept_run(Path(_folder) / "history.db")


@given(damaged(KEPT))
@fixed(60)
def test_a_damaged_history_is_read_as_far_as_it_goes_or_set_aside_in_words(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.db"
        path.write_bytes(content)
        try:
            with History.open(path) as history:
                runs = history.runs()
                assert history_lines(runs)
                for run in runs:
                    fleet = history.load(run)
                    assert show_lines(run, fleet)
                    assert render(".json", fleet)
        except HistoryError as error:
            assert error.hint


@given(st.integers(0, 100_000))
@fixed(40)
def test_a_run_cut_short_in_the_file_gives_its_beginning_and_says_so(length):
    with (
        tempfile.TemporaryDirectory() as folder,
        History.open(Path(folder) / "history.db") as history,
    ):
        with history.recorder() as recorder:
            recorder.write(as_told(EVENTS))
        ((blob,),) = history._connection.execute("SELECT lines FROM chunks").fetchall()
        cut = blob[: length % len(blob)]
        history._connection.execute("UPDATE chunks SET lines = ?", (cut,))
        *read, notice = history.events(history.find("last"))

    assert read == EVENTS[: len(read)]
    assert notice.text.startswith("1 event of this stored run could not be read")


EXPORT = render(".json", Fleet(EVENTS)).encode()


@given(damaged(EXPORT))
@fixed(80)
def test_a_damaged_export_is_a_run_to_compare_with_or_refused_in_words(text):
    try:
        fleet = fleet_of(text)
    except ExportError as error:
        assert error.hint
    else:
        assert comparison_lines(compare_sides(side_of(fleet, "a"), side_of(Fleet(EVENTS), "b")))


SETTINGS_FILE = b"""
[ui]
theme = "light"
ascii = true
[keys]
"main.rerun" = "f5,ctrl+l"
"main.back" = "x"
"""


@given(damaged(SETTINGS_FILE) | st.binary(max_size=200))
@example(b"a = " + b"[" * 5000)
@example(b"a = " + b"9" * 5000)
@fixed(150)
def test_a_settings_file_of_any_kind_gives_settings_and_says_its_faults(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_bytes(content)
        found = load_settings(path)

    assert found.theme in ("dark", "light")
    assert all(problem.startswith(str(path)) for problem in found.problems)


INITRD = cpio([Entry("conf"), Entry("conf/conf.d"), Entry("conf/initramfs.conf", b"x" * 50)])


@given(damaged(INITRD) | st.binary(max_size=300))
@example(INITRD[:54] + b"-0000070" + INITRD[62:])
@fixed(200)
def test_an_initrd_of_any_bytes_is_some_kind_or_unreadable(data):
    assert LookedAt.file(io.BytesIO(data)).kind in InitrdKind
