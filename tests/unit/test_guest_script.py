"""The script that reports, under the shells guests have, with a terminal for its port.

What it would start or read of a guest's systemd and kernel is put in its place beforehand.
"""

import os
import pty
import select
import subprocess
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.kernel_logs import DEBIAN_12, as_kmsg
from vmtiming_tui.engine.guest.report_protocol import (
    Details,
    DetailsBegun,
    LineEnded,
    OrderTold,
    Reported,
    ReportParser,
    Statement,
)
from vmtiming_tui.model.guest_events import UnitTimes
from vmtiming_tui.resources import resource

SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"], "bash": ["bash", "--posix"]}
LIMIT_S = 20

PHASES = "root=/dev/vda quiet VMREPORTID:3 vmreport.protocol=3 panic=1"
STAMPS = {"Firmware": 0, "Loader": 0, "Kernel": 0, "InitRD": 1_655_444, "Userspace": 2_260_825}
SENTENCE = "Startup finished in 1.655s (kernel) + 605ms (initrd) + 4.428s (userspace) = 6.689s"
DUMP = """\
Manager: systemd 252
-> Unit cron.service:
\tDescription: Cron
\tInactive Exit Timestamp: Thu 2026-11-26 06:03:28 UTC
\tActive Enter Timestamp: Thu 2026-11-26 06:03:28 UTC
-> Unit never.service:
\tInactive Exit Timestamp: n/a
-> Unit dev-a\\x2db.device:
\tInactive Exit Timestamp: Thu 2026-11-26 06:03:28 UTC
-> Unit basic.target:
\tInactive Exit Timestamp: Thu 2026-11-26 06:03:28 UTC
"""
UNITS = """\
Id=cron.service
After=basic.target
ActiveState=active
InactiveExitTimestampMonotonic=4000000
ActiveEnterTimestampMonotonic=4200000

Id=basic.target
Names=basic.target default.target
InactiveExitTimestampMonotonic=3000000
ActiveEnterTimestampMonotonic=3000000
"""
PROGRAMS = {
    "systemctl": """case "$*" in
        *--wait) [ ! -e state ] && echo running || cat state ;;
        show*Version*) cat manager ;;
        show*=FinishTimestampMonotonic) [ -e pending ] && rm pending || grep ^Finish manager ;;
        show*After*) cat units ;;
        show*) sed /^After/d units ;;
    esac""",
    "systemd-analyze": '[ "$1" = dump ] && cat dump; [ -n "$1" ] || cat sentence',
    "uptime": "echo up 1 min",
    **dict.fromkeys(["sync", "sleep", "poweroff", "signal-init", "show-status"], ""),
}


class GuestMachine:
    """A folder that stands for a guest, and the host's end of its port."""

    def __init__(self, folder: Path, shell: list[str]) -> None:
        self.folder, self.shell = folder, shell
        self.host, self.port = pty.openpty()
        tty.setraw(self.port)
        self.process: subprocess.Popen[bytes] | None = None
        self.written = b""
        self.parser = ReportParser(3)
        for name, body in PROGRAMS.items():
            self.write(f"bin/{name}", f'#!/bin/sh\necho "{name} $*" >>calls\n{body}\n', 0o755)
        self.write("dump", DUMP)
        self.write("units", UNITS)
        self.write("sentence", f"{SENTENCE}\nmulti-user.target reached after 4.4s in userspace\n")
        self.write("timer_list", "Timer List Version: v0.9\nHRTIMER\nnow at 6800000123 nsecs\n")
        self.write("osrelease", "6.1.0-1-amd64\n")
        self.write("uptime", "0.05 0.01\n")
        self.write("run/systemd/system/vm-report.service", "")
        self.write("calls", "")
        self.boots_with(PHASES)
        self.took(STAMPS, finish=6_689_072)
        (folder / "ports").mkdir()
        self.port_link.symlink_to(os.ttyname(self.port))

    @property
    def port_link(self) -> Path:
        """The name that udev gives the port."""
        return self.folder / "ports" / "serial0"

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        """Put a file into the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def remove(self, name: str) -> None:
        """Take a file out of the folder."""
        (self.folder / name).unlink()

    def boots_with(self, cmdline: str) -> None:
        """Give the kernel its arguments."""
        self.write("cmdline", cmdline + "\n")

    def took(self, stamps: dict[str, int], finish: int) -> None:
        """Say what systemd's stamps are, in µs."""
        lines = [f"{key}TimestampMonotonic={us}" for key, us in stamps.items()]
        lines += [f"FinishTimestampMonotonic={finish}", "Version=252.39", "SystemState=running"]
        self.write("manager", "\n".join(lines) + "\n")

    def boot(self) -> None:
        """Run the script with all that it touches in this folder."""
        text = resource("assets", "vm-report.sh").read_text()
        for there, here in (
            ("/proc/cmdline", "cmdline"),
            ("/proc/timer_list", "timer_list"),
            ("/proc/uptime", "uptime"),
            ("/proc/sys/kernel/osrelease", "osrelease"),
            ("/sys/class/dmi/id", "dmi"),
            ("/sys/class/virtio-ports", "virtio-ports"),
            ("/dev/virtio-ports", "ports"),
            ("port=/dev/", "port=ports/"),
            ("/run/systemd/system", "run/systemd/system"),
            ("/dev/console", "console"),
            ("kill -s RTMIN+4 1 ", "signal-init "),
            ("kill -54 1 ", "show-status "),
            ("dmesg ", "read-log "),
            ("dd if=/dev/kmsg ", "read-kmsg "),
        ):
            assert there in text
            text = text.replace(there, here)
        self.write("vm-report.sh", text)
        self.process = subprocess.Popen(
            [*self.shell, "vm-report.sh"],
            cwd=self.folder,
            env={"PATH": f"{self.folder}/bin:/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
        )

    def heard(self, until: type[Statement] | None = None, *, within_s: float = LIMIT_S):
        """Return what the guest says, up to a statement of a kind, or all of a time."""
        found: list[Statement] = []
        deadline = time.monotonic() + within_s
        while not any(until and isinstance(one, until) for one in found):
            left_s = deadline - time.monotonic()
            if not select.select([self.host], [], [], max(left_s, 0))[0]:
                assert until is None, f"no {until}, but {found}"
                break
            data = os.read(self.host, 65536)
            self.written += data
            found += self.parser.feed(data)
        return found

    def say(self, words: str) -> None:
        """Say something to the guest, as the host."""
        os.write(self.host, words.encode())

    def ended(self) -> int:
        """Return how the script ended."""
        assert self.process is not None
        return self.process.wait(LIMIT_S)

    def calls(self, *programs: str) -> list[str]:
        """Return how programs were called, in order."""
        lines = (self.folder / "calls").read_text().splitlines()
        return [line.strip() for line in lines if line.split()[0] in programs]

    @property
    def last_deeds(self) -> list[str]:
        """Return what it did for its end."""
        return self.calls("sync", "sleep", "poweroff", "signal-init")


@pytest.fixture(params=SHELLS)
def guest(request, tmp_path) -> Iterator[GuestMachine]:
    machine = GuestMachine(tmp_path, SHELLS[request.param])
    yield machine
    if machine.process is not None and machine.process.poll() is None:
        machine.process.kill()
        machine.process.wait()
    for fd in (machine.host, machine.port):
        os.close(fd)


def test_it_writes_the_prefix_and_waits_for_the_hosts_word(guest):
    guest.boot()

    assert guest.heard(Reported) == [Reported()]
    assert guest.written == b"VMREPORTID:3|||"
    assert guest.heard(within_s=0.3) == []
    assert guest.calls("systemctl", "systemd-analyze") == ["systemctl is-system-running --wait"]


def test_on_the_hosts_word_it_tells_its_sentence_its_clocks_and_the_units_that_took_time(guest):
    guest.boot()
    guest.heard(Reported)
    guest.say("details\n")

    ended, begun, details = guest.heard(Details)
    assert ended == LineEnded(SENTENCE)
    assert begun == DetailsBegun()
    assert details.complete
    assert (details.clock_us, details.clock_resolution_us) == (6_800_000, 1)
    assert details.gathering_us is not None
    assert details.timestamps_us["FinishTimestampMonotonic"] == 6_689_072
    assert details.properties["kernel_release"] == "6.1.0-1-amd64"
    assert details.properties["kernel_command_line"] == PHASES
    assert details.units[0] == UnitTimes(
        "cron.service", active="active", activating_us=4_000_000, active_us=4_200_000
    )
    (shown,) = guest.calls("systemctl")[2:]
    assert "After" not in shown
    assert shown.split(" -- ")[1] == r"cron.service dev-a\x2db.device"


def test_where_the_order_is_wanted_it_tells_all_units_that_began_to_start(guest):
    guest.boot()
    guest.heard(Reported)
    guest.say("details order\n")

    *_, order, details = guest.heard(Details)
    assert order == OrderTold({"cron.service": ("basic.target",)})
    assert details.properties["default_unit"] == "basic.target"
    assert guest.calls("systemctl")[-1].split(" -- ")[1] == (
        r"cron.service dev-a\x2db.device basic.target"
    )


KMSG = as_kmsg(DEBIAN_12).decode().replace("\n", "\n SUBSYSTEM=a\n DEVICE=b\n")


@pytest.mark.parametrize(
    "programs",
    [
        {"read-log": '[ "$1" = -r ] && cat log'},
        {"read-log": "exit 1", "read-kmsg": "cat log.kmsg; exit 1"},
    ],
    ids=["by dmesg", "by /dev/kmsg"],
)
def test_on_the_word_for_it_it_tells_its_kernels_log_beside_the_details(guest, programs):
    for name, body in programs.items():
        guest.write(f"bin/{name}", f"#!/bin/sh\n{body}\n", 0o755)
    guest.write("log", DEBIAN_12.decode().replace("<30>", "[end]\n<30>"))
    guest.write("log.kmsg", KMSG)
    guest.boot()
    guest.heard(Reported)
    guest.say("kernel\ndetails order\n")

    *_, order, log, details = guest.heard(Details)
    assert order == OrderTold({"cron.service": ("basic.target",)})
    assert (log.lines, log.initcalls.names[0]) == (19, "crypto_algapi_init")
    assert details.complete
    assert details.gathering_us is not None


def test_without_that_word_nobody_reads_its_kernels_log(guest):
    guest.write("bin/read-log", "#!/bin/sh\necho read-log >>calls\n", 0o755)
    guest.boot()
    guest.heard(Reported)
    guest.say("details\n")
    guest.heard(Details)

    assert guest.calls("read-log") == []


def test_where_nothing_tells_which_units_ran_it_shows_what_systemd_shows_by_itself(guest):
    guest.remove("bin/systemd-analyze")
    guest.boot()
    guest.heard(Reported)
    guest.say("details\n")

    assert len(guest.heard(Details)[-1].units) == 2
    assert guest.calls("systemctl")[-1].endswith(" -- *")


def test_it_powers_off_on_the_hosts_word_at_once(guest):
    guest.boot()
    guest.heard(Reported)
    guest.say("something of a later host\n\ndetails\n")
    guest.heard(Details)
    guest.say("poweroff\n")

    assert guest.ended() == 0
    assert guest.last_deeds == ["signal-init"]
    assert len(guest.calls("show-status")) == 1


def test_a_host_that_goes_away_is_not_waited_for(guest):
    guest.boot()
    guest.heard(Reported)
    os.close(guest.host)
    guest.host = os.open(os.devnull, os.O_RDWR)

    guest.ended()
    assert guest.last_deeds[-1] == "signal-init"


@pytest.mark.parametrize(
    "cmdline",
    [
        "root=/dev/vda VMREPORTID:3 panic=1",
        "VMREPORTID:3 vmreport.protocol=2",
        "VMREPORTID:3 vmreport.protocol=3 panic=1 vmreport.protocol=0",
    ],
)
def test_unasked_to_wait_it_goes_the_originals_way(guest, cmdline):
    guest.boots_with(cmdline)
    guest.boot()

    assert guest.heard(Reported)[:2] == [Reported(), LineEnded(SENTENCE)]  # as one piece
    *_, details = guest.heard(Details)
    assert details.complete
    assert details.clock_us == 6_800_000
    guest.ended()
    assert guest.last_deeds[-1] == "signal-init"
    assert guest.calls("sync") in ([], ["sync"])  # busybox may have its own


def test_booted_by_firmware_it_finds_number_and_protocol_in_the_machines_tables(guest):
    guest.boots_with("quiet")
    guest.write("dmi/product_serial", "VMREPORTID:3\n")
    guest.write("dmi/product_family", "vmreport.protocol=3\n")
    guest.boot()

    assert guest.heard(Reported) == [Reported()]
    assert guest.heard(within_s=0.3) == []


def test_without_udev_it_finds_the_port_by_its_name(guest):
    guest.port_link.rename(guest.folder / "ports" / "vport0p2")
    guest.write("virtio-ports/vport0p1/name", "another\n")
    guest.write("virtio-ports/vport0p2/name", "serial0\n")
    guest.boot()

    assert guest.heard(Reported) == [Reported()]


def test_a_boot_that_nobody_times_is_left_alone(guest):
    guest.boots_with("quiet")
    guest.port_link.unlink()
    guest.boot()

    assert guest.ended() == 0
    assert guest.calls("signal-init", "poweroff") == []


def test_a_boot_that_is_timed_and_has_no_port_says_so_and_ends(guest):
    guest.port_link.unlink()
    guest.boot()

    assert guest.ended() == 1
    assert "no virtio-serial port named serial0" in (guest.folder / "console").read_text()
    assert guest.last_deeds[-1] == "signal-init"


@pytest.mark.parametrize("state", ["", "maintenance\n", "stopping\n"])
def test_a_systemd_that_does_not_say_that_it_runs_is_asked_for_its_end_of_boot(guest, state):
    guest.write("state", state)
    guest.write("pending", "")
    guest.boot()

    assert guest.heard(Reported) == [Reported()]
    asked = "systemctl show --property=FinishTimestampMonotonic"
    assert guest.calls("systemctl").count(asked) == 2


def test_a_guest_without_systemd_tells_how_long_it_is_up(guest):
    for path in sorted((guest.folder / "run").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    guest.remove("timer_list")
    guest.boot()
    guest.heard(Reported)
    guest.say("details\n")

    ended, _, details = guest.heard(Details)
    assert "up" in ended.text
    assert details.complete
    assert (details.clock_us, details.clock_resolution_us) == (50_000, 10_000)
    assert details.units == []
    assert guest.calls("systemctl", "systemd-analyze") == []


@pytest.mark.parametrize(
    ("stamps", "finish", "sentence"),
    [
        (
            {"Firmware": 3_000_000, "Loader": 1_900_400, "InitRD": 0, "Userspace": 988_999},
            62_345_678,
            "1.099s (firmware) + 1.900s (loader) + 988ms (kernel) + 1min 1.356s (userspace)"
            " = 1min 5.345s",
        ),
        (
            {"Firmware": 0, "Loader": 0, "InitRD": 1_000_000, "Userspace": 2_005_000},
            3_010_000,
            "1.000s (kernel) + 1.005s (initrd) + 1.005s (userspace) = 3.010s",
        ),
    ],
)
def test_its_sentence_is_made_as_systemd_analyze_makes_it(guest, stamps, finish, sentence):
    guest.took(stamps, finish)
    guest.boot()
    guest.heard(Reported)
    guest.say("details\n")

    assert guest.heard(LineEnded)[0] == LineEnded(f"Startup finished in {sentence}")
