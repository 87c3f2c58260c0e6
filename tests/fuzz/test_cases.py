"""What fuzzing starts from and what it once found: each must pass."""

import pytest

from fuzz.targets import CASES, TARGETS

KEPT = [
    (target, case) for target in TARGETS for case in sorted((CASES / target).iterdir())
]  # fmt: skip


@pytest.mark.parametrize(("target", "case"), KEPT, ids=lambda part: getattr(part, "name", part))
def test_a_kept_case_passes(target, case):
    TARGETS[target](case.read_bytes())


def test_every_target_has_cases_to_start_from():
    assert {target for target, _ in KEPT} == set(TARGETS)
