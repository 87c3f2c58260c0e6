"""What a person sees, held still: each screen at three sizes, and the ways it can look."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from support.many_hosts import many_hosts_run
from support.phased import Aftermath, phased
from support.recording import repeated_run, smooth_run, stuck_run, troubled_run
from support.stage import make, settle
from vmtiming_tui.tui.state import dashboard as model_module

SIZES = {"80x24": (80, 24), "120x40": (120, 40), "200x60": (200, 60)}
HALF, DONE = 7.5, 90.0

TROUBLED = troubled_run(100)
SMOOTH = smooth_run(8)
IN_PHASES = phased(TROUBLED, Aftermath(gathers_s=1.0))
IN_ROUNDS = phased(SMOOTH, Aftermath(rounds=2))
STUCK = stuck_run(300)
REPEATED = repeated_run(4, runs=2)
COLLECTING, ENDING = 33.2, 49.0
THREE_HOSTS = many_hosts_run(
    number=24, lost={"b": 5.0}, how={"failing": frozenset({17})}, uncertainty_ns={"c": 140_000_000}
)
TWENTY_HOSTS = many_hosts_run(
    [f"node{place:02}" for place in range(20)], 400, lost={"node07": 5.0},
    slow={"node03": 1.4}, how={"stagger_s": 0.005, "failing": frozenset({30, 210})},
)  # fmt: skip


@pytest.fixture(params=SIZES.values(), ids=SIZES.keys())
def size(request):
    return request.param


@pytest.fixture
def pictured(snap_compare, monkeypatch):
    """Compare a dashboard, after some keys, with the picture a person has accepted."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setattr(model_module, "_FOLD_BUDGET_S", 60.0)  # no moment in between is seen

    def compare(
        events: Sequence[object], at: float, size: tuple[int, int], *keys: str, **how: object
    ) -> bool:
        app, source, _ = make(events, at, **how)

        async def prepare(pilot):
            await pilot.pause()
            await settle(app)
            await pilot.pause()
            for key in keys:
                await pilot.press(key)
                await pilot.pause()
            for widget in app.screen.query("Input"):
                widget.cursor_blink = False
            await settle(app)
            await pilot.pause()
            source.end()

        return snap_compare(app, terminal_size=size, run_before=prepare)

    return compare


def test_before_the_first_event(pictured, size):
    assert pictured([], 0.0, size)


def test_small_storm_half_way(pictured, size):
    assert pictured(SMOOTH, 6.4, size)


def test_small_storm_finished(pictured, size):
    assert pictured(SMOOTH, DONE, size)


def test_only_one_vm_half_way(pictured, size):
    assert pictured(smooth_run(1), 4.0, size, number=1)


def test_second_storm_half_way_with_the_median_of_the_first_behind_it(pictured, size):
    assert pictured(REPEATED, 12.5, size, number=4)


def test_many_vms_late_with_one_that_is_stuck(pictured, size):
    assert pictured(STUCK, 30.0, size, number=300)


def test_many_vms_early_as_charts(pictured):
    assert pictured(STUCK, 3.5, (120, 40), "t", number=300)


def test_a_thousand_vms_half_way(pictured):
    assert pictured(stuck_run(1000), 5.0, (200, 60), number=1000)


@pytest.mark.parametrize(
    "how",
    [{"ascii_only": True}, {"colour": False}, {"theme": "light"}],
    ids=["ascii", "no colour", "light"],
)
def test_many_vms_half_way_as_they_can_look(pictured, how):
    assert pictured(STUCK, 5.0, (120, 40), "right", "space", number=300, **how)


def test_storm_half_way(pictured, size):
    assert pictured(TROUBLED, HALF, size, number=100)


def test_finished_with_failures(pictured, size):
    assert pictured(TROUBLED, DONE, size, number=100)


def test_only_the_failures(pictured, size):
    assert pictured(TROUBLED, DONE, size, "slash", *"!booted", "enter", "a", number=100)


def test_list(pictured, size):
    assert pictured(TROUBLED, DONE, size, "v", "greater_than_sign", "o", number=100)


def test_one_vm_with_two_attempts(pictured, size):
    assert pictured(TROUBLED, DONE, size, "right", "right", "enter", number=100)


def test_one_vm_that_failed(pictured, size):
    assert pictured(TROUBLED, DONE, size, *["right"] * 4, "enter", "2", number=100)


def test_one_vm_while_it_boots(pictured, size):
    assert pictured(TROUBLED, HALF, size, *["right"] * 5, "enter", number=100)


def test_export(pictured, size):
    assert pictured(TROUBLED, HALF, size, "space", "e", number=100)


def test_new_run_with_a_fault(pictured, size):
    assert pictured(TROUBLED, DONE, size, "n", "x", number=100)


def test_help(pictured, size):
    assert pictured(TROUBLED, DONE, size, "question_mark", number=100)


def test_leaving_while_vms_run(pictured, size):
    assert pictured(TROUBLED, HALF, size, "q", number=100)


def test_frozen_vms_while_others_boot(pictured, size):
    assert pictured(IN_PHASES, HALF, size, number=100)


def test_storm_collecting(pictured, size):
    assert pictured(IN_PHASES, COLLECTING, size, number=100)


def test_list_while_vms_shut_down(pictured, size):
    assert pictured(IN_PHASES, ENDING, size, "v", number=100)


def test_second_round_of_a_small_storm(pictured, size):
    assert pictured(IN_ROUNDS, 16.0, size)


def test_one_frozen_vm(pictured, size):
    assert pictured(IN_PHASES, HALF, size, "enter", number=100)


def test_one_vm_with_its_shutdown(pictured, size):
    assert pictured(IN_PHASES, DONE, size, "enter", number=100)


def test_ascii_in_phases(pictured):
    assert pictured(IN_PHASES, COLLECTING, (120, 40), number=100, ascii_only=True)


def test_no_colour_in_phases(pictured):
    assert pictured(IN_PHASES, COLLECTING, (120, 40), number=100, colour=False)


def test_frozen_and_marked(pictured):
    assert pictured(TROUBLED, HALF, (120, 40), "space", "space", "p", number=100)


def test_light_theme(pictured):
    assert pictured(TROUBLED, HALF, (120, 40), number=100, theme="light")


def test_light_theme_of_one_vm(pictured):
    assert pictured(TROUBLED, DONE, (120, 40), "enter", number=100, theme="light")


def test_no_colour(pictured):
    assert pictured(TROUBLED, HALF, (120, 40), number=100, colour=False)


def test_no_colour_question(pictured):
    assert pictured(TROUBLED, HALF, (80, 24), "q", number=100, colour=False)


def test_ascii(pictured):
    assert pictured(TROUBLED, HALF, (120, 40), number=100, ascii_only=True)


def test_ascii_of_one_vm(pictured):
    assert pictured(TROUBLED, DONE, (120, 40), "enter", number=100, ascii_only=True)


def test_tiny_terminal(pictured):
    assert pictured(TROUBLED, HALF, (40, 8), number=100)


def test_pictures_of_the_readme_are_there():
    folder = Path(__file__).parents[2] / "assets" / "screenshots"
    assert len(list(folder.glob("*.svg"))) >= 3


def test_three_hosts_of_which_one_is_lost(pictured, size):
    assert pictured(THREE_HOSTS, 6.6, size, "greater_than_sign", number=24)


def test_cells_of_twenty_hosts_in_blocks(pictured):
    assert pictured(TWENTY_HOSTS, 6.6, (120, 40), "greater_than_sign", number=400)


@pytest.mark.parametrize(
    "how", [{}, {"ascii_only": True}, {"colour": False}], ids=["dark", "ascii", "no colour"]
)
def test_twenty_hosts(pictured, how):
    assert pictured(TWENTY_HOSTS, 6.6, (120, 40), "s", number=400, **how)
