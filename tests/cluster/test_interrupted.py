"""Ctrl-C while hosts are reached: the terminal's, which all its processes get."""

import os
import signal

import pytest

from support.tool_lab import Tool


@pytest.fixture
def tool(lab):
    made = Tool(lab)
    yield made
    made.close()


def test_ctrl_c_while_hosts_are_reached_leaves_nothing_and_says_nothing(tool):
    words = tool.arguments(2, "boot=0.1", "--plain", "--hosts", "local:2")
    run = tool.start(*words, start_new_session=True)
    assert run.stderr.readline() == "Reaching 2 hosts that this one pretends to be ...\n"

    os.killpg(run.pid, signal.SIGINT)
    out, err = run.communicate(timeout=60)

    assert (run.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert "never retrieved" not in err
    assert not tool.lab.leftovers()
    assert not list(tool.lab.temp.iterdir())
