"""What the terminal that this is called on can show, and streams that take every character."""

import io
import os
import sys

# What terminfo calls a terminal without a cursor to move: Emacs' shell, CI's pseudo-terminals.
_WITHOUT_CURSOR = ("", "dumb", "unknown")
# Linux' own console has a font of 512 signs at most, and shows any other as a blank box.
_FEW_SIGNS = ("linux", "vt100", "vt220")
_SIGNS = "│✓◌▁"


def can_show_a_dashboard() -> bool:
    """Whether there is a person, on a terminal that a dashboard can be drawn on."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    on_a_terminal = all(stream is not None and stream.isatty() for stream in streams)
    return on_a_terminal and os.environ.get("TERM", "") not in _WITHOUT_CURSOR


def shows_only_ascii() -> bool:
    """Whether a dashboard, which is drawn on standard error, must do with ASCII."""
    if os.environ.get("TERM") in _FEW_SIGNS:
        return True
    try:
        _SIGNS.encode(getattr(sys.stderr, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return True
    return False


def takes(sign: str) -> bool:
    """Whether standard output has such a character."""
    try:
        sign.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def take_every_character() -> None:
    r"""Let what a stream's encoding does not have come out as ``\xfc``, not as an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def let_go() -> None:
    """Forget what a stream did not take: Python itself would fail at its end, and exit with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        except (AttributeError, ValueError):
            continue  # there is none, or it is closed
