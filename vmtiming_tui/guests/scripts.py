"""The scripts of ``spin/``: run to their end, or become, as the commands of their names."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

from vmtiming_tui.images.guard.isolated import isolated
from vmtiming_tui.resources import resource

STDERR = 2
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_script(script: str, *words: str) -> int:
    """Run a script of ``spin/`` as ``run_to_the_end`` does."""
    return run_to_the_end(["bash", str(resource("spin", script)), *words])


def run_to_the_end(command: Sequence[str], said_to: int = STDERR) -> int:
    """Run a command to its end and return its exit code; its words go to stderr, or a descriptor.

    A signal to us is passed on to it once, and its tidying up is awaited; then we end as the
    signal has it. In a session of its own, Ctrl-C reaches it by us alone.
    """
    received: list[int] = []
    process: subprocess.Popen[bytes] | None = None

    def pass_on(number: int, _frame: FrameType | None) -> None:
        if process and not received:
            process.send_signal(number)
        received.append(number)

    before = {number: signal.signal(number, pass_on) for number in _ENDING}
    try:
        process = subprocess.Popen(  # noqa: S603  no shell
            command, stdin=subprocess.DEVNULL, stdout=said_to, start_new_session=True
        )
        if received:
            process.send_signal(received[0])
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        signal.raise_signal(received[0])
    return code


def run_spin_from_raw() -> None:
    """Become ``spin-from-raw.sh``: the command of that name, by the Python that runs us."""
    command = isolated("spin.outside", *sys.argv[1:])
    os.execv(command[0], command)  # noqa: S606  no shell


def run_gen_debian_rawfs() -> None:
    """Become ``gen-debian-rawfs.sh``: the command of that name."""
    path = str(resource("spin", "gen-debian-rawfs.sh"))
    os.execvp("bash", ["bash", path, *sys.argv[1:]])  # noqa: S606, S607  the user's own bash
