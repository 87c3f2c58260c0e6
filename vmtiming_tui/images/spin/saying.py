"""What a person is told of a spin, and how it ends: in words of ours, others' as such."""

import sys
from collections.abc import Callable

from vmtiming_tui.errors import ImageError, VmTimingError
from vmtiming_tui.escape import printable
from vmtiming_tui.images.guard.ending import Ended, Signals


def say(text: str) -> None:
    """Print words of ours."""
    print(f"spin-from-raw: {text}", flush=True)


def say_from_inside(text: str) -> None:
    """Print words from the box: in one piece, and never as if they were ours to be acted on.

    Only the first line has our name, and the one line that other programs look for is ours alone.
    """
    first, *more = text.split("\n")
    words = printable(first)
    say(f"'{words}'" if words.strip().lower().startswith("ready") else words)
    for line in more:
        print(f"  {printable(line.strip())}", flush=True)


def _complain(error: VmTimingError) -> None:
    first, *more = error.message.split("\n")
    hint = f"; {error.hint}" if error.hint and not more else ""
    lines = [f"spin-from-raw: {printable(first)}{printable(hint)}"]
    lines += [f"  {printable(line.strip())}" for line in more]
    lines += [f"  {printable(error.hint)}"] if error.hint and more else []
    print("\n".join(lines), file=sys.stderr, flush=True)


def to_the_end(do: Callable[[Signals], None], image: str) -> int:
    """Do it, complain of what stops it, and return the exit code."""
    with Signals() as signals:
        try:
            do(signals)
        except VmTimingError as error:
            _complain(error)
            return error.exit_code
        except OSError as error:
            _complain(ImageError(f"{error.strerror}: {error.filename or image}"))
            return 1
        except Ended as ended:
            return ended.code
    return 0
