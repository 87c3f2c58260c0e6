"""The keys of the screen of all VMs."""

from support.keys import DONE, Checks, comparison, history, sent
from support.recording import troubled_run, until
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.commands import Act, Rerun, VmAction
from vmtiming_tui.tui.screens.confirm import ConfirmScreen
from vmtiming_tui.tui.screens.detail import DetailScreen
from vmtiming_tui.tui.screens.export import ExportScreen
from vmtiming_tui.tui.screens.new_run import NewRunScreen
from vmtiming_tui.tui.state.view import Sort

key = Checks()


@key("main.left")
async def _(stage):
    for name in ("left", "h"):
        await stage.press("g", "right", name)
        assert stage.main.area.current == 0


@key("main.right")
async def _(stage):
    for name in ("right", "l"):
        await stage.press("g", name)
        assert stage.main.area.current == 1


@key("main.down")
async def _(stage):
    for name in ("down", "j"):
        await stage.press("g", name)
        assert stage.main.area.cursor == stage.main.area.columns


@key("main.up")
async def _(stage):
    for name in ("up", "k"):
        await stage.press("g", "down", "down", name)
        assert stage.main.area.cursor == stage.main.area.columns


@key("main.page_down")
async def _(stage):
    await stage.press("v", "pagedown")
    assert stage.main.area.cursor == stage.main.area.size.height - 1


@key("main.page_up")
async def _(stage):
    await stage.press("v", "G", "pageup")
    assert stage.main.area.cursor == 39 - (stage.main.area.size.height - 1)


@key("main.first")
async def _(stage):
    for name in ("g", "home"):
        await stage.press("G", name)
        assert stage.main.area.current == 0


@key("main.last")
async def _(stage):
    for name in ("G", "end"):
        await stage.press("g", name)
        assert stage.main.area.current == 39


@key("main.mark")
async def _(stage):
    await stage.press("space", "space")
    assert stage.app.model.view.marked == {0, 1}
    assert "2 marked" in stage.text


@key("main.mark_all")
async def _(stage):
    await stage.press("a")
    assert stage.app.model.view.marked == set(range(40))
    await stage.press("a")
    assert not stage.app.model.view.marked


@key("main.detail")
async def _(stage):
    await stage.press("right", "enter")
    assert stage.on(DetailScreen).vm_id == 1


@key("main.view")
async def _(stage):
    assert "host s" not in stage.text
    await stage.press("right", "v")
    assert "host s" in stage.text
    assert stage.main.area.current == 1
    await stage.press("v")
    assert "host s" not in stage.text


@key("main.freeze", at=7.0)
async def _(stage):
    await stage.press("p")
    before = stage.main.grid_area.render_line(0).text
    rest = [event for event in troubled_run(40) if event not in until(troubled_run(40), 7.0)]
    await stage.feed(rest, at=DONE)
    assert "HELD" in stage.text
    assert stage.main.grid_area.render_line(0).text == before
    await stage.press("p")
    await stage.feed([])
    assert "FINISHED" in stage.text


@key("main.filter")
async def _(stage):
    await stage.press("slash", *"panicked", "enter")
    lost = [vm.id for vm in stage.app.model.fleet.vms.values() if vm.state is VmState.FAILED]
    assert stage.app.model.view.shown == lost
    await stage.press("slash", "home", "!", "enter")
    assert stage.app.model.view.shown == [vm for vm in range(40) if vm not in lost]


for _number, _states in enumerate(
    ((), (), (VmState.BOOTED,), (VmState.FAILED,), (VmState.TIMED_OUT,),
     (VmState.KILLED,)), 1,
):  # fmt: skip

    @key(f"main.state_{_number}")
    async def _(stage, number=_number, states=_states):
        await stage.press(str(number))
        fleet = stage.app.model.fleet
        assert stage.app.model.view.shown == [
            vm.id for vm in fleet.vms.values() if vm.state in states
        ]
        if not states:
            assert "No VM matches" in stage.text
        await stage.press(str(number))
        assert len(stage.app.model.view.shown) == 40


@key("main.sort_right")
async def _(stage):
    await stage.press("greater_than_sign", "greater_than_sign")
    assert stage.app.model.view.order.sort is Sort.TIME
    times = [
        stage.app.model.fleet.vms[vm].newest.elapsed_ns(0) for vm in stage.app.model.view.shown
    ]
    assert times == sorted(times)
    assert "by host s" in stage.text


@key("main.sort_left")
async def _(stage):
    await stage.press("less_than_sign")
    assert stage.app.model.view.order.sort is Sort.CPU


@key("main.reverse")
async def _(stage):
    await stage.press("o")
    assert stage.app.model.view.shown == list(range(39, -1, -1))


@key("main.back")
async def _(stage):
    await stage.press("space", "4", "slash", "escape")
    assert stage.app.model.view.filter_text == "failed"
    await stage.press("escape")
    assert not stage.app.model.view.filter_text
    assert stage.app.model.view.marked
    await stage.press("escape")
    assert not stage.app.model.view.marked


@key("main.rerun")
async def _(stage):
    await stage.press("right", "r")
    await stage.press("space", "space", "r")
    assert [rerun.vms for rerun in sent(stage, Rerun)] == [(1,), (1, 2)]


@key("main.rerun_failed")
async def _(stage):
    await stage.press("R")
    assert [set(rerun.vms) for rerun in sent(stage, Rerun)] == [set(stage.app.model.lost)]


@key("main.rerun_all")
async def _(stage):
    await stage.press("ctrl+r")
    assert [rerun.vms for rerun in sent(stage, Rerun)] == [tuple(range(40))]


@key("main.new_run")
async def _(stage):
    await stage.press("n")
    stage.on(NewRunScreen)


@key("main.kill", at=4.0)
async def _(stage):
    await stage.press("K")
    stage.on(ConfirmScreen)
    await stage.press("enter")
    assert not sent(stage, Act)
    await stage.press("space", "space", "K", "y")
    assert sent(stage, Act) == [Act(action=VmAction.KILL, vms=(0, 1))]


@key("main.export")
async def _(stage):
    await stage.press("e")
    stage.on(ExportScreen)


@key("main.copy")
async def _(stage):
    await stage.press("y")
    assert stage.app.clipboard.startswith("qemu-system-x86_64 -S ")
    assert "'root=/dev/vda console=ttyS0 quiet'" in stage.app.clipboard


@key("main.history")
async def _(stage):
    await history(stage)


@key("main.compare")
async def _(stage):
    await comparison(stage)
