"""The manual's guest of one's own: taken from its page, it speaks to the real parser."""

import os
import pty
import shutil
import subprocess
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.own_guest import PAGE, own_guest
from vmtiming_tui.engine.guest.limits import Limits
from vmtiming_tui.engine.guest.report_protocol import (
    MAX_DETAILS_BYTES,
    MAX_LINE_BYTES,
    MAX_ORDER_BYTES,
    MAX_REPORT_BYTES,
    MAX_REPORT_LINES,
    Details,
    DetailsBegun,
    LineEnded,
    Reported,
    ReportParser,
    Statement,
)
from vmtiming_tui.model.config import RunConfig

VM = 7
LIMIT_S = 20.0


@dataclass
class Guest:
    """The example as it runs: ``host`` is the port's other end, ``off`` is there once it is off."""

    host: int
    off: Path
    process: subprocess.Popen[bytes]
    parser: ReportParser = field(default_factory=lambda: ReportParser(VM))
    wrote: bytes = b""

    def tell(self, word: str) -> None:
        """Write a word of the host's to the guest."""
        os.write(self.host, f"{word}\n".encode())

    def hear(self, end: bytes) -> list[Statement]:
        """Read till the guest has written ``end``; return what all of it amounts to."""
        heard: list[Statement] = []
        while not self.wrote.endswith(end):
            piece = os.read(self.host, 4096)
            self.wrote += piece
            heard += self.parser.feed(piece)
        return heard

    def wait(self) -> None:
        """Return when it has ended."""
        assert self.process.wait(LIMIT_S) == 0


@pytest.fixture
def boot(tmp_path):
    """Run the program with a port, a kernel's command line and a ``poweroff`` of ours."""

    @contextmanager
    def booted(*words: str) -> Iterator[Guest]:
        host, port = pty.openpty()
        tty.setraw(port)
        (tmp_path / "cmdline").write_text(f"console=ttyS0 {' '.join(words)} quiet\n")
        device = Path(os.ttyname(port))
        for name, told in (("other", "org.qemu.guest_agent.0"), (device.name, "serial0")):
            (tmp_path / "ports" / name).mkdir(parents=True)
            (tmp_path / "ports" / name / "name").write_text(f"{told}\n")
        program = own_guest()
        for theirs, ours in (
            ("/sys/class/virtio-ports", tmp_path / "ports"), ("/dev/", f"{device.parent}/"),
            ("/proc/cmdline", tmp_path / "cmdline"),
        ):  # fmt: skip
            assert theirs in program
            program = program.replace(theirs, str(ours))
        (tmp_path / "guest").write_text(program)
        for name in ("sleep", "poweroff"):
            tool = tmp_path / name
            tool.write_text(f"#!/bin/sh\n: >{tmp_path / name}.done\n")
            tool.chmod(0o755)
        shell = shutil.which("dash")
        assert shell is not None
        process = subprocess.Popen(
            [shell, "-eu", str(tmp_path / "guest")],
            env={"PATH": str(tmp_path)}, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield Guest(host, tmp_path / "poweroff.done", process)
        finally:
            process.kill()
            process.wait()
            os.close(host)
            os.close(port)

    return booted


def test_it_is_timed_by_its_first_bytes_and_then_waits(boot):
    with boot(f"VMREPORTID:{VM}", "vmreport.protocol=3") as guest:
        heard = guest.hear(b"|||")

        assert heard == [Reported()]
        assert guest.wrote == f"VMREPORTID:{VM}|||".encode()
        assert guest.process.poll() is None


@pytest.mark.parametrize("word", ["details", "details order"])
def test_it_tells_details_when_asked_and_shuts_down_when_told(boot, word):
    with boot(f"VMREPORTID:{VM}", "vmreport.protocol=3") as guest:
        guest.hear(b"|||")
        guest.tell("a word of another time")
        guest.tell(word)
        line, begun, details = guest.hear(b"[end]\n")
        was_up = not guest.off.exists()
        guest.tell("poweroff")
        guest.wait()

    assert isinstance(line, LineEnded)
    assert line.text.startswith("up for ")
    assert begun == DetailsBegun()
    assert isinstance(details, Details)
    assert details.complete
    assert details.clock_us is not None
    assert (details.clock_us > 0, details.clock_resolution_us) == (True, 10_000)
    assert was_up
    assert guest.off.exists()


def test_it_says_one_line_and_powers_off_where_nobody_asks(boot):
    with boot(f"VMREPORTID:{VM}") as guest:
        heard = guest.hear(b"\n")
        guest.wait()

    assert [type(statement) for statement in heard] == [Reported, LineEnded]
    assert guest.off.exists()
    assert (guest.off.parent / "sleep.done").exists()


def test_the_limits_that_are_told_are_those_that_hold():
    limits = Limits()
    told = (
        PAGE.read_text(encoding="utf-8")
        .partition("**Limits.**")[2]
        .partition("## A whole guest")[0]
    )

    for words in (
        f"| {limits.line_s:g} s |",
        f"| a line | {MAX_LINE_BYTES >> 10} KiB",
        f"| all that a guest writes | {MAX_REPORT_BYTES >> 20} MiB, {MAX_REPORT_LINES:,} lines",
        f"its details | {MAX_DETAILS_BYTES >> 10} KiB as JSON",
        f"the units' order | {MAX_ORDER_BYTES >> 10} KiB as JSON",
        f"to `[end]` | {limits.details_s:g} s",
        f"`--shutdown-timeout`, {RunConfig().shutdown_timeout_s:g} s",
        f"power button has {limits.powerdown_s:g} s",
        f"begins no details within {limits.own_way_s:g} s",
        f"each has {limits.off_s:g} s to power off",
    ):
        assert words in told
