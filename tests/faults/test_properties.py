"""Whatever comes in: bytes, words and files of any kind are read, or refused in words.

The examples are the same in every run; tests/fuzz/ looks for new ones.
"""

import contextlib
import importlib
import io
import itertools
import os
import pickle
import tempfile
from pathlib import Path
from unittest.mock import patch

from hypothesis import example, given, settings
from hypothesis import strategies as st

from support.recording import troubled_run
from vmtiming_tui import events as ev
from vmtiming_tui.compare import compare_sides
from vmtiming_tui.config import Accel, RunConfig
from vmtiming_tui.engine.console import readable
from vmtiming_tui.engine.disks import GivenFiles
from vmtiming_tui.engine.option import option
from vmtiming_tui.engine.qemu import command_line
from vmtiming_tui.engine.report import (
    MAX_LINE_BYTES,
    MAX_REJECTIONS,
    MAX_REPORT_BYTES,
    Booted,
    Details,
    Rejected,
    ReportParser,
)
from vmtiming_tui.errors import EventError, ExportError, HistoryError
from vmtiming_tui.export import FORMATS, render
from vmtiming_tui.export.reading import fleet_of
from vmtiming_tui.fleet import Fleet
from vmtiming_tui.history import History
from vmtiming_tui.images.cpio import Entry, cpio
from vmtiming_tui.images.initrd import InitrdKind, initrd_kind
from vmtiming_tui.listing import history_lines, show_lines
from vmtiming_tui.sides import side_of
from vmtiming_tui.stages import text_parts_ns, timespan_ns
from vmtiming_tui.tables import comparison_lines
from vmtiming_tui.tui.settings import load_settings

command = importlib.import_module("vmtiming_tui.cli.main")


def fixed(examples: int) -> settings:
    return settings(max_examples=examples, derandomize=True, deadline=None)


# What a guest writes to its report port.

FRAGMENTS = st.sampled_from(
    [
        b"VMREPORTID:3|||Startup finished in 1s (kernel) = 1s", b"VMREPORTID:4|||x", b"VMREPORTID:",
        b"|||", b"\r", b"\r\n", b"\n", b"\n\n", b"protocol=2\n", b"clock_us=500\n", b"clock_us=",
        b"clock_resolution_us=0\n", b"KernelTimestampMonotonic=", b"9" * 18, b"[slowest]\n",
        b"[failed]\n", b"[critical-chain]\n", b"[end]\n", b"\x1b[31m", b"\xff\xfe", b"\0",
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
    assert sum(isinstance(one, Booted) for one in found) <= 1


@given(WRITTEN)
@fixed(150)
def test_all_that_is_said_of_a_report_can_be_shown(written):
    for statement in heard(written):
        match statement:
            case Booted(text):
                words = [text]
            case Rejected():
                words = [statement.why, statement.excerpt]
            case Details():
                lists = (statement.slowest, statement.failed, statement.chain)
                words = [*itertools.chain(*lists), *statement.properties]
                words += [*statement.properties.values(), *statement.timestamps_us]
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


# What is typed.

WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
ODD = WORDS | st.sampled_from(
    ["", "-", "--", "=", "-1", "0", "1", "nan", "inf", "1e999", "9" * 5000, "²", "x" * 300, "/",
     "x" * 300 + ".json", "\udcff", "\udcff.json", "~nobody/x.csv", ".json", "./", "a,b,,c", "last"]
)  # fmt: skip
OPTIONS = st.sampled_from(
    [name for parameter in command.cli.params for name in parameter.opts if name.startswith("-")]
)
LINES = st.lists(
    OPTIONS
    | ODD
    | st.tuples(OPTIONS.filter(lambda name: name.startswith("--")), ODD).map("=".join)
    | st.sampled_from(["history", "show", "export", "rm", "compare", "--speed", "--force"]),
    max_size=8,
)


def typed(words, home):
    """Return the exit code, what was said, and the plans and wishes a command line came to."""
    begun = []

    def begin(*asked):
        begun.append(asked)
        return 0

    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
    places = {f"XDG_{name}_HOME": str(home) for name in ("STATE", "CONFIG", "CACHE")}
    with (
        patch.object(command, "start_run", begin),
        patch.dict(os.environ, places),
        contextlib.chdir(home),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            command.main(words)
            code = 0
        except SystemExit as stop:
            code = stop.code
    for stream in (out, err):
        stream.flush()
    said = err.buffer.getvalue().decode(), out.buffer.getvalue().decode()
    return code, *said, begun


@given(LINES)
@example(["-p", "x", "-k", "k" * 300])
@example(["-p", "x" * 300, "-k", "/bin/sh"])
@example(["-p", "x", "-k", "/bin/sh", "-v", "v" * 300])
@example(["-o", "x" * 300 + ".json"])
@example(["--baseline", "x" * 300])
@example(["compare", "x" * 300, "a\nb"])
@example(["history", "-n", "9" * 5000])
@example(["export", "last", "\udcff.json"])
@fixed(250)
def test_any_words_are_a_run_or_a_clear_error(words):
    with tempfile.TemporaryDirectory() as home:
        code, err, _, begun = typed(words, home)

    assert code in (0, 1, 2)
    assert "Traceback" not in err
    assert (code == 0) or err.startswith("Error: ")
    assert not begun or code == 0


NAMES = WORDS.filter(bool)


@given(
    st.fixed_dictionaries(
        {"number": st.integers(1, 3), "memory": st.integers(1, 1 << 24)},
        optional={
            "smp": st.integers(1, 4096),
            "timeout": st.floats(0.001, 1e7),
            "stagger": st.floats(0, 1e7),
            "parallel": st.integers(1, 100_000),
            "accel": st.sampled_from(Accel),
            "append": WORDS.filter(lambda text: "\n" not in text and len(text) < 400),
            "machine": WORDS,
            "cpu": WORDS,
        },
    ),
    st.text("abc ,=é'\"$\n", min_size=1, max_size=20),
    st.lists(WORDS, max_size=3),
)
@fixed(60)
def test_what_is_typed_is_what_is_run(given_settings, prefix, qemu_args):
    with tempfile.TemporaryDirectory() as home:
        for vm in range(given_settings["number"]):
            (Path(home) / f"{prefix}-{vm}.img").touch()
        words = [f"--{name}={value}" for name, value in given_settings.items()]
        words += ["-k", "/bin/sh", "-q", "/bin/sh", f"--prefix={prefix}", "-s", ".img"]
        code, err, _, begun = typed([*words, "--", *qemu_args], home)

    assert (code, err) == (0, "")
    config = begun[0][0].config
    names = {"memory": "memory_mib", "timeout": "timeout_s", "stagger": "stagger_s"}
    for name, value in given_settings.items():
        assert getattr(config, names.get(name, name)) == value
    assert (config.prefix, config.qemu_args) == (prefix, tuple(qemu_args))


# What QEMU is given.


def as_qemu_reads(value: str) -> list[str]:
    """Split an option's value by QEMU's rule: ``,`` ends a part, ``,,`` is a comma in it."""
    parts, at = [""], 0
    while at < len(value):
        if value[at] != ",":
            parts[-1] += value[at]
        elif value[at : at + 2] == ",,":
            parts[-1] += ","
            at += 1
        else:
            parts.append("")
        at += 1
    return parts


PATHS = st.text(st.characters(exclude_characters="\0"), min_size=1) | st.binary(min_size=1).map(
    lambda raw: os.fsdecode(raw.replace(b"\0", b"\1"))
)


@given(st.lists(PATHS, min_size=1, max_size=4))
@example([",", ",,", ",,,"])
@example(["a,readonly=on,b", "x=y,,"])
@fixed(200)
def test_whatever_a_name_holds_qemu_reads_that_name(values):
    named = {f"key_{place}": value for place, value in enumerate(values)}

    parts = as_qemu_reads(option("socket", **named))

    assert parts == ["socket", *(f"key-{place}={value}" for place, value in enumerate(values))]


@given(PATHS, PATHS)
@fixed(100)
def test_no_path_adds_an_option_to_qemus_command(image, socket):
    with GivenFiles() as given:
        given.give(os.open("/dev/null", os.O_RDONLY), image, writable=False)
        disks = given.words
    report = Path("/r") / socket.strip("/")
    words = command_line(
        0, RunConfig(kernel="k"), accel=Accel.TCG, disks=disks, report_socket=report
    )

    read = [as_qemu_reads(word) for word in words]
    assert sum(f"opaque=rdonly:{image}" in parts for parts in read) == 1
    assert sum(f"path={report}" in parts for parts in read) == 1


# What is kept, and read back.

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
                recorder.write(LINES_KEPT[0] + b"\n" + raw[first : first + 30_000])
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
            recorder.write(b"".join(line + b"\n" for line in LINES_KEPT))
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


# What an image's initrd holds.

INITRD = cpio([Entry("conf"), Entry("conf/conf.d"), Entry("conf/initramfs.conf", b"x" * 50)])


@given(damaged(INITRD) | st.binary(max_size=300))
@example(INITRD[:54] + b"-0000070" + INITRD[62:])
@fixed(200)
def test_an_initrd_of_any_bytes_is_some_kind_or_unreadable(data):
    assert initrd_kind(io.BytesIO(data)) in InitrdKind
