"""A history of the test's own."""

import pytest

from vmtiming_tui.history.runs import History


@pytest.fixture
def history(tmp_path):
    with History.open(tmp_path / "state" / "history.db") as opened:
        yield opened
