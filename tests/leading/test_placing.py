"""Where VMs go: ranges of ids by weight, each VM once."""

import itertools
from collections import Counter

import pytest
from hypothesis import given, settings, strategies as st

from support.facts import host
from vmtiming_tui.cluster.placing import placed, weight
from vmtiming_tui.model.cluster import Spread


@pytest.mark.parametrize(
    ("spread", "expected"), [(Spread.CORES, 8), (Spread.MEMORY, 16 << 30), (Spread.EVEN, 1)]
)
def test_a_host_weighs_what_the_spread_goes_by(spread, expected):
    assert weight(host(cores=8, memory_bytes=16 << 30), spread) == expected


@pytest.mark.parametrize(
    ("count", "weights", "shares"),
    [
        (9, [1, 1, 1], [3, 3, 3]),
        (10, [1, 1, 1], [4, 3, 3]),
        (10, [8, 4, 2], [6, 3, 1]),
        (10, [8, 0, 2], [8, 0, 2]),
        (4, [0, 0], [2, 2]),
        (2, [1, 1, 1], [1, 1, 0]),
        (1, [1, 100], [0, 1]),
        (0, [1, 1], [0, 0]),
    ],
)
def test_shares_go_by_weight_and_are_rounded_by_largest_remainder(count, weights, shares):
    found = placed(range(count), {f"h{place}": each for place, each in enumerate(weights)})

    assert [[*found.values()].count(f"h{place}") for place in range(len(weights))] == shares


def test_without_a_host_there_is_no_place():
    with pytest.raises(ValueError, match="no host"):
        placed(range(3), {})


@settings(max_examples=50)
@given(
    st.sets(st.integers(0, 10**6), max_size=50).map(sorted),
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 2**40), min_size=1),
)
def test_every_vm_has_one_host_and_neighbours_stay_together(vms, weights):
    found = placed(vms, weights)
    runs = [host for host, _ in itertools.groupby(found.values())]
    total = sum(weights.values())

    assert [*found] == vms
    assert len(runs) == len(set(runs))
    for name, share in Counter(found.values()).items():
        assert not total or abs(share - len(vms) * weights[name] / total) < 1
