"""The forms: another run with other settings, and where to write the figures."""

from dataclasses import replace

import pytest
from textual.widgets import Button, Input, RadioSet

from support.facts import SECOND, plan_of
from support.recording import ZERO_NS, plan_for, smooth_run, troubled_run, until
from support.stage import dashboard
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.commands import Start, Stop
from vmtiming_tui.model.config import AfterReport, End
from vmtiming_tui.report.export import write_export
from vmtiming_tui.tui.screens.confirm import ConfirmScreen
from vmtiming_tui.tui.screens.engine_error import EngineErrorScreen
from vmtiming_tui.tui.screens.export import ExportScreen
from vmtiming_tui.tui.screens.new_run import FIELDS, NewRunScreen

DONE = 90.0


# Another run.


@pytest.fixture
def bootable(tmp_path, monkeypatch):
    """A config whose files exist."""
    monkeypatch.chdir(tmp_path)
    for name in ("vmlinuz", "initrd", *(f"debian-12-{vm}.img" for vm in range(4))):
        (tmp_path / name).write_bytes(b"x")
    return plan_for(
        2, kernel=str(tmp_path / "vmlinuz"), initrd=str(tmp_path / "initrd"), vmdir=str(tmp_path),
        qemu="/bin/true",
    ).config  # fmt: skip


def run_of(config, at=DONE):
    return until(smooth_run(config.number, started={"plan": plan_of(config)}), at)


async def type_into(stage, field, text):
    stage.screen.query_one(f"#{field}", Input).value = text
    await stage.pilot.pause()


async def submit(stage):
    await stage.press("enter")
    await stage.app.workers.wait_for_complete()
    await stage.pilot.pause()


async def test_new_run_is_validated_while_typing_with_the_command_lines_words(bootable):
    async with dashboard(run_of(bootable), DONE, number=2) as stage:
        await stage.press("n")
        screen = stage.on(NewRunScreen)
        for field, text, says in (
            ("number", "0", "out of range"),
            ("memory_mib", "much", "no whole number"),
            ("smp", "", "no whole number"),
            ("timeout_s", "nan", "out of range"),
            ("stagger_s", "-1", "out of range"),
            ("append", "x" * 2001, "2048 bytes"),
            ("after_report", "stop", "none of freeze, run, off"),
            ("end", "kill", "none of poweroff, quit"),
            ("shutdown_timeout_s", "0", "--end quit"),
            ("parallel", "0", "out of range"),
            ("runs", "", "0 is out of range"),
            ("warmup", "some", "no whole number"),
            ("name", "x" * 300, "give one line of at most"),
        ):
            good = screen.query_one(f"#{field}", Input).value
            await type_into(stage, field, text)
            await stage.sees(says)
            assert screen.query_one("#start", Button).disabled
            await type_into(stage, field, good)
        assert not screen.query_one("#start", Button).disabled


async def test_new_run_starts_with_the_settings_given(bootable):
    async with dashboard(run_of(bootable), DONE, number=2) as stage:
        await stage.press("n")
        await type_into(stage, "number", "4")
        await type_into(stage, "append", "quiet splash")
        await type_into(stage, "after_report", "run")
        await type_into(stage, "end", "quit")
        await type_into(stage, "shutdown_timeout_s", "30")
        await type_into(stage, "parallel", "2/host")
        await type_into(stage, "runs", "3")
        await type_into(stage, "warmup", "1")
        await type_into(stage, "name", "again")
        await submit(stage)
        starts = [command for command in stage.source.sent if isinstance(command, Start)]
        wanted = replace(
            bootable, number=4, append="quiet splash", after_report=AfterReport.RUN,
            end=End.QUIT, shutdown_timeout_s=30.0, parallel=2, parallel_per_host=True,
        )  # fmt: skip
        plan = starts[-1].plan
        assert plan.config == wanted
        assert (plan.runs, plan.warmup, plan.name) == (3, 1, "again")
        assert starts[-1].interactive


async def test_new_run_shows_what_is_of_each_host_as_it_is_typed(bootable):
    asked = replace(
        bootable, parallel=4, parallel_per_host=True, stagger_s=0.5, stagger_per_host=True
    )
    async with dashboard(run_of(asked), DONE, number=2) as stage:
        await stage.press("n")
        screen = stage.on(NewRunScreen)
        shown = [screen.query_one(f"#{name}", Input).value for name in ("parallel", "stagger_s")]
        await type_into(stage, "stagger_s", "0.25")
        await submit(stage)
        starts = [command for command in stage.source.sent if isinstance(command, Start)]

    assert shown == ["4/host", "0.5/host"]
    assert starts[-1].plan.config == replace(asked, stagger_s=0.25, stagger_per_host=False)


async def test_every_field_of_the_form_is_reached_by_tab_and_seen_on_a_small_terminal(bootable):
    async with dashboard(run_of(bootable), DONE, (80, 24), number=2) as stage:
        await stage.press("n")
        screen = stage.on(NewRunScreen)
        await type_into(stage, "number", "0")
        for name, label, _ in FIELDS:
            assert screen.focused.id == name
            await stage.sees(label)
            await stage.press("tab")
        assert screen.focused.id == "cancel"
        await stage.sees("Start (enter)")


async def test_new_run_says_which_files_are_missing(bootable):
    async with dashboard(run_of(bootable), DONE, number=2) as stage:
        await stage.press("n")
        await type_into(stage, "number", "9")
        await submit(stage)
        stage.on(NewRunScreen)
        await stage.sees("and 4 more not found")


async def test_new_run_that_this_host_cannot_hold_leaves_the_one_under_way_alone(bootable):
    async with dashboard(run_of(bootable, 3.0), 3.0, number=2) as stage:
        sent = list(stage.source.sent)
        await stage.press("n")
        await type_into(stage, "memory_mib", str(1 << 24))
        await submit(stage)
        await stage.sees("0 VMs fit")
        stage.on(NewRunScreen)
        assert stage.source.sent == sent


async def test_new_run_that_was_refused_is_what_is_asked_for_again(bootable):
    async with dashboard(run_of(bootable), DONE, number=2) as stage:
        await stage.press("n")
        await type_into(stage, "number", "3")
        await submit(stage)
        refused = ev.EngineFailed(at_ns=ZERO_NS + 99 * SECOND, why="no room", hint="make some")
        await stage.feed([refused])
        await stage.comes(EngineErrorScreen)
        await stage.press("r")
        assert stage.source.sent[-1].plan.config.number == 3
        await stage.press("n")
        assert stage.screen.query_one("#number", Input).value == "3"


async def test_new_run_ends_the_one_under_way_first(bootable):
    async with dashboard(run_of(bootable, 3.0), 3.0, number=2) as stage:
        await stage.press("n")
        assert "Starting ends 2 running VMs first." in stage.text
        await submit(stage)
        assert isinstance(stage.source.sent[-1], Stop)
        await stage.feed([ev.RunEnded(at_ns=ZERO_NS + 4 * SECOND, outcome=ev.Outcome.STOPPED)])
        stage.app.turn()
        assert isinstance(stage.source.sent[-1], Start)


# Exports.


async def export(stage, path, *keys):
    await stage.press("e")
    await type_into(stage, "path", str(path))
    await stage.press(*keys)
    await submit(stage)


@pytest.mark.parametrize("suffix", [".json", ".csv", ".md", ".txt"])
async def test_export_is_what_the_command_line_writes(tmp_path, suffix):
    async with dashboard(troubled_run(40), DONE, number=40) as stage:
        path, other = tmp_path / f"out{suffix}", tmp_path / f"other{suffix}"
        await export(stage, path)
        write_export(other, stage.app.model.fleet)
        assert path.read_bytes() == other.read_bytes()
        await stage.sees(f"Wrote {path}")
        await stage.press("y")
        assert stage.app.clipboard == str(path)


async def test_export_of_the_marked_and_of_the_filtered(tmp_path):
    async with dashboard(troubled_run(40), DONE, number=40) as stage:
        await stage.press("space", "space", "4", "e")
        assert "marked (2)" in stage.text
        assert "filtered (3)" in stage.text
        scope = stage.screen.query_one("#scope", RadioSet)
        assert scope.pressed_button.id == "marked"
        marked, filtered = tmp_path / "m.csv", tmp_path / "f.csv"
        await type_into(stage, "path", str(marked))
        await submit(stage)
        stage.screen.query_one("#filtered").value = True
        await stage.pilot.pause()
        stage.screen.query_one("#path").focus()
        await type_into(stage, "path", str(filtered))
        await submit(stage)
        assert len(marked.read_text().splitlines()) == 3
        assert len(filtered.read_text().splitlines()) == 4


async def test_export_during_a_run_says_that_it_is_partial(tmp_path):
    async with dashboard(troubled_run(40), 4.0, number=40) as stage:
        await stage.press("e")
        assert "partial" in stage.text


@pytest.mark.parametrize(("ascii_only", "sign"), [(False, "●"), (True, "*")])
async def test_export_shows_the_chosen_vms_by_a_sign(ascii_only, sign):
    async with dashboard(smooth_run(4), DONE, number=4, ascii_only=ascii_only) as stage:
        await stage.press("space", "e")
        assert f"( ) all (4)    ({sign}) marked (1)    ( ) filtered (0)" in stage.text


async def test_export_asks_before_it_replaces(tmp_path):
    path = tmp_path / "out.md"
    path.write_text("mine")
    async with dashboard(smooth_run(2), DONE, number=2) as stage:
        await export(stage, path)
        stage.on(ConfirmScreen)
        await stage.press("n")
        assert path.read_text() == "mine"
        stage.screen.query_one("#path").focus()
        await stage.press("enter", "y")
        await stage.app.workers.wait_for_complete()
        assert "mine" not in path.read_text()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("out.pdf", "Unknown ending"),
        ("no/out.md", "no folder"),
        ("x" * 300 + ".md", "cannot be written: File name too long"),
    ],
)
async def test_export_says_what_is_wrong_with_a_path(tmp_path, name, says):
    async with dashboard(smooth_run(2), DONE, number=2) as stage:
        await export(stage, tmp_path / name)
        stage.on(ExportScreen)
        assert says in stage.text


async def test_export_that_fails_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    import vmtiming_tui.tui.screens.export as module
    from vmtiming_tui.errors import ExportError

    def full(*_args, **_how):
        raise ExportError("No space left on device", hint="free some space")

    monkeypatch.setattr(module, "write_export", full)
    async with dashboard(smooth_run(2), DONE, number=2) as stage:
        await export(stage, tmp_path / "out.md")
        assert "Not written: No space left on device" in stage.text
        assert not list(tmp_path.iterdir())


async def test_screenshot_never_replaces_one(tmp_path):
    async with dashboard(smooth_run(2), DONE, number=2) as stage:
        for _ in range(2):
            stage.app.action_screenshot("picture.svg", str(tmp_path))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["picture-2.svg", "picture.svg"]


async def test_screenshot_into_a_folder_that_is_not_there_is_said(tmp_path):
    async with dashboard(smooth_run(2), DONE, number=2) as stage:
        stage.app.action_screenshot("picture.svg", str(tmp_path / "none"))
        await stage.until(lambda: "No such file" in stage.notes, "what is wrong")
