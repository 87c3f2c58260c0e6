"""What stands in the panes of one VM's screen: lines of (text, style); pure."""

import shlex
from collections.abc import Mapping
from typing import Any

from vmtiming_tui.analysis.units.one_boot import chain_lines, slowest_lines
from vmtiming_tui.escape import plural, were
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.events import QmpSeen
from vmtiming_tui.model.guest_events import UnitOrder
from vmtiming_tui.report.kernel_report import log_sections
from vmtiming_tui.report.plain import left_out_words
from vmtiming_tui.tui.drawing.disk_words import disk_layers
from vmtiming_tui.tui.drawing.styled import Part, filled, seconds, shown, shown_lines
from vmtiming_tui.tui.drawing.theme import Palette

_MAX_VALUE = 200
_WEIGHTY = ("GUEST_PANICKED", "GUEST_CRASHLOADED", "BLOCK_IO_ERROR", "RESET")


def _heading(text: str, palette: Palette) -> Part:
    return text, palette.accent


def guest_lines(
    attempt: Attempt, palette: Palette, silence: str, order: UnitOrder | None = None
) -> list[Part]:
    """Return what the guest said: its own figures, slowest and failed units, critical chain.

    ``silence`` is what stands there while it has said nothing; ``order`` is the run's, of units.
    """
    if not attempt.text and not attempt.rejected:
        return [(silence, palette.dim)]
    lines: list[Part] = [(line, palette.text) for line in shown_lines(attempt.text)]
    details = attempt.details
    if details is not None:
        sections = (
            ("Failed units", details.failed_units, palette.error),
            ("Slowest units", slowest_lines(attempt), palette.text),
            ("Critical chain", chain_lines(attempt, order), palette.text),
        )
        for title, words, style in sections:
            if words:
                lines += [("", palette.text), _heading(title, palette)]
                lines += [(shown_raw(word), style) for word in words]
        for title, words in log_sections(attempt.kernel) if attempt.kernel else ():
            lines += [("", palette.text), _heading(title, palette)]
            lines += [(shown_raw(word), palette.text) for word in words]
        if details.dropped_bytes:
            count = details.dropped_bytes
            dropped = f"{plural(count, 'byte')} more {were(count)} left out."
            lines += [("", palette.text), (dropped, palette.warning)]
        if not details.complete:
            lines += [("", palette.text), ("The guest's report broke off here.", palette.warning)]
    for rejected in attempt.rejected:
        lines += [
            ("", palette.text),
            (f"Rejected: {shown(rejected.why)}", palette.warning),
            (shown(rejected.excerpt), palette.dim),
        ]
    return lines


def shown_raw(text: str) -> str:
    """Return one line of the guest with its indent kept and everything unseen made visible."""
    return (shown_lines(text) or [""])[0]


def console_lines(attempt: Attempt, palette: Palette) -> tuple[list[Part], str]:
    """Return the console's end, and what to say about the part that is not there."""
    console = attempt.console
    if console is None or not console.text:
        return [("Nothing on the serial console yet.", palette.dim)], ""
    note = plural(console.total_bytes, "byte")
    if console.dropped_bytes:
        note += f", the first {console.dropped_bytes:,} dropped"
    return [(line, palette.text) for line in shown_lines(console.text)], note


def _values(data: Mapping[str, Any]) -> str:
    words = []
    for key, value in data.items():
        text = shown(str(value))
        words.append(f"{shown(key)}={text[:_MAX_VALUE]}")
    return " ".join(words)


def _is_weighty(event: QmpSeen, attempt: Attempt) -> bool:
    """Return whether a QMP event tells of something out of the way; to be frozen is not."""
    if event.name == "STOP":
        return attempt.report_ns is None or event.at_ns < attempt.report_ns
    return event.name in _WEIGHTY


def event_lines(attempt: Attempt, palette: Palette) -> list[Part]:
    """Return the QMP events with their times since the VM was let go."""
    if not attempt.qmp:
        return [("No QMP event yet.", palette.dim)]
    zero = attempt.go_ns or attempt.spawn_ns or attempt.queued_ns
    seen = [
        (
            f"{seconds((event.qemu_ns or event.at_ns) - zero, 3):>9} s  "
            f"{filled(shown(event.name), 18)} {_values(event.data)}{' ...' * event.cut}",
            palette.warning if _is_weighty(event, attempt) else palette.text,
        )
        for event in attempt.qmp
    ]
    return seen + [(words, palette.warning) for words in left_out_words(attempt.qmp_left_out)]


def command_line(attempt: Attempt) -> str:
    """Return the QEMU command, quoted for a shell."""
    return shlex.join(attempt.argv)


def qemu_lines(attempt: Attempt, palette: Palette) -> list[Part]:
    """Return QEMU's command, an option a line, how it ended, and what it wrote to stderr."""
    if not attempt.argv:
        return [("QEMU has not been started yet.", palette.dim)]
    lines: list[Part] = []
    words: list[str] = []
    for word in attempt.argv:
        if word.startswith("-") and words:
            lines.append((" ".join(words), palette.text))
            words = []
        words.append(("  " if lines and not words else "") + shown(shlex.quote(word)))
    lines.append((" ".join(words), palette.text))
    if attempt.host:
        pid = f", process {attempt.pid}" if attempt.pid else ""
        where = f"On host {shown(attempt.host)}{pid}:"
        lines = [(where, palette.dim), *lines]
    if layers := disk_layers(attempt.argv):
        chain = ", which stands on ".join(f"{shown(path)} ({shown(form)})" for form, path in layers)
        lines += [("", palette.text), (f"Its disk is {chain}.", palette.text)]
    if attempt.injected:
        lines += [
            ("", palette.text),
            (f"The report service is brought in by {shown(attempt.injected)}.", palette.text),
            ("Its files lie in the run's folder, which goes with the run.", palette.dim),
        ]
    if attempt.exited_ns is not None:
        reason = f", {shown(attempt.exit_reason)}" if attempt.exit_reason else ""
        lines += [
            ("", palette.text),
            (f"Ended with exit code {attempt.exit_code}{reason}.", palette.dim),
        ]
    if attempt.stderr:
        lines += [("", palette.text), _heading("stderr", palette)]
        lines += [(line, palette.warning) for line in shown_lines(attempt.stderr)]
    return lines
