"""Three storms of two real guests: stages add up, and all that is made of the run agrees."""

import csv
import itertools
import json

import pytest

from support.schema import exported_file
from vmtiming_tui.analysis.stages import stages_of
from vmtiming_tui.analysis.summary import counted_groups
from vmtiming_tui.history.runs import History
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.sources.replay import Player


@pytest.fixture(scope="module")
def repeated(quick_guest, in_folder):
    """The run, once for the whole module: its folder and what it printed."""
    result = in_folder(
        "-n", 2, "-m", 340, "-p", "vm", "-s", ".img", "-v", "vms", "-r", 3, "--name", "three",
        "-k", quick_guest.kernel, "-i", quick_guest.initrd, "--base", quick_guest.rootfs,
        "-o", "run.json", "-o", "run.csv",
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return result


@pytest.fixture(scope="module")
def stored(repeated, in_folder):
    """The same run, as the history kept it."""
    with History.open(in_folder.folder / "state" / "vmtiming-tui" / "history.db") as history:
        return history.events(history.find("three"))


def test_stages_of_every_boot_add_up_to_the_host_figure_or_are_not_believed(stored):
    """On a busy host the guest's clock may jump, while the kernel has not found one to go by."""
    divided = [(attempt, stages_of(attempt)) for attempt in Fleet(stored).attempts]
    believed = [stages for _, stages in divided if not stages.is_doubtful]

    assert len(divided) == 6
    assert believed
    for stages in believed:
        assert stages.doubts == ()
        assert len(stages.known) == 5
        assert abs(stages.residual_ns) <= stages.error_ns
        assert stages.of(Stage.FIRMWARE) > -stages.error_ns
        assert stages.of(Stage.LAG) >= 0
    assert all(stages.known == () for _, stages in divided if stages.is_doubtful)


def test_the_storm_is_the_unit(stored, repeated):
    (group,) = counted_groups(Fleet(stored))

    assert len(group.storms) == 3
    assert "3 storms: median boot" in repeated.stdout


def test_a_replay_ends_as_the_run_did(stored):
    player = Player(stored, 1e9, itertools.count(step=10**9).__next__)
    fleet = Fleet(itertools.chain.from_iterable(iter(player.due, ())))
    assert [attempt.boot_ns for attempt in fleet.attempts] == [
        attempt.boot_ns for attempt in Fleet(stored).attempts
    ]


def test_exports_of_the_run_and_of_the_history_say_the_same(repeated, in_folder):
    for name in ("again.json", "again.csv", "again.md", "again.txt", "again.html"):
        assert in_folder("export", "three", name).returncode == 0

    first, again = (exported_file(in_folder.folder / name) for name in ("run.json", "again.json"))
    assert first["summary"] == again["summary"]
    assert first["vms"] == again["vms"]
    rows = list(csv.DictReader((in_folder.folder / "again.csv").open()))
    assert len(rows) == 6


def test_its_units_are_summed_up_and_drawn(repeated, stored, in_folder):
    listed = json.loads(in_folder("units", "three", "--json").stdout)
    journal = next(each for each in listed["units"] if each["name"] == "systemd-journald.service")
    assert (listed["boots"], journal["ran"], journal["failed"]) == (6, 6, 0)
    assert 0 < journal["own_s"]["median"] <= journal["took_s"]["median"]
    assert journal["start_s"]["median"] < max(a.boot_ns for a in Fleet(stored).attempts) / 1e9

    assert in_folder("plot", "run.json", "-o", "chart.svg").returncode == 0
    assert "systemd-journald.service" in (in_folder.folder / "chart.svg").read_text()


def test_a_run_of_three_storms_compared_with_itself_shows_nothing_and_says_why(repeated, in_folder):
    result = in_folder("compare", "three", "run.json", "--fail-slower", "1")

    assert result.returncode == 4
    assert "a run is compared with itself" in result.stdout
    assert "3 against 3 storms cannot reach 0.05" in result.stdout
    assert "slower" not in result.stdout
