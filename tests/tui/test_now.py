"""What the screen of one VM says of it while it boots."""

import pytest

from support.recording import smooth_run, until
from support.stage import Stage as Stand, dashboard
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.tui.widgets.now_line import NowLine

EVENTS = smooth_run(2)
GO_S = 0.2


def seen_s(stage: Stage) -> float:
    """Return when VM 0 is first seen in a stage, in seconds of the run."""
    zero_ns = EVENTS[0].at_ns
    return next(
        (event.at_ns - zero_ns) / 1e9
        for event in EVENTS
        if isinstance(event, ev.StageSeen) and (event.vm, event.stage) == (0, stage)
    )


async def goes_on(stand: Stand, at: float) -> None:
    before = until(EVENTS, stand.clock.at)
    await stand.feed([event for event in until(EVENTS, at) if event not in before], at)


@pytest.fixture
async def stand():
    async with dashboard(until(EVENTS, GO_S), GO_S, number=2) as stand:
        await stand.press("enter")
        yield stand


async def test_before_the_first_sign_the_time_is_counted_all_the_same(stand):
    await goes_on(stand, seen_s(Stage.KERNEL) - 0.05)
    assert "now: no stage seen yet for" in stand.text
    assert "not seen yet" in stand.text.partition("now:")[0]


@pytest.mark.parametrize("stage", [Stage.KERNEL, Stage.INITRD, Stage.USERSPACE])
async def test_it_says_the_stage_since_when_and_the_consoles_last_line(stand, stage):
    await goes_on(stand, seen_s(stage) + 0.25)
    (line,) = [line for line in stand.text.splitlines() if "now:" in line]
    assert f"now: {stage} for 0.2 s" in line
    attempt = stand.app.model.fleet.vms[0].newest
    assert attempt.console_line.strip()[:40] in line


async def test_the_stages_so_far_are_named_with_their_times(stand):
    await goes_on(stand, seen_s(Stage.USERSPACE) + 0.25)
    (names,) = [line for line in stand.text.splitlines() if "userspace 0.2" in line]
    found = [names.index(word) for word in ("not seen yet", "kernel", "initrd", "userspace")]
    assert found == sorted(found)


async def test_once_it_is_decided_there_is_no_now(stand):
    await goes_on(stand, 90.0)
    assert "now:" not in stand.text
    assert not stand.screen.query_one(NowLine).display
