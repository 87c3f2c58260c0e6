"""The command line in a process of its own, with a stand-in for QEMU."""

import shutil
import tempfile
from pathlib import Path

import pytest
from engine_lab import make_lab
from tool_lab import Tool


@pytest.fixture
def lab(tmp_path):
    """A folder with a stand-in for QEMU and images, and a place for run folders."""
    runtime = Path(tempfile.mkdtemp(prefix="vmt-"))
    yield make_lab(tmp_path, runtime)
    shutil.rmtree(runtime)


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
