"""A pane of text: every sign of every line is somewhere in it, whatever its size."""

import pytest
from rich.style import Style

from support.keys import opened
from support.recording import smooth_run
from support.stage import dashboard


@pytest.fixture
async def pane():
    async with dashboard(smooth_run(8), 60) as stage:
        yield (await opened(stage)).events_pane


async def test_lines_are_as_wide_as_the_pane_where_no_scrollbar_is(pane):
    width, height = pane.content_region.size
    pane.show([("x" * width, Style())] * height)

    assert pane.virtual_size.height == height


async def test_lines_are_wrapped_before_the_scrollbar_where_one_comes(pane):
    width, height = pane.content_region.size
    pane.show([("x" * width, Style())] * (height + 1))

    assert pane.virtual_size.width == width - 1
    assert pane.virtual_size.height == 2 * (height + 1)
