"""The command line in a process of its own, with a stand-in for QEMU."""

import pytest

from support.tool_lab import Tool


@pytest.fixture
def the_tool(lab):
    """``vm-timing-report`` in the lab."""
    tool = Tool(lab)
    yield tool
    tool.close()


@pytest.fixture
def environment(the_tool):
    """Folders of the tool's own, so that no test sees or touches a person's."""
    return the_tool.environment


@pytest.fixture
def arguments(the_tool):
    """The original's own line, for stand-ins: ``arguments(4, "boot=0.1")``."""
    return the_tool.arguments


@pytest.fixture
def tool(the_tool):
    """Start ``vm-timing-report`` in the lab; returns the process."""
    return the_tool.start


@pytest.fixture
def run(the_tool):
    """Run ``vm-timing-report`` to its end; returns (exit code, stdout, stderr)."""

    def to_end(*words):
        ended = the_tool.run(*words)
        return ended.code, ended.out, ended.err

    return to_end
