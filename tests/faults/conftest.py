"""The scene every fault happens in."""

import pytest

from faults.scene import Scene
from support.aside import aside
from support.tool_lab import Tool


@pytest.fixture
def scene(lab):
    """The command in its lab, with mounts of its own where a fault needs them."""
    tool = Tool(lab)
    lab.config(4)
    with aside() as place:
        yield Scene(lab, tool, place)
        tool.close()
