"""Four real guests as the dashboard shows them while they boot, read off a real terminal."""

import re
import sys
import time

import pytest

from support.tmux import Tmux
from vmtiming_tui.model.stage import Stage

LANE = re.compile(r"^ +(\d) (\S) (\w+) +(?:\S )? *(\d+\.\d+)\S? +(\S.*?)? *$", re.MULTILINE)
WORDS = {str(stage) for stage in Stage}
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
    words += ["--base", str(quick_guest.rootfs), "-r", "1", "-w", "0"]
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
    over = terminal.wait_for("4 booted", "FINISHED", "all booted in")

    assert all("RUNNING" in screen.splitlines()[0] for screen in screens)
    for screen in screens:
        drawn = lanes(screen)
        assert set(drawn) == {0, 1, 2, 3}
        assert len({bar for _, _, bar in drawn.values()}) > 1, screen
        assert {word for word, _, _ in drawn.values()} <= WORDS | {"connected", "booted"}
    stages = [{word for word, _, _ in lanes(screen).values()} for screen in screens]
    assert stages[-1] & WORDS
    assert re.search(r"(systemd|Linux version|\[ +\d+\.\d+\])", screens[-1]), screens[-1]
    assert all(word == "booted" for word, _, _ in lanes(over).values())
    terminal.keys("q")
    assert terminal.exit_code() == 0
