"""Whatever is typed, and whatever QEMU is given of it."""

import contextlib
import importlib
import io
import os
import tempfile
from pathlib import Path
from unittest.mock import patch

from hypothesis import example, given, strategies as st

from faults.examples import fixed
from vmtiming_tui.engine.qemu.command_line import command_line
from vmtiming_tui.engine.qemu.disks import GivenFiles
from vmtiming_tui.engine.qemu.option_words import option
from vmtiming_tui.model.config import Accel, AfterReport, End, RunConfig

command = importlib.import_module("vmtiming_tui.cli.main")


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
            "after-report": st.sampled_from(AfterReport),
            "end": st.sampled_from(End),
            "shutdown-timeout": st.floats(0.001, 1e7),
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
    names = {
        "memory": "memory_mib", "timeout": "timeout_s", "stagger": "stagger_s",
        "after-report": "after_report", "shutdown-timeout": "shutdown_timeout_s",
    }  # fmt: skip
    for name, value in given_settings.items():
        assert getattr(config, names.get(name, name)) == value
    assert (config.prefix, config.qemu_args) == (prefix, tuple(qemu_args))


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
