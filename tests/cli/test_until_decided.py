"""A run that goes on until it is decided, by the real engine with stand-ins."""

import json

from vmtiming_tui.model import events as ev
from vmtiming_tui.model.decision import Standing
from vmtiming_tui.model.fleet import Fleet


def between(arguments, first, second, *words):
    """The command line that decides between two scripts of the stand-ins."""
    scripts = f"standin.boot={first},standin.boot={second}"
    line = arguments(1, "", "--end", "quit", "-L", "append", scripts, *words)
    at = line.index("--append")
    return [*line[:at], *line[at + 2 :]]


def test_storms_end_when_it_is_decided_and_the_report_and_the_history_say_so(run, arguments, lab):
    words = ("--until-decided", "5", "--max-runs", "10", "-o", "out.json")

    code, out, err = run(*between(arguments, 0.02, 0.3, *words))

    assert code == 0
    assert "Storm 1 of at most 20" in out
    assert "Storm 12 of at most 20" in out
    assert "Storm 13 of" not in out
    said = "Decided after 6 storms of each setting:\n  append=standin.boot=0.3 against "
    assert said in err
    assert said in run("show", "last")[1]
    body = json.loads((lab.folder / "out.json").read_text())
    assert body["decision"]["decisions"][0]["standing"] == Standing.SLOWER
    assert body["plan"]["until_decided"] == {"percent": 5.0, "looks": [6, 10]}


def test_the_stream_of_such_a_run_tells_every_look_and_the_conclusion(run, arguments):
    words = ("--until-decided", "5", "--max-runs", "6", "--json")

    code, out, _ = run(*between(arguments, 0.02, 0.3, *words))
    events = [ev.decode(line) for line in out.splitlines()]

    assert code == 0
    assert [event.storms for event in events if isinstance(event, ev.LookDue)] == [6]
    assert Fleet(events).concluded.decisions[0].standing is Standing.SLOWER


def test_a_wish_that_cannot_be_met_starts_nothing(run, arguments):
    code, out, err = run(*arguments(1, "", "--until-decided", "5"))

    assert (code, out) == (2, "")
    assert "give -L VAR A,B, or --baseline RUN" in err
