"""Foreign words in the dashboard."""

from dataclasses import replace

from support.facts import SECOND
from support.many_hosts import many_hosts_run
from support.recording import ZERO_NS, Recorder
from support.stage import dashboard
from vmtiming_tui.model import events as ev

DONE = 90.0


EVIL = "\x1b[2J\x1b]0;pwned\x07[bold red]x[/][@click=app.leave]y[/] [/nothing] \u202eabc\x9b31m"


async def test_guest_text_is_shown_escaped_everywhere():
    recorder = Recorder(2)
    recorder.storm(0.1, range(2))
    who = {"vm": 0, "attempt": 1}
    late = ZERO_NS + 80 * SECOND
    events = [
        replace(event, text=EVIL) if isinstance(event, ev.VmBooted) else event
        for event in recorder.ordered()
    ]
    events += [
        ev.ConsoleLine(at_ns=late, text=EVIL, **who),
        ev.VmConsole(at_ns=late, text=f"{EVIL}\r\n{EVIL}", total_bytes=99, **who),
        ev.VmDetails(
            at_ns=late, slowest=(EVIL,), failed_units=(EVIL,), critical_chain=(EVIL,), **who
        ),
        ev.ReportRejected(at_ns=late, why=EVIL, excerpt=EVIL, **who),
        ev.QmpSeen(at_ns=late, name=EVIL, data={EVIL: EVIL}, **who),
        ev.Notice(at_ns=late, level=ev.Level.WARNING, text=EVIL),
        ev.VmExited(at_ns=late, stderr=EVIL, reason=EVIL, exit_code=1, **who),
    ]
    async with dashboard(events, DONE, number=2) as stage:
        texts = [stage.text]
        for keys in (("v",), ("enter",), ("2",), ("3",), ("4",), ("slash", "["), ("enter",)):
            await stage.press(*keys)
            texts.append(stage.text)
        await stage.feed([ev.EngineFailed(at_ns=late, why=EVIL, hint=EVIL)])
        texts.append(stage.text)
    whole = "\n".join(texts)
    for char in "\x1b\x07\x9b\u202e":
        assert char not in whole
    assert whole.count("pwned\\x07[bold") >= 6  # which may be wrapped behind it
    assert "\\x1b[2J" in whole


async def test_what_hosts_say_of_themselves_is_shown_escaped_everywhere():
    run = many_hosts_run(
        (EVIL, "b"), 4, lost={EVIL: 5.0}, skew_ns={"b": 3_000_000},
        unlike={EVIL: {"kernel": EVIL, "os": EVIL, "cpu_model": EVIL, "accel": EVIL}},
    )  # fmt: skip
    run = [replace(e, why=EVIL, hint=EVIL) if isinstance(e, ev.HostLost) else e for e in run]
    run = [replace(e, address=EVIL) if isinstance(e, ev.HostJoined) else e for e in run]
    async with dashboard(run, DONE, number=4) as stage:
        texts = [stage.text]
        keys = (">", "v", "v", "enter", "4", "escape", "w", "escape", "W", "escape", "s", "enter")
        for key in keys:
            await stage.press("greater_than_sign" if key == ">" else key)
            texts.append(stage.text)
        await stage.press("slash", *"host:")
        texts.append(stage.text)
    whole = "\n".join(texts)
    for char in "\x1b\x07\x9b\u202e":
        assert char not in whole
    assert "\\x1b[2J" in whole
