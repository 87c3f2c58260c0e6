"""moved: which of many parts took longer or shorter, and how rarely that is told wrongly."""

import random

import pytest

from vmtiming_tui.analysis.comparison.moved import (
    FEWEST_STORMS,
    Movement,
    movement,
    movement_by_round,
)

FLOOR_S = 0.01


def storms_of(medians: dict[str, float], storms: int, seed: int) -> dict[str, list[float]]:
    """Return each part's time in so many storms, which differ by 5 %."""
    dice = random.Random(seed)
    return {
        name: [value * dice.gauss(1, 0.05) for _ in range(storms)]
        for name, value in medians.items()
    }


def compared(first: dict[str, float], second: dict[str, float], storms: int = 10) -> Movement:
    return movement(
        storms_of(first, storms, 1), storms_of(second, storms, 2),
        storms=(storms, storms), floor_s=FLOOR_S,
    )  # fmt: skip


MANY = {f"part-{number}": 0.02 + number / 1000 for number in range(100)}


def test_what_took_longer_is_named_with_how_much_longer():
    found = compared(MANY, MANY | {"part-7": 0.127})

    assert [each.name for each in found.moved] == ["part-7"]
    moved = found.moved[0]
    assert moved.first_s == pytest.approx(0.027, rel=0.1)
    assert moved.second_s == pytest.approx(0.127, rel=0.1)
    assert moved.shift_s == pytest.approx(0.1, rel=0.1)
    assert 0 < moved.q_value < 0.05
    assert (moved.beyond, moved.storms) == (10, 10)
    assert found.tested == 100


def test_what_moved_farthest_comes_first_whichever_way():
    found = compared(MANY, MANY | {"part-3": 0.073, "part-80": 0.02})

    assert [(each.name, each.shift_s > 0) for each in found.moved] == [
        ("part-80", False),
        ("part-3", True),
    ]


def test_a_change_below_the_floor_is_no_news_however_sure():
    found = compared({"a": 0.1, "tiny": 0.002}, {"a": 0.109, "tiny": 0.009})

    assert (found.moved, found.tested) == ((), 1)


def test_what_is_in_all_storms_of_one_side_only_came_or_went():
    first, second = storms_of({"a": 1, "old": 1}, 8, 1), storms_of({"a": 1, "new": 1}, 8, 2)
    second["now and then"] = [1.0, 1.0]
    found = movement(first, second, storms=(8, 8), floor_s=FLOOR_S)

    assert (found.came, found.went) == (("new",), ("old",))
    assert (found.moved, found.tested) == ((), 1)


def test_too_few_storms_can_tell_nothing():
    few = FEWEST_STORMS - 1
    found = movement({"a": [1.0] * few}, {"a": [9.0] * 20}, storms=(few, 20), floor_s=FLOOR_S)

    assert not found.can_tell
    assert (found.moved, found.came, found.went) == ((), (), ())


def test_nothing_to_compare_is_no_fault():
    assert movement({}, {}, storms=(9, 9), floor_s=FLOOR_S) == Movement(tested=0)


def test_where_nothing_differs_hardly_a_part_is_told_to_have_moved():
    wrong = sum(
        bool(
            movement(
                storms_of(MANY, 10, seed), storms_of(MANY, 10, seed + 1000),
                storms=(10, 10), floor_s=0.0,
            ).moved
        )
        for seed in range(40)
    )  # fmt: skip

    assert wrong <= 6


def test_round_by_round_a_drift_that_both_sides_have_hides_nothing():
    drift = [1 + at / 10 for at in range(20)]
    first = {"a": [0.1 * at for at in drift], "b": [0.1 * at for at in drift]}
    second = {"a": [0.115 * at for at in drift], "b": [0.1 * at for at in drift]}

    by_round = movement_by_round(first, second, rounds=20, floor_s=FLOOR_S)
    assert [each.name for each in by_round.moved] == ["a"]
    assert movement(first, second, storms=(20, 20), floor_s=FLOOR_S).moved == ()


def test_few_rounds_of_many_parts_are_compared_as_if_they_were_none():
    first, second = storms_of(MANY, 8, 1), storms_of(MANY | {"part-7": 0.127}, 8, 2)

    found = movement_by_round(first, second, rounds=8, floor_s=FLOOR_S)
    assert [each.name for each in found.moved] == ["part-7"]


def test_a_part_that_took_nothing_before_has_moved_in_rounds_too():
    values = [0.05 + at / 1000 for at in range(12)]
    found = movement_by_round({"a": [0.0] * 12}, {"a": values}, rounds=12, floor_s=FLOOR_S)

    assert [each.name for each in found.moved] == ["a"]
