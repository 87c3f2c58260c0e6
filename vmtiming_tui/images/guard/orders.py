"""The inside's end of the channel: the one order it obeys, and what it says meanwhile."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vmtiming_tui.errors import AsItIsError, VmTimingError
from vmtiming_tui.images.guard.channel import Channel

_PROGRESS_S = 0.2


class Voice:
    """What the inside says to the outside."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    def say(self, text: str) -> None:
        """Say what is being done."""
        self.channel.send(say=text)

    @contextlib.contextmanager
    def progress(self, file: Path, whole_bytes: int) -> Iterator[None]:
        """Tell how much of so many bytes a file has, for as long as the block lasts."""
        done = threading.Event()

        def tell() -> None:
            told = -1
            while not done.wait(_PROGRESS_S):
                with contextlib.suppress(FileNotFoundError):
                    has = min(file.stat().st_blocks * 51200 // max(whole_bytes, 1), 99)
                    if has != told:
                        self.channel.send(progress=has)
                    told = has

        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        try:
            yield
        finally:
            done.set()
            teller.join()
            self.channel.send(progress=100)


def obey_one(
    words: Sequence[str], obey: Callable[[Mapping[str, Any], Voice], Mapping[str, object]]
) -> int:
    """Obey the one order that comes over the channel whose descriptor is the first word.

    What was made, or why it was not, is told over it; returns the exit code.
    """
    with socket.socket(fileno=int(words[0])) as end:
        channel = Channel(end)
        try:
            made = obey(channel.receive(), Voice(channel))
        except AsItIsError as error:
            as_it_is = {"systemd": error.systemd, "untouched": error.untouched}
            channel.send(failed=error.message, hint=error.hint, as_it_is=as_it_is)
        except VmTimingError as error:
            channel.send(failed=error.message, hint=error.hint)
        except (MemoryError, RecursionError):
            channel.send(failed="reading the image takes more memory than it may", hint="")
        except OSError as error:
            channel.send(failed=f"reading the image failed: {error.strerror}", hint="")
        else:
            channel.send(made=made)
    return 0
