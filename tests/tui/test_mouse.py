"""The mouse."""

from textual import events

from support.recording import smooth_run, troubled_run
from support.stage import dashboard
from vmtiming_tui.tui.screens.detail import DetailScreen

DONE = 90.0


async def test_click_moves_the_cursor_and_a_second_one_opens():
    async with dashboard(troubled_run(40), DONE, number=40) as stage:
        grid = stage.main.grid_area
        await stage.pilot.click(grid, offset=(grid.cell_width + 3, 1))
        await stage.pilot.pause()
        assert stage.main.area.current == grid.columns + 1
        await stage.pilot.click(grid, offset=(3, 0), control=True)
        await stage.pilot.pause()
        assert stage.app.model.view.marked == {0}
        await stage.pilot.click(grid, offset=(3, 0))
        await stage.pilot.pause()
        assert stage.on(DetailScreen).vm_id == 0


async def test_click_beyond_the_last_vm_does_nothing():
    async with dashboard(smooth_run(3), DONE, size=(200, 60), number=3) as stage:
        await stage.pilot.click(
            stage.main.grid_area, offset=(3, stage.main.grid_area.size.height - 1)
        )
        await stage.pilot.pause()
        assert stage.main.area.current == 0


async def test_click_on_a_heading_sorts_and_again_reverses():
    async with dashboard(troubled_run(40), DONE, number=40) as stage:
        await stage.press("v")
        head = stage.main.table_head
        x = head.render_line(0).text.index("host s") + 2
        await stage.pilot.click(head, offset=(x, 0))
        await stage.pilot.pause()
        first = stage.app.model.view.shown
        await stage.pilot.click(head, offset=(x, 0))
        await stage.pilot.pause()
        assert stage.app.model.view.order.descending
        times = [stage.app.model.fleet.vms[vm].newest.elapsed_ns(0) for vm in first]
        assert times == sorted(times)


async def test_wheel_scrolls():
    async with dashboard(troubled_run(400), DONE, size=(80, 24), number=400) as stage:
        grid = stage.main.grid_area
        turned = events.MouseScrollDown(grid, 5, 5, 0, 0, 0, False, False, False)
        grid.post_message(turned)
        await stage.until(lambda: grid.scroll_y > 0, "a scrolled grid")


async def test_cursor_is_scrolled_into_view():
    async with dashboard(troubled_run(400), DONE, size=(80, 24), number=400) as stage:
        await stage.press("G")
        assert "399 " in stage.text
        await stage.press("g")
        assert stage.main.grid_area.scroll_y == 0
