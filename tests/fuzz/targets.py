"""What is fuzzed: each target takes any bytes, and fails where the package does what it may not."""

import contextlib
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from fuzz import boot_targets, image_targets, packed_targets
from vmtiming_tui.engine.guest.report_protocol import (
    MAX_REJECTIONS,
    MAX_REPORT_BYTES,
    Details,
    LineEnded,
    OrderTold,
    Rejected,
    Reported,
    ReportParser,
    Statement,
)
from vmtiming_tui.engine.qemu.option_words import option
from vmtiming_tui.errors import EventError, ExportError
from vmtiming_tui.escape import JOINING, MAX_MARKS, one_line, printable
from vmtiming_tui.history.event_budget import MAX_LINE_BYTES, Budget
from vmtiming_tui.history.stored_lines import packed, unpacked
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.kernel_events import KernelLog
from vmtiming_tui.report.export import render
from vmtiming_tui.report.export.from_json import fleet_of
from vmtiming_tui.sources.event_lines import LineDecoder

CASES = Path(__file__).parent / "cases"
MAX_INPUT_BYTES = 200_000


def _heard(pieces: Iterable[bytes]) -> list[Statement]:
    listener, found = ReportParser(3), list[Statement]()
    for piece in pieces:
        found += listener.feed(piece)
    return [*found, *listener.finish("the end")]


def _words(statement: Statement) -> list[str]:
    match statement:
        case LineEnded(text):
            return [text]
        case Rejected():
            return [statement.why, statement.excerpt]
        case Details():
            entries = [*statement.slowest, *statement.failed, *statement.chain]
            entries += [unit.name for unit in statement.units]
            properties = statement.properties
            return [*entries, *properties, *properties.values(), *statement.timestamps_us]
        case OrderTold(after):
            return [*after, *(name for names in after.values() for name in names)]
        case KernelLog():
            parts = (statement.initcalls, statement.probes, statement.levels, statement.silences)
            names = [name for spans in parts for name in spans.names]
            return [*names, *statement.deferred, *statement.pending]
        case _:
            return []


def parser(data: bytes) -> None:
    """A report: the first two bytes say how large the pieces are that the rest comes in."""
    size, written = int.from_bytes(data[:2], "little") + 1, data[2:]
    whole = _heard([written])
    words = [word for statement in whole for word in _words(statement)]
    assert all(word.replace("\t", "").isprintable() for word in words)
    assert sum(isinstance(each, Rejected) for each in whole) <= MAX_REJECTIONS + 1
    assert sum(isinstance(each, Reported) for each in whole) <= 1
    if len(written) <= MAX_REPORT_BYTES:
        assert _heard(written[at : at + size] for at in range(0, len(written), size)) == whole


def loader(data: bytes) -> None:
    """The lines of a stored run, or an exported file: read, shown, written again."""
    with contextlib.suppress(ExportError):
        render(".txt", fleet_of(data))
    stream = []
    for line in data.split(b"\n"):
        with contextlib.suppress(EventError):
            stream.append(ev.decode(line))
    for event in stream:
        assert ev.decode(ev.encode(event)) == event
    if stream:
        fleet = Fleet(stream)
        for suffix in (".txt", ".json", ".csv", ".md"):
            render(suffix, fleet)


def quoting(data: bytes) -> None:
    """Values of a QEMU option, a zero byte between them: by QEMU's rule each is what it was."""
    values = [part.decode(errors="surrogateescape") for part in data.split(b"\0")]
    word, parts, at = option("bare", **dict.fromkeys(["key"], values[0])), [""], 0
    word = ",".join([word, *(option(key=value) for value in values[1:])])
    while at < len(word):
        if word.startswith(",,", at):
            parts[-1] += ","
            at += 1
        elif word[at] == ",":
            parts.append("")
        else:
            parts[-1] += word[at]
        at += 1
    assert parts == ["bare", *(f"key={value}" for value in values)]


def filtering(data: bytes) -> None:
    """Foreign text, as bytes and as text: safe whatever it is, and not changed a second time."""
    for raw in (data, data.decode(errors="surrogateescape"), data.decode("utf-16", "replace")):
        shown = printable(raw, keep="")
        assert printable(shown, keep="") == shown
        assert all(char.isprintable() or char in JOINING for char in shown)
        marks = 0
        for char in shown:
            marks = marks + 1 if unicodedata.category(char)[0] == "M" else 0
            assert marks <= MAX_MARKS + 1
        line = one_line(raw, 80)
        assert len(line) <= 80
        assert line == printable(line, keep="")


def stored(data: bytes) -> None:
    """A chunk of a stored run: any bytes, and any lines; and what is kept of a stream of them."""
    for line in unpacked(data):
        assert len(line) <= MAX_LINE_BYTES
    lines = data.split(b"\n")
    assert list(unpacked(packed(lines))) == lines
    budget = Budget()
    kept = sum(map(budget.keeps, LineDecoder().take(b"".join(line + b"\n" for line in lines))))
    assert kept + budget.left_out.total() == len(lines)


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "parser": parser,
    "loader": loader,
    "quoting": quoting,
    "filtering": filtering,
    "stored": stored,
    "headers": image_targets.headers,
    "volumes": image_targets.volumes,
    "partitions": image_targets.partitions,
    "lvm": image_targets.lvm,
    "ext": image_targets.ext,
    "fat": image_targets.fat,
    "initrd": boot_targets.initrd,
    "modules": boot_targets.modules,
    "program": boot_targets.program,
    "kernel": boot_targets.kernel,
    "texts": boot_targets.texts,
    "menus": boot_targets.menus,
    "packed": packed_targets.packed,
    "no-disks": packed_targets.no_disks,
}
