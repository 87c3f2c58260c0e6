"""What a command prints, and what it may write over."""

import contextlib
import sys
from pathlib import Path

from vmtiming_tui.errors import ExportError
from vmtiming_tui.escape import printable


def echo(text: object, *, err: bool = False) -> None:
    """Print words, whatever they are made of: nothing in them acts on a terminal.

    In the stream's own encoding, which click would pass over where it is ASCII.
    """
    print(printable(str(text), keep="\t\n"), file=sys.stderr if err else sys.stdout, flush=True)


def echo_document(text: str) -> None:
    """Print a document as a file of it would be: in UTF-8, whatever a terminal takes."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode(errors="backslashreplace"))
    sys.stdout.buffer.flush()


def say(text: str) -> None:
    """Say it on standard error, whatever it is made of: nothing in it acts on a terminal.

    A terminal that is closed, a pipe nobody reads, stop nothing.
    """
    with contextlib.suppress(OSError):
        echo(text, err=True)


def check_free(file: Path, *, force: bool) -> None:
    """Raise ``ExportError`` where a file is there that may not be replaced."""
    if not force and file.is_file():
        raise ExportError(f"{file} is there already and was left as it is",
                          hint="--force replaces it; or give another name")  # fmt: skip
