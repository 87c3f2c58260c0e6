"""The scene every fault happens in."""

import pytest

from faults.scene import Scene
from support.aside import aside
from support.tool_lab import Tool


@pytest.fixture(autouse=True)
def beside_somebody_else(somebody_else):
    """Every fault here leaves another run on the same machine alone."""


@pytest.fixture
def scene(lab):
    """The command in its lab, with mounts of its own where a fault needs them."""
    tool = Tool(lab)
    lab.config(4)
    with aside() as place:
        yield Scene(lab, tool, place)
        tool.close()
