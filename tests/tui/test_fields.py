"""Whatever is typed or pasted into a field: it is taken, or refused in words, and nothing fails."""

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from textual import events
from textual.widgets import Input

from support.recording import troubled_run
from support.stage import Stage, dashboard
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.tui.state.view import MOST_FILTER, FilterError, View, parse_filter
from vmtiming_tui.tui.widgets.field import MOST_CHARACTERS

DONE = 90.0
FIELDS = {
    "filter": ("slash",),
    "search": ("enter", "slash"),
    "number": ("n",),
    "memory_mib": ("n",),
    "timeout_s": ("n",),
    "stagger_s": ("n",),
    "accel": ("n",),
    "after_report": ("n",),
    "shutdown_timeout_s": ("n",),
    "append": ("n",),
    "path": ("e",),
}
AWKWARD = [
    "!" * 1000,
    "9" * 5000,
    "!" * 150 + "7",
    ">" + "9" * 190,
    "1-" + "9" * 190,
    "(" * 5000,
    "[" * 199,
    "{[(<" * 1000 + "x",
    "[bold]x[/][@click=app.quit]y[/]",
    "\x1b[2J\x1b]0;pwned\x07",
    "a\0b",
    "\r\n\t\x0b\x0c",
    "\x1c\x1d",
    "\u202eabc\u2066",
    "\ud800",
    "起動計測" * 60,
    "e\u0301" * 500,
    "٣",
    "²",
    "x" * 1_000_000,
    "~nobody/x.json",
    "/" * 5000 + ".json",
    "a/" * 2100 + "b.json",
    "." + "j" * 5000,
    "nan",
    "1e999",
    "-0",
]
ANY = st.one_of(
    st.text(max_size=300),
    st.text("!<>-.0123456789 \t\n", max_size=300),
    st.sampled_from(AWKWARD),
)
FLEET = Fleet(troubled_run(12))


@given(ANY)
def test_any_text_is_a_filter_or_refused_in_words(text: str):
    try:
        test = parse_filter(text)
    except FilterError as error:
        assert error.message
        return
    view = View()
    view.set_filter(text)
    view.refresh(FLEET, FLEET.last_ns)
    assert [vm for vm in sorted(FLEET.vms) if test(FLEET.vms[vm], FLEET.last_ns)] == view.shown


@pytest.mark.parametrize(
    ("text", "ids"),
    [("!!7", [7]), ("! 7", [0, 1, 2]), ("!!!7", [0, 1, 2]), ("", [0, 1, 2]), ("!", [])],
)
def test_each_mark_inverts(text: str, ids: list[int]):
    view = View()
    view.set_filter(text)
    view.refresh(FLEET, FLEET.last_ns)
    assert view.shown[:3] == ids[:3]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("!" * 1000, "longer than 200 characters"),
        ("9" * 5000, "longer than 200 characters"),
        ("a\x1b[2Jb", "characters that cannot be seen"),
    ],
)
def test_a_refused_filter_leaves_the_one_before_it(text: str, fault: str):
    view = View()
    view.set_filter("3-5")
    view.set_filter(text)
    view.refresh(FLEET, FLEET.last_ns)
    assert fault in view.fault
    assert (view.filter_text, view.shown) == ("3-5", [3, 4, 5])


async def paste(stage: Stage, text: str) -> None:
    stage.app.post_message(events.Paste(text))
    await stage.pilot.pause()


@pytest.mark.parametrize("field", FIELDS)
async def test_whatever_is_pasted_into_a_field_nothing_fails(field: str, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with dashboard(troubled_run(12), DONE, number=12) as stage:
        await stage.press(*FIELDS[field])
        box = stage.screen.query_one(f"#{field}", Input)
        for text in AWKWARD:
            box.focus()
            box.value = ""
            await paste(stage, text)
            assert len(box.value) <= MOST_CHARACTERS
            assert box.value.isprintable()
            await paste(stage, text)  # again, behind the first
            assert stage.text.replace("\n", "").isprintable()
            assert stage.app.is_running
        await stage.press("enter")
        await stage.app.workers.wait_for_complete()
        assert stage.app.crash is None


@settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.sampled_from(sorted(FIELDS)), ANY), min_size=2, max_size=4))
async def test_any_text_in_any_field_in_any_order(tmp_path, things: list[tuple[str, str]]):
    async with dashboard(troubled_run(12), DONE, number=12) as stage:
        for field, text in things:
            await stage.press(*FIELDS[field])
            stage.screen.query_one(f"#{field}", Input).value = (
                str(tmp_path) if (field == "path") else ""
            )
            await paste(stage, text)
            await stage.press("left", "x", "backspace", "home", "ctrl+k", "escape", "escape")
            await stage.press("escape", "escape")
        assert stage.app.crash is None
        assert stage.app.is_running


async def test_a_refused_filter_is_said_where_the_filter_is(tmp_path):
    async with dashboard(troubled_run(12), DONE, number=12) as stage:
        await stage.press("slash", *"3-5")
        await paste(stage, "!" * 1000)
        await stage.sees("no such filter: it is longer than")
        assert str(MOST_FILTER) in stage.text
        assert stage.app.model.view.shown == [3, 4, 5]
        await stage.press("enter")
        assert "no such filter" not in stage.text
        assert "filter 3-5" in stage.text
        assert stage.app.told[-1].startswith("No such filter: it is longer than 200")
        assert stage.app.told[-1].endswith("3-5 stays.")


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("memory_mib", "9... is out of range; give 1 to"),
        ("timeout_s", "9... is out of range; give seconds"),
        ("accel", "9...' is none of auto, kvm, tcg"),
    ],
)
async def test_a_long_value_leaves_room_for_what_is_wrong_with_it(field: str, says: str):
    async with dashboard(troubled_run(12), DONE, number=12) as stage:
        await stage.press("n")
        box = stage.screen.query_one(f"#{field}", Input)
        box.focus()
        box.value = ""
        await paste(stage, "9" * 5000)
        await stage.sees(says)


async def test_what_is_pasted_is_one_line_of_what_can_be_seen(tmp_path):
    async with dashboard(troubled_run(12), DONE, number=12) as stage:
        await stage.press("slash")
        await paste(stage, "\n  failed\x1b[2J\nsecond line")
        assert stage.main.filter.value == "failed\\x1b[2J"


async def test_the_palette_takes_any_text(tmp_path):
    async with dashboard(troubled_run(12), DONE, number=12) as stage:
        for text in ("!" * 200, "q" * 60, "\x1b[2J", "[/]", "起動" * 40):
            await stage.press("ctrl+p")
            await paste(stage, text)
            await stage.press("escape")
        assert stage.app.crash is None
        assert stage.app.is_running
