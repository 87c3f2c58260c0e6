"""The README is the newcomer's page: short, and it leads to all the rest."""

import re

import pytest

from manual.tables import MANUAL, README
from vmtiming_tui.manual.topics import read_topics


@pytest.fixture(scope="module")
def readme() -> str:
    return README.read_text(encoding="utf-8")


def test_it_is_short(readme):
    assert len(readme.splitlines()) <= 200


def test_it_leads_to_every_topic(readme):
    rows = [f"| [{it.name}](assets/manual/{it.name}.md) | {it.summary} |"
            for it in read_topics(MANUAL)]  # fmt: skip

    assert "\n".join(rows) in readme


def test_what_it_links_to_is_there(readme):
    links = re.findall(r"\]\(([^)]+)\)", readme)

    assert [link for link in links if not (README.parent / link).exists()] == []
