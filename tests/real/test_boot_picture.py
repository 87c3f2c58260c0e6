"""Four real guests as the dashboard shows them while they boot, read off a real terminal."""

import re
import sys
import time

import pytest

from support.tmux import Tmux
from vmtiming_tui.guests.demo_guest import CONSOLE

LANE = re.compile(r"^ +(\d) (\S) (\w+) +(?:\S )? *(\d+\.\d+)\S? +(\S.*?)? *$", re.MULTILINE)
ORDER = ("connected", "kernel", "initrd", "userspace", "lag", "booted")
STAGES = {"f": "firmware", "k": "kernel", "i": "initrd", "u": "userspace", "l": "lag"}
SEEN_AT_S = (2, 5, 8)


@pytest.fixture
def terminal(in_folder):
    terminal = Tmux(in_folder.folder, 160, 48)
    yield terminal
    terminal.close()


def lanes(screen):
    """Return word, seconds and bar of each VM's lane."""
    return {int(vm): (word, float(s), bar or "") for vm, _, word, s, bar in LANE.findall(screen)}


def test_four_guests_are_seen_stage_by_stage_till_they_have_booted(
    terminal, quick_guest, in_folder
):
    words = ["-n", "4", "-m", "340", "-p", "vm", "-v", str(in_folder.folder / "vms")]
    words += ["-k", str(quick_guest.kernel), "-i", str(quick_guest.initrd), "--accel", "tcg"]
    words += ["--base", str(quick_guest.rootfs), "--append", CONSOLE, "--ascii"]
    settings = ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")
    terminal.start(
        [sys.executable, "-m", "vmtiming_tui", *words],
        {name: in_folder.environment[name] for name in settings},
    )
    terminal.wait_for("RUNNING", "4 connected")
    began = time.monotonic()
    screens = []
    for at_s in SEEN_AT_S:
        time.sleep(max(began + at_s - time.monotonic(), 0))
        screens.append(terminal.screen())
    screens.append(terminal.wait_for(" c userspace "))
    over = terminal.wait_for("4 booted", "FINISHED", "all booted in")

    for screen in screens:
        assert re.search(r"4 connected .* RUNNING *$", screen.splitlines()[0]), screen
        drawn = lanes(screen)
        assert set(drawn) == {0, 1, 2, 3}, screen
        for word, _, bar in drawn.values():
            drawn_last = STAGES.get(bar[-1], "connected")
            # A stage that has just begun is not as long as a cell.
            assert ORDER.index(drawn_last) <= ORDER.index(word), (bar, screen)
    assert any(len({bar for _, _, bar in lanes(screen).values()}) > 1 for screen in screens)
    assert re.search(r"^ +\[ +\d+\.\d+\] \w", screens[-1], re.MULTILINE), screens[-1]
    drawn = lanes(over)
    assert {word for word, _, _ in drawn.values()} == {"booted"}
    divided = {vm for vm, (_, _, bar) in drawn.items() if re.fullmatch("f+k+i+u+l*-*", bar)}
    # On a busy host a guest's clock may jump, while its kernel has not found one to go by.
    assert divided, over
    assert over.count("the clocks disagree") >= len(drawn) - len(divided), over
    terminal.keys("q")
    assert terminal.exit_code() == 0
