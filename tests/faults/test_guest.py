"""A hostile or broken guest: whatever it writes, however it ends, it harms only its own entry."""

import asyncio
from pathlib import Path

import pytest

from faults.fault import Fault, as_one
from faults.middle import BOOTED, MIDDLE, for_middle, suffers
from support.engine_lab import Lab, Story, engine
from support.facts import plan_of
from support.traces import nothing_left
from vmtiming_tui.engine.guest.console import KEPT_BYTES
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.report.plain import PlainReport

TITLE = "A hostile or broken guest"

KEPT_CONSOLE = "the end of its console"
KEPT_EXCERPT = "how it began, escaped"
KEPT_BOOT = "the boot and its time"
KEPT_TEXT = "the boot and its text"


def says(text: str) -> str:
    """Return the script of a guest whose report holds this text."""
    return f"say={text.encode(errors='surrogateescape').hex()}"


ESCAPES = b"\x1b]0;owned\x07\x1b[31mred\xe2\x80\xaegnp.exe\r\n"

# How it ends.

ENDINGS = [
    Fault(
        "the guest says nothing at all",
        "silent=1",
        "timed out",
        "no report within 2 s; its console stayed empty",
        "it counts as slower than `--timeout` in every figure",
    ),
    Fault(
        "the guest says why on its console, and then nothing more",
        "silent=1 console=Gave+up+waiting+for+root",
        "timed out",
        "last on its console: Gave up waiting for root",
        KEPT_CONSOLE,
    ),
    Fault(
        "escape sequences on its console, and then nothing more",
        f"silent=1 cry={ESCAPES.hex()}",
        "timed out",
        r"last on its console: \x1b]0;owned",
        KEPT_CONSOLE,
    ),
    Fault(
        "the guest's kernel panics, and says so on its console only",
        "shutdown=guest-reset console=Kernel+panic+-+not+syncing:+no+root",
        "failed",
        "the guest's kernel panicked: no root",
        KEPT_CONSOLE,
    ),
    Fault(
        "the guest's kernel panics, and QEMU is told (pvpanic)",
        "shutdown=guest-panic",
        "failed",
        "the guest's kernel panicked",
        KEPT_CONSOLE,
    ),
    Fault(
        "the guest reboots again and again",
        "shutdown=guest-reset",
        "failed",
        "the guest rebooted before it reported",
        KEPT_CONSOLE,
    ),
    Fault(
        "the guest shuts down without a report",
        "shutdown=guest-shutdown",
        "failed",
        "the guest shut down before it reported",
        KEPT_CONSOLE,
    ),
    Fault(
        "the guest opens its report port, writes nothing and shuts down",
        "report=empty",
        "failed",
        "the guest shut down before it reported",
        KEPT_CONSOLE,
    ),
]

# What it writes instead of a report.

REPORTS = [
    Fault(
        "a report with another VM's number",
        "report=other",
        "failed",
        "bad report: it claims to be VM 2",
        f"{KEPT_EXCERPT}; the other VM's own report counts",
    ),
    Fault(
        "a report with a number no VM has",
        "report=range",
        "failed",
        "bad report: it claims to be VM 999999",
        KEPT_EXCERPT,
    ),
    Fault(
        "a report with a negative number",
        "report=negative",
        "failed",
        "its number '-1' is no VM's number",
        KEPT_EXCERPT,
    ),
    Fault(
        "a report with a number of 40 digits",
        "report=huge",
        "failed",
        "9999' is no VM's number",
        KEPT_EXCERPT,
    ),
    Fault(
        "a report with a word for a number",
        "report=word",
        "failed",
        "its number 'zero' is no VM's number",
        KEPT_EXCERPT,
    ),
    Fault(
        "binary rubbish for a report",
        "report=binary",
        "failed",
        "not a report; expected VMREPORTID:<i>|||<text>",
        KEPT_EXCERPT,
    ),
    Fault(
        "half a report, and the guest shuts down",
        "report=half",
        "failed",
        "half a line, then the end of the connection",
        KEPT_EXCERPT,
    ),
    Fault(
        "half a report, and then silence",
        "report=half off=never",
        "timed out",
        "no report within 2 s",
        KEPT_CONSOLE,
    ),
    Fault(
        "a report that comes at one byte a second",
        "report=slow pace=1",
        "timed out",
        "no report within 2 s",
        KEPT_CONSOLE,
    ),
    Fault(
        "a report before the boot began, and none after",
        "report=early silent=1",
        "timed out",
        "a report before the VM was let go",
        KEPT_EXCERPT,
    ),
    Fault("a second report", "report=twice", BOOTED, "a second report", "the time of the first"),
    Fault("a report of one line only", "report=first", BOOTED, "Startup finished in", KEPT_BOOT),
    Fault("a report in many small pieces", "report=pieces", BOOTED, "= 4s", KEPT_BOOT),
    Fault("a report of one line of 60,000 letters", "report=long", BOOTED, "y" * 20, KEPT_TEXT),
    Fault(
        "a second connection beside the report's own, in another VM's name",
        "stranger=1",
        BOOTED,
        "",
        KEPT_BOOT,
    ),
]

# What is in the text.

TEXTS = [
    Fault("`|||` in the report's text", "report=bars", BOOTED, "a|||b|||c", KEPT_TEXT),
    Fault("invalid UTF-8 in the report's text", "report=utf8", BOOTED, "caf\\xe9", KEPT_TEXT),
    Fault(
        "escape sequences for the terminal",
        "report=escapes",
        BOOTED,
        r"\x1b]0;owned\x07\x1b[31mred\u202etxt.exe\x00",
        "the text, the escapes made visible",
    ),
    Fault(
        "marks that turn the writing direction",
        says("\u202egnp.exe\u2066\u200f\u061c."),
        BOOTED,
        r"\u202egnp.exe\u2066\u200f\u061c.",
        "the text, the marks made visible",
    ),
    Fault(
        "markup of the dashboard's own kind",
        "report=markup",
        BOOTED,
        "[red]x[/red] [@click=app.bell]y[/] <b>z</b>",
        KEPT_TEXT,
    ),
]


@pytest.mark.parametrize("fault", [*ENDINGS, *REPORTS, *TEXTS], ids=str)
async def test_a_guest_harms_only_its_own_entry(lab: Lab, fault: Fault[str]):
    await suffers(lab, fault)


# Floods.

FLOOD_BYTES = 100_000_000
MAX_GROWTH_KIB = 4 * 1024

FLOODS = [
    Fault(
        "100 MB without a line break for a report",
        f"report=flood size={FLOOD_BYTES}",
        "failed",
        "bad report: it wrote more than 4 MiB",
        "nothing of it; the port is closed at 4 MiB",
    ),
    Fault(
        "100 MB on the serial console (`yes > /dev/ttyS0`)",
        f"noise={FLOOD_BYTES}",
        BOOTED,
        "Startup finished in",
        "its last 240 to 256 KiB, and a count of what was dropped",
        seen=BOOTED,
    ),
]


SHOWERS = [
    Fault(
        "10,000 QMP events that the guest causes (pvpanic's port, say), and then a report",
        "shower=half:GUEST_CRASHLOADED:10000:0 boot=0.5",
        BOOTED,
        "Startup finished in",
        "the first 100 of each name, and a count of the rest",
        seen="booted, and “9,900 more of GUEST_CRASHLOADED were left out”",
    ),
    Fault(
        "QMP events without end (a guest that writes to pvpanic's port in a loop)",
        "shower=half:GUEST_CRASHLOADED:1000000:0 boot=0.5",
        "failed",
        "its guest floods QEMU's control socket",
        "the first 100 of each name, and a count of the rest; QEMU is ended at once",
    ),
    Fault(
        "a report with 900 kB of details",
        "details=900000",
        BOOTED,
        "Startup finished in",
        "64 KiB of the details, and a count of the rest",
        seen="booted, and how many bytes of its details were left out",
    ),
]


@pytest.mark.parametrize("fault", SHOWERS, ids=str)
async def test_more_than_is_kept_of_one_vm_is_counted(lab: Lab, fault: Fault[str]):
    story = await suffers(lab, fault)
    report = PlainReport(story.fleet)
    lines = [line for event in story.events for line in report.diagnostics_for(event)]

    assert [line for line in lines if line.startswith("VM 1: ") and line.endswith("left out")]


def peak_kib(pid: int) -> int:
    """Return the most memory a process has had resident so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def bytes_below(folder: Path) -> int:
    return sum(entry.lstat().st_size for entry in folder.rglob("*") if entry.is_file())


async def most_below(folder: Path) -> int:
    """Return the most bytes that were below a folder, once cancelled."""
    most = 0
    try:
        while True:
            most = max(most, bytes_below(folder))
            await asyncio.sleep(0.005)
    except asyncio.CancelledError:
        return most


@pytest.mark.parametrize("fault", FLOODS, ids=str)
async def test_a_flood_is_bounded_in_memory_and_on_disk(lab: Lab, fault: Fault[str]):
    quiet = lab.config(3, "noise=400000", timeout_s=30.0)
    flood = lab.config(3, for_middle(fault.how), timeout_s=30.0)
    with nothing_left(lab.runtime, *(quiet.image(vm) for vm in range(3))):
        async with engine(lab) as story:
            before = await _peak_after(story, quiet, 1)
            watch = asyncio.create_task(most_below(lab.runtime))
            after = await _peak_after(story, flood, 2)
            watch.cancel()
            story.client.send(commands.ReadConsole(vm=MIDDLE))
            story.client.send(commands.Quit())
            await story.to_end()

    if fault.ends == BOOTED:
        assert fault.words in story.of(ev.ReportText, MIDDLE)[1].text
        console = story.of(ev.VmConsole, MIDDLE)[-1]
        assert console.total_bytes == FLOOD_BYTES
        assert console.dropped_bytes == FLOOD_BYTES - len(console.text)
        assert KEPT_BYTES - 16 * 1024 <= len(console.text) <= KEPT_BYTES
    else:
        assert fault.words == story.of(ev.VmFailed, MIDDLE)[0].why
    assert {vm: len(story.of(ev.VmBooted, vm)) for vm in (0, 2)} == {0: 2, 2: 2}
    assert after - before < MAX_GROWTH_KIB
    assert await watch < 3 * KEPT_BYTES


async def _peak_after(story: Story, config: object, runs: int) -> int:
    story.client.send(commands.Start(plan=plan_of(config), interactive=True))
    await story.till(lambda story: len(story.of(ev.RunEnded)) == runs)
    return peak_kib(story.client.pid)


WRONG_NUMBERS, NO_REPORTS, LATE = REPORTS[:5], REPORTS[5:7], REPORTS[7:9]
EARLY, SECOND, GOOD = REPORTS[9:10], REPORTS[10:11], REPORTS[11:]

FAULTS = [
    ENDINGS[0],
    *as_one("the guest writes to its console, and then nothing more", ENDINGS[1:3]),
    *as_one("the guest's kernel panics", ENDINGS[3:5]),
    ENDINGS[5],
    *as_one("the guest shuts down without a report", ENDINGS[6:]),
    *as_one("a report under a number that is not its own, or none", WRONG_NUMBERS),
    *as_one("rubbish for a report, or half a one", NO_REPORTS),
    *as_one("half a report, or one that trickles in, till the time is up", LATE),
    *EARLY,
    *SECOND,
    *as_one("a report of one line only, in small pieces, or very long", GOOD, seen=BOOTED),
    *as_one(
        "escape sequences, markup, binary or `|||` in the report's text",
        TEXTS,
        seen="booted, with the text as text; what would act is made visible",
    ),
    *FLOODS,
    *SHOWERS,
]
