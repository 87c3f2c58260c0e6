"""What a step of GitHub Actions shows of a run: annotations among its output, and a summary.

Workflow commands are lines of what a step prints; their escapes are those of GitHub's own toolkit
(actions/toolkit, packages/core/src/command.ts). GitHub shows ten errors and ten warnings a step,
and takes a summary of 1 MiB.
"""

from collections.abc import Sequence
from dataclasses import replace

from vmtiming_tui.escape import plural, printable
from vmtiming_tui.report.export.as_markdown import render_markdown
from vmtiming_tui.report.export.document import Document

SHOWN = 10
MAX_SUMMARY_BYTES = 1 << 20


def annotation_lines(title: str, errors: Sequence[str], warnings: Sequence[str]) -> list[str]:
    """Return the lines that have sentences shown as errors and as warnings of a step."""
    return [*_lines("error", title, errors), *_lines("warning", title, warnings)]


def _lines(command: str, title: str, sentences: Sequence[str]) -> list[str]:
    shown = list(sentences[:SHOWN])
    if len(sentences) > SHOWN:
        shown[-1] = f"{plural(len(sentences) - SHOWN + 1, 'more sentence')} in the step's output"
    return [f"::{command} title={_property(title)}::{_data(each)}" for each in shown]


def _data(text: str) -> str:
    shown = printable(text, keep="\n")
    return shown.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def step_summary(document: Document, room_bytes: int = MAX_SUMMARY_BYTES) -> str:
    """Return the run as Markdown, without its VMs where there is no room for so many."""
    whole = f"{render_markdown(document)}\n"
    if len(whole.encode(errors="backslashreplace")) <= room_bytes:
        return whole
    boots = plural(len(document.listed), "VM")
    return f"{render_markdown(replace(document, boots=()))}\n{boots} left out: too many to show.\n"
