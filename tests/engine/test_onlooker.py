"""What the host tells of a boot under way without asking the guest."""

from pathlib import Path

import pytest

from support.engine_lab import Lab, tell
from support.facts import SECOND
from vmtiming_tui.engine.boot.narrator import Narrator
from vmtiming_tui.engine.boot.onlooker import Onlooker
from vmtiming_tui.engine.guest.console import ConsoleLog
from vmtiming_tui.engine.qmp.controller import QmpEvent
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.config import BootMode
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.stage import Stage

OPENED = {"id": "report", "open": True}


class Seen:
    """An onlooker, with all it told."""

    def __init__(self, boot: BootMode) -> None:
        self.events: list[ev.Event] = []
        self.onlooker = Onlooker(Narrator(3, 1), self.events.append, boot)

    def qmp(self, name: str, second: int = 1, **data: object) -> None:
        self.onlooker.hear(QmpEvent(second * SECOND, name, data, second * SECOND))

    @property
    def stages(self) -> list[Stage]:
        return [event.stage for event in self.events if isinstance(event, ev.StageSeen)]


@pytest.fixture
def seen() -> Seen:
    return Seen(BootMode.KERNEL)


def test_where_a_guest_boots_by_firmware_that_begins_with_the_vm():
    seen = Seen(BootMode.FIRMWARE)
    seen.qmp("RESUME", 7)
    assert seen.events == [ev.StageSeen(at_ns=7 * SECOND, vm=3, attempt=1, stage=Stage.FIRMWARE)]


def test_where_the_kernel_is_given_nothing_is_known_at_first(seen):
    seen.qmp("RESUME")
    assert seen.stages == []


def test_a_pause_begins_nothing_anew():
    seen = Seen(BootMode.FIRMWARE)
    for name in ("RESUME", "STOP", "RESUME"):
        seen.qmp(name)
    assert seen.stages == [Stage.FIRMWARE]


def test_the_opened_report_port_is_seen_once_and_no_other_port_at_all(seen):
    seen.qmp("VSERPORT_CHANGE", id="agent", open=True)
    seen.qmp("VSERPORT_CHANGE", id="report", open=False)
    assert seen.stages == []
    for _ in range(3):
        seen.qmp("VSERPORT_CHANGE", **OPENED)
    assert seen.stages == [Stage.LAG]


@pytest.mark.parametrize(
    ("boot", "after"), [(BootMode.KERNEL, []), (BootMode.FIRMWARE, [Stage.FIRMWARE])]
)
def test_a_reset_forgets_the_boot_that_it_cut_off(boot, after):
    seen, fleet = Seen(boot), Fleet()
    fleet.fold(ev.VmQueued(at_ns=0, vm=3, attempt=1, storm=1))
    seen.qmp("RESUME")
    seen.onlooker.look(b"Linux version 6.1.0\nLoading, please wait...\n")
    seen.qmp("RESET", 10**6)
    for event in seen.events:
        fleet.fold(event)
    fleet.fold(ev.QmpSeen(at_ns=10**6 * SECOND, vm=3, attempt=1, name="RESET"))
    attempt = fleet.vms[3].newest
    assert [stage for stage, _ in attempt.stages_seen] == after

    seen.onlooker.look(b"Linux version 6.1.0\n")
    assert seen.stages[-1] is Stage.KERNEL


def test_a_consoles_last_line_is_told_where_it_is_another(seen, tmp_path: Path):
    console = ConsoleLog(tmp_path / "spill")
    for written in (b"", b"half a li", b"ne\r\n", b"\r\n \r\n", b"the next \x1b[1m\xff\tline\nand"):
        console.add(written)
        seen.onlooker.tell_line(console)
    texts = [event.text for event in seen.events if isinstance(event, ev.ConsoleLine)]
    assert texts == ["half a line", r"the next \xff   line"]


def test_a_line_without_end_is_told_in_part(tmp_path: Path):
    console = ConsoleLog(tmp_path / "spill")
    console.add(b"x" * 100_000 + b"\n")
    assert len(console.last_line()) <= 200


async def test_a_run_tells_stages_and_last_line_before_the_boot_is_decided(lab: Lab):
    story = await tell(lab, lab.config(1, "console=Loading,+please+wait... boot=0.2"))

    kinds = (ev.StageSeen, ev.ConsoleLine, ev.VmBooted)
    told = [event for event in story.events if isinstance(event, kinds)]
    stages = [event.stage for event in told if isinstance(event, ev.StageSeen)]
    assert stages == [Stage.INITRD, Stage.LAG]
    assert isinstance(told[0], ev.StageSeen)
    (line,) = story.of(ev.ConsoleLine)
    assert line.text == "Loading, please wait..."
    (attempt,) = story.fleet.newest
    assert attempt.console_line == line.text
    assert attempt.go_ns < attempt.stages_seen[0][1] < attempt.report_ns


async def test_what_is_written_after_the_report_is_no_sign_of_a_stage(lab: Lab):
    story = await tell(lab, lab.config(1))
    assert {event.stage for event in story.of(ev.StageSeen)} <= {Stage.LAG}
