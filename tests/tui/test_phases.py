"""What a storm and its VMs are at after the reports: told in every view, heeded by every key."""

import re

import pytest

from support.facts import MS, SECOND
from support.keys import opened, sent
from support.phased import Aftermath, phased
from support.recording import ZERO_NS, smooth_run, troubled_run, until
from support.stage import Stage, dashboard
from vmtiming_tui.analysis.phase_count import phase_count
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.attempt import Phase
from vmtiming_tui.model.commands import Act, Rerun, VmAction
from vmtiming_tui.model.config import AfterReport, End
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.tui.drawing.glyphs import ASCII, UNICODE
from vmtiming_tui.tui.screens.confirm import ConfirmScreen
from vmtiming_tui.tui.state.keymap import Need
from vmtiming_tui.tui.state.phases import told_phase
from vmtiming_tui.tui.widgets.stats_line import StatsLine

BOOTING, COLLECTING, ENDING, DONE = 7.5, 9.2, 10.0, 60.0
SLOW = Aftermath(at_once=2, gathers_s=0.5)
SMOOTH = phased(smooth_run(8))


def decided_s(events):
    """When the first storm of a stream was decided, in seconds into the run."""
    return next((e.at_ns - ZERO_NS) / SECOND for e in events if isinstance(e, ev.StormDecided))


def signs(stage: Stage) -> dict[int, str]:
    """Return the sign of the phase of each VM on the screen."""
    found = re.findall(r"^ *(\d+) \S booted (.) ", stage.text, re.MULTILINE)
    return {int(vm): sign for vm, sign in found}


def phases(stage: Stage) -> dict[int, Phase | None]:
    fleet = stage.app.model.fleet
    return {vm.id: told_phase(fleet, vm.newest) for vm in fleet.vms.values()}


# The storm.


async def test_what_is_left_and_how_far_it_is_fit_the_narrowest_line():
    events = phased(smooth_run(8), Aftermath(rounds=2))
    async with dashboard(events, decided_s(events) + 0.1) as stage:
        line = stage.app.screen.query_one(StatsLine)
        for width in range(70, 100):
            (text,) = ("".join(part for part, _ in parts) for parts in line.lines(width))
            assert re.search(r" \d of 4 collecting  left ", text), width
            assert UNICODE.ellipsis not in text


async def test_the_header_says_what_the_storm_is_at():
    all_in = "ALL BOOTED in 8.6 s"
    for at, chip in ((BOOTING, "RUNNING"), (COLLECTING, all_in), (ENDING, all_in),
                     (DONE, "FINISHED")):  # fmt: skip
        async with dashboard(SMOOTH, at) as stage:
            assert stage.text.splitlines()[0].rstrip().endswith(f"  {chip}")


async def test_how_far_the_storm_is_with_it_stands_in_the_line_below():
    decided = decided_s(SMOOTH)
    async with dashboard(SMOOTH, decided + 0.1, size=(80, 24)) as stage:
        assert " 8 of 8 collecting " in stage.text.splitlines()[1]
    async with dashboard(SMOOTH, decided + 0.5, size=(80, 24)) as stage:
        assert " 4 of 8 collecting " in stage.text.splitlines()[1]
    async with dashboard(SMOOTH, decided + 2.05, size=(80, 24)) as stage:
        assert " 4 of 8 shutting down " in stage.text.splitlines()[1]


async def test_qemus_that_quit_are_not_said_to_shut_down():
    events = phased(smooth_run(8), Aftermath(end=End.QUIT, exits_s=0.4))
    async with dashboard(events, decided_s(events) + 0.9) as stage:
        assert " 8 of 8 ending " in stage.text.splitlines()[1]


async def test_rounds_are_counted_where_there_are_several():
    events = phased(smooth_run(8), Aftermath(rounds=3))
    async with dashboard(events, 12.0) as stage:
        assert "round 2 of 3" in stage.text.splitlines()[0]
    async with dashboard(SMOOTH, BOOTING) as stage:
        assert "round" not in stage.text


def test_progress_is_of_the_round_that_is_under_way():
    events = phased(smooth_run(8), Aftermath(rounds=2))
    second = [e for e in events if isinstance(e, ev.StormDecided)][1]
    fleet = Fleet(e for e in events if e.at_ns <= second.at_ns)
    assert str(phase_count(fleet)) == "collecting 0/4"


async def test_a_guest_that_tells_nothing_is_not_counted_as_collected():
    events = phased(smooth_run(8), Aftermath(silent=frozenset({1}), gathers_s=2.0))
    async with dashboard(events, decided_s(events) + 2.1) as stage:
        assert " 5 of 8 collecting " in stage.text


async def test_the_clock_stands_still_once_all_are_decided():
    decided = decided_s(SMOOTH)
    minute = f"0:{int(decided * 10) / 10:04.1f}"
    for at in (decided, COLLECTING, ENDING, DONE):
        async with dashboard(SMOOTH, at) as stage:
            assert f"  {minute}  " in stage.text.splitlines()[0]


async def test_the_clock_of_the_next_storm_runs():
    events = phased(troubled_run(8), SLOW)
    again = next(e for e in events if isinstance(e, ev.StormStarted) and e.storm == 2)
    began = (again.at_ns - ZERO_NS) / SECOND
    async with dashboard(events, began + 2.0) as stage:
        assert "  0:02.0  " in stage.text.splitlines()[0]


def chart(stage):
    """Return the lines of the charts above the VMs."""
    high = stage.main.charts.size.height
    return stage.text.splitlines()[2 : 2 + high]


async def test_the_chart_stands_still_between_the_rounds():
    events = phased(smooth_run(8), Aftermath(rounds=2))
    decided = decided_s(events)
    lines = []
    for at in (decided, decided + 1.0, decided + 1.6):
        async with dashboard(events, at, size=(200, 60)) as stage:
            lines.append([len(line.split("│")[1].rstrip()) for line in chart(stage)[1:-1]])
            lines[-1].append(chart(stage)[-1])
    assert lines[0] == lines[1] == lines[2]


async def test_the_chart_leaves_out_what_lies_between_the_rounds():
    whole = phased(smooth_run(8), Aftermath(rounds=2))
    quick = phased(smooth_run(8), Aftermath(rounds=2, gathers_s=0.01, shuts_down_s=0.01))
    lines = []
    for events in (whole, quick):
        async with dashboard(events, DONE, size=(200, 60)) as stage:
            lines.append(chart(stage))
    assert lines[0] == lines[1]


async def test_a_terminal_that_is_too_small_says_it_too():
    async with dashboard(SMOOTH, COLLECTING, size=(40, 8)) as stage:
        assert "8 VMs, collecting 0/8" in stage.text or "8 VMs, collecting 4/8" in stage.text


# The VMs.


@pytest.mark.parametrize(
    ("ascii_only", "glyphs"), [(False, UNICODE), (True, ASCII)], ids=["unicode", "ascii"]
)
@pytest.mark.parametrize("keys", [(), ("v",)], ids=["grid", "list"])
async def test_every_phase_has_its_sign_beside_booted(keys, ascii_only, glyphs):
    seen = set()
    events = phased(smooth_run(8), Aftermath(at_once=2, gathers_s=1.0))
    for at in (BOOTING, 9.9, 14.1, DONE):
        async with dashboard(events, at, ascii_only=ascii_only) as stage:
            await stage.press(*keys)
            expected = {vm: phase for vm, phase in phases(stage).items() if phase is not None}
            assert signs(stage) == {vm: glyphs.phases[phase] for vm, phase in expected.items()}
            seen |= set(expected.values())
    assert seen == set(Phase)


async def test_small_cells_show_the_sign_and_the_whole_time():
    events = phased(troubled_run(100))
    async with dashboard(events, 10.0, number=100, size=(80, 24)) as stage:
        await stage.press("t", "t")
        assert re.search(rf" 0 ✓{UNICODE.phases[Phase.FROZEN]}  6\.68 ", stage.text)


async def test_a_vm_left_running_is_up():
    events = phased(smooth_run(8), Aftermath(after_report=AfterReport.RUN))
    async with dashboard(events, BOOTING) as stage:
        assert signs(stage)[0] == UNICODE.phases[Phase.UP]


@pytest.mark.parametrize("phase", Phase)
def test_signs_are_one_cell_wide_and_differ(phase):
    for glyphs in (UNICODE, ASCII):
        assert len(glyphs.phases[phase]) == 1
        assert len(set(glyphs.phases.values())) == len(Phase)


async def test_frozen_vms_can_be_filtered():
    async with dashboard(SMOOTH, BOOTING) as stage:
        await stage.press("slash", *"frozen", "enter")
        frozen = [vm for vm, phase in phases(stage).items() if phase is Phase.FROZEN]
        assert stage.app.model.view.shown == frozen != []


async def test_a_bar_without_details_yet_is_no_unexplained_one():
    async with dashboard(SMOOTH, BOOTING, ascii_only=True, size=(120, 24)) as stage:
        assert ASCII.residual not in "".join(
            line for line in stage.text.splitlines() if " + booted f " in line
        )


async def test_a_run_without_phases_looks_as_before():
    for at in (BOOTING, DONE):
        async with dashboard(smooth_run(8), at) as stage:
            assert not signs(stage) or set(signs(stage).values()) == {" "}
            await opened(stage)
            assert "after:" not in stage.text
            assert "gathered" not in stage.text


# One VM.


async def test_a_frozen_vm_is_not_said_to_lack_details():
    async with dashboard(SMOOTH, BOOTING) as stage:
        await opened(stage)
        assert f"{UNICODE.phases[Phase.FROZEN]} frozen" in stage.text
        assert "its details are collected once all have booted" in stage.text
        assert "did not say" not in stage.text
        assert "doubtful" not in stage.text


async def test_a_vm_without_stages_says_why_once_it_is_off():
    paused = [
        ev.QmpSeen(at_ns=ZERO_NS + round(at * SECOND), vm=0, attempt=1, name=name)
        for at, name in ((2.0, "STOP"), (2.5, "RESUME"))
    ]
    events = sorted([*phased(smooth_run(2)), *paused], key=lambda event: event.at_ns)
    async with dashboard(events, DONE, size=(120, 36)) as stage:
        assert "the VM was paused while it booted" in stage.text


async def test_the_shutdown_is_a_stage_of_its_own_after_the_boot():
    async with dashboard(SMOOTH, ENDING) as stage:
        await opened(stage)
        assert re.search(r"after: shutting down \d\.\d s", stage.text)
    async with dashboard(SMOOTH, DONE) as stage:
        await opened(stage)
        assert re.search(r"after: shutdown 1\.26  exit 0\.05 ", stage.text)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_how_long_others_disturbed_a_boot_is_said(size):
    async with dashboard(SMOOTH, DONE, size=size) as stage:
        await opened(stage)
        assert "disturbed by others for 0.000 s" in stage.text


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (ev.ReleaseCause.OWN_WAY, "its guest waits for nobody"),
        (ev.ReleaseCause.NOT_STOPPED, "QEMU did not have it stand still"),
        (ev.ReleaseCause.BY_HAND, "somebody resumed the VM after its report"),
    ],
)
async def test_why_a_vm_went_on_is_said(cause, words):
    async with dashboard(SMOOTH, BOOTING) as stage:
        await opened(stage)
        assert words not in stage.text
        await stage.feed([released(cause)])
        assert words in stage.text


async def test_what_a_shutdown_waits_for_is_said():
    text = "[  *** ] A stop job is running for Demo database (12s / 1min 30s)\n"
    console = ev.VmConsole(at_ns=0, vm=2, attempt=1, text=text, total_bytes=len(text))
    async with dashboard(SMOOTH, BOOTING) as stage:
        await opened(stage)
        await stage.feed([console])
        assert "waited for Demo database" not in stage.text
    async with dashboard(SMOOTH, ENDING) as stage:
        await opened(stage)
        await stage.feed([console])
        assert "waited for Demo database 12 s" in stage.text


async def test_the_round_of_a_vm_is_said():
    events = phased(smooth_run(8), Aftermath(rounds=4))
    async with dashboard(events, DONE) as stage:
        await opened(stage)
        assert "round 2/4" in stage.text


# The keys.


def released(cause: ev.ReleaseCause, vm: int = 2) -> ev.VmReleased:
    at_ns = ZERO_NS + round(BOOTING * SECOND)
    return ev.VmReleased(at_ns=at_ns, vm=vm, attempt=1, cause=cause)


def frozen(vm: int = 2) -> ev.VmFrozen:
    return ev.VmFrozen(at_ns=ZERO_NS + round(BOOTING * SECOND) + MS, vm=vm, attempt=1)


async def test_a_frozen_vm_can_be_resumed_and_frozen_again():
    async with dashboard(SMOOTH, BOOTING) as stage:
        await opened(stage)
        await stage.press("P")
        assert "VM 2 runs while others boot: their boots are disturbed." in stage.notes
        await stage.feed([released(ev.ReleaseCause.BY_HAND)])
        assert f"{UNICODE.phases[Phase.UP]} up" in stage.text
        await stage.press("P")
        await stage.feed([frozen()])
        await stage.press("P")
        actions = [act.action for act in sent(stage, Act)]
        assert actions == [VmAction.RESUME, VmAction.PAUSE, VmAction.RESUME]


async def test_a_stored_runs_frozen_vm_is_only_looked_at():
    async with dashboard(SMOOTH, BOOTING) as stage:
        stage.app.model.there = frozenset({Need.TERMINAL})
        await opened(stage)
        await stage.press("P")
        assert not sent(stage, Act)
        assert "pause VM" not in stage.text


async def test_a_boot_whose_vm_was_resumed_is_marked():
    async with dashboard(SMOOTH, BOOTING) as stage:
        await stage.feed([released(ev.ReleaseCause.BY_HAND), frozen()])
        assert f"{UNICODE.resumed} " in next(
            line for line in stage.text.splitlines() if line.startswith("  2 ")
        )


async def test_resuming_when_nobody_boots_disturbs_nobody():
    events = phased(smooth_run(8), SLOW)
    async with dashboard(events, COLLECTING) as stage:
        await opened(stage, 7)
        await stage.press("P")
        assert "VM 7 goes on." in stage.notes
        assert "disturbed" not in stage.notes


async def test_a_guest_that_tells_details_is_not_paused():
    async with dashboard(SMOOTH, COLLECTING) as stage:
        await opened(stage, 0)
        await stage.press("P")
        assert "it cannot be paused" in stage.notes
        assert not sent(stage, Act)


@pytest.mark.parametrize("name", ["P", "D", "X"])
async def test_a_vm_that_shuts_down_is_left_to_it(name):
    async with dashboard(SMOOTH, ENDING) as stage:
        await opened(stage)
        await stage.press(name)
        assert "VM 2 is shutting down already; it can only be killed." in stage.notes
        assert not sent(stage, Act)


@pytest.mark.parametrize(
    ("name", "action"),
    [("K", VmAction.KILL), ("X", VmAction.RESET), ("D", VmAction.POWERDOWN)],
)
async def test_what_a_frozen_vm_would_lose_is_asked_for(name, action):
    async with dashboard(SMOOTH, BOOTING) as stage:
        await opened(stage)
        await stage.press(name)
        await stage.sees("Its boot counts")
        await stage.sees("what it has still to tell is lost")
        await stage.press("y")
        assert sent(stage, Act) == [Act(action=action, vms=(2,))]


async def test_killing_several_says_how_many_boots_are_kept():
    async with dashboard(SMOOTH, BOOTING) as stage:
        await stage.press("a", "K")
        await stage.sees("Kill 8 VMs? A boot that is under way is lost. 7 of them booted")
    async with dashboard(SMOOTH, COLLECTING) as stage:
        await stage.press("a", "K")
        await stage.sees("Their boots count")


async def test_a_vm_that_booted_is_booted_again_after_its_storm():
    for at in (BOOTING, COLLECTING, ENDING):
        async with dashboard(SMOOTH, at) as stage:
            await stage.press("r")
            assert sent(stage, Rerun) == [Rerun(vms=(0,))]
            assert "it begins once this storm is over" in stage.notes


async def test_leaving_says_what_is_kept_and_what_is_skipped():
    for at, words in (
        (BOOTING, "8 VMs still running, 7 of them booted, which counts. End everything and leave?"),
        (COLLECTING, "Every boot so far is kept. What "),
        (COLLECTING, "have still to tell is skipped. End everything at once and leave?"),
        (
            ENDING,
            "Every boot so far is kept. 8 VMs still running, to shut down. End everything and",
        ),
    ):
        async with dashboard(SMOOTH, at) as stage:
            await stage.press("ctrl+c")
            stage.on(ConfirmScreen)
            await stage.sees(words)


async def test_an_export_before_the_details_says_when_they_come():
    async with dashboard(SMOOTH, BOOTING) as stage:
        await stage.press("e")
        await stage.sees("Details are collected when all have booted.")
    async with dashboard(SMOOTH, ENDING) as stage:
        await stage.press("e")
        await stage.sees("The run goes on: the file will say that it is partial.")
        assert "Details" not in stage.text


async def test_every_doubt_of_a_boot_is_seen_whole():
    at_ns = ZERO_NS + round((BOOTING - 3) * SECOND)
    early = ev.VmReleased(at_ns=at_ns, vm=4, attempt=1, cause=ev.ReleaseCause.BY_HAND)
    stirring = [early, released(ev.ReleaseCause.BY_HAND, vm=5)]
    events = sorted([*SMOOTH, *stirring], key=lambda event: event.at_ns)
    async with dashboard(events, DONE, size=(80, 24)) as stage:
        await opened(stage, 5)
        assert "somebody resumed the VM after its report" in stage.text


async def test_being_frozen_is_nothing_out_of_the_way():
    async with dashboard(SMOOTH, DONE) as stage:
        screen = await opened(stage)
        stop = next(line for line in screen.events_pane._lines if " STOP " in line[0])
        assert stop[1] == stage.app.palette.text


async def test_every_state_of_the_stream_is_drawn():
    last = max(e.at_ns for e in SMOOTH)
    for at_ns in range(ZERO_NS + SECOND, last + SECOND, SECOND):
        at = (at_ns - ZERO_NS) / SECOND
        async with dashboard(until(SMOOTH, at), at, size=(100, 30)) as stage:
            await stage.press("enter")
            assert " VM 0 " in stage.text
