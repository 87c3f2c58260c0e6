"""What is installed with the tool and for its tests: each release is named in one place."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
RUNTIME = [*PROJECT["dependencies"], *EXTRAS["cluster"], *EXTRAS["web"]]
ITSELF = "vmtiming-tui[cluster,web]"
FOR_TESTS = [each for each in [*EXTRAS["dev"], *EXTRAS["fuzz"]] if each != ITSELF]
TESTED = dict(
    line.split("==")
    for line in (CHECKOUT / "tests/constraints.txt").read_text().splitlines()
    if not line.startswith("#")
)


def name_of(requirement: str) -> str:
    return re.split(r"[<>=!~\[; ]", requirement, maxsplit=1)[0]


@pytest.mark.parametrize("requirement", RUNTIME)
def test_a_runtime_requirement_is_a_range_or_the_one_release_that_does(requirement):
    is_exact = "==" in requirement
    assert is_exact or re.search(r">=[\d.]+,<[\d.]+$", requirement)
    assert is_exact != (name_of(requirement) in TESTED)


@pytest.mark.parametrize("requirement", FOR_TESTS)
def test_what_tests_need_is_named_by_the_project_and_numbered_by_the_constraints(requirement):
    assert requirement == name_of(requirement)
    assert requirement in TESTED


def test_what_users_may_add_is_there_for_the_tests():
    assert ITSELF in EXTRAS["dev"]


def test_constraints_are_releases_and_no_addresses():
    text = (CHECKOUT / "tests/constraints.txt").read_text()
    assert "://" not in text
    assert "@" not in text
    assert list(TESTED) == sorted(TESTED, key=str.lower)


@pytest.mark.parametrize("name", [name_of(each) for each in RUNTIME if "==" not in each])
def test_the_suite_runs_on_what_the_constraints_say(name):
    assert version(name) == TESTED[name]
