"""Which runs are given up, and how large the user lets the history grow."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from vmtiming_tui.history.retention import Retention
from vmtiming_tui.session.preferences import HISTORY_BYTES, history_bytes, size_bytes

DAY_NS = 86_400 * 10**9
NOW_NS = 100 * DAY_NS


@dataclass(frozen=True)
class Run:
    """A run of some days ago."""

    days_ago: int
    bytes: int = 10
    is_spared: bool = False

    @property
    def wall_ns(self) -> int:
        return NOW_NS - self.days_ago * DAY_NS


RUNS = [Run(0), Run(1, is_spared=True), Run(2), Run(30), Run(40, is_spared=True), Run(50)]


def gone(**asked: object) -> list[int]:
    return [run.days_ago for run in Retention(**asked).given_up(RUNS, NOW_NS)]


def test_nothing_goes_without_a_reason():
    assert gone() == []


@pytest.mark.parametrize(("keep", "went"), [(0, [50, 30, 2, 0]), (2, [50, 30]), (9, [])])
def test_the_newest_stay_and_runs_with_a_name_are_none_of_them(keep: int, went: list[int]):
    assert gone(keep=keep) == went


def test_old_runs_go_unless_they_have_a_name():
    assert gone(days=29) == [50, 30]


@pytest.mark.parametrize(
    ("size", "went"), [(60, []), (59, [50]), (41, [50, 30]), (30, [50, 30, 2]), (0, [50, 30, 2])]
)
def test_the_oldest_go_till_the_rest_fits_and_never_the_newest(size: int, went: list[int]):
    assert gone(max_bytes=size) == went


def test_what_goes_for_one_reason_makes_room_for_the_other():
    assert gone(days=45, max_bytes=50) == [50]


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("1500", 1500), ("1k", 1024), ("500M", 500 << 20), ("1.5 GiB", 3 << 29),
     ("2GB", 2 << 30), ("1T", 1 << 40)],
)  # fmt: skip
def test_sizes_are_read_in_units_of_1024(text: str, size: int):
    assert size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1", "1 X", "1e9", "9" * 30, "1,5G"])
def test_what_is_no_size_is_refused_in_words(text: str):
    with pytest.raises(ValueError, match="is no size; try 500M or 1G"):
        size_bytes(text)


def test_the_users_file_says_how_large_the_history_may_grow(tmp_path: Path):
    path = tmp_path / "config.toml"
    assert history_bytes(path) == (HISTORY_BYTES, [])
    path.write_text('[history]\nmax_size = "20M"\n')
    assert history_bytes(path) == (20 << 20, [])
    path.write_text("[history]\nmax_size = 1000\n")
    assert history_bytes(path) == (1000, [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[history]\nmax_size = "much"\n', "[history] max_size: 'much' is no size"),
        ("history = 3\n", "[history] is no table"),
        ("[history\n", "is not TOML"),
    ],
)
def test_a_fault_of_the_file_is_said_and_the_usual_limit_holds(
    tmp_path: Path, text: str, problem: str
):
    path = tmp_path / "config.toml"
    path.write_text(text)

    limit, (said,) = history_bytes(path)

    assert limit == HISTORY_BYTES
    assert problem in said
