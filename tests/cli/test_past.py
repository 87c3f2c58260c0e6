"""Runs that are over, from the command line: listed, shown, compared, exported, forgotten."""

import json
import re
import signal
from pathlib import Path

import pytest

from support.schema import exported_file
from vmtiming_tui.report.aligned import width


@pytest.fixture
def two_runs(run, arguments):
    """A run named ``old``, and one named ``new`` that takes far longer."""
    assert run(*arguments(2, "boot=0.1", "--name", "old", "-r", "6"))[0] == 0
    assert run(*arguments(2, "boot=1", "--name", "new", "-r", "6", "-o", "new.json"))[0] == 0


def test_a_run_is_given_another_name_and_notes(run, arguments):
    run(*arguments(1, "", "--name", "old", "--notes", "cold"))
    assert run("name", "old", "new")[:2] == (0, "old is called new\n")
    assert run("note", "new", "warm, at last")[:2] == (0, "Noted to new\n")

    _, shown, _ = run("show", "new")
    assert shown.splitlines()[1:3] == ["new", "warm, at last"]
    assert run("name", "new", "")[0] == 0
    assert "new" not in run("history")[1]

    for words, wanted, said in (
        (("name", "nobody", "x"), 1, "no run in the history is called 'nobody'"),
        (("name", "last", "label:x"), 2, "label: begins a search by label"),
    ):
        code, _, err = run(*words)
        assert code == wanted
        assert said in err


def test_runs_are_listed_newest_first_and_shown_as_they_were_printed(run, arguments):
    assert run("history")[1] == "No run has been kept yet.\n"
    run(*arguments(2, "", "--no-history"))
    assert run("history")[1] == "No run has been kept yet.\n"
    _, printed, said = run(*arguments(2, "", "--name", "first"))
    run(*arguments(1, "", "--name", "second"))

    listed = run("history")[1].splitlines()
    shown = run("show", "first")[1]

    assert [("first" in line, "second" in line) for line in listed[1:]] == [
        (False, True),
        (True, False),
    ]
    *as_printed, slowest, shutdown = shown.splitlines()
    assert as_printed[-4:] == printed.splitlines()[-4:]
    assert slowest in said.splitlines()
    assert shutdown.startswith("Shutdown: median ")


def test_a_slower_run_is_called_so_and_fails_a_build_only_when_it_is_sure(run, two_runs):
    code, out, _ = run("compare", "old", "new", "--fail-slower", "50")
    assert (code, "slower" in out) == (3, True)

    assert run("compare", "old", "new.json", "--fail-slower", "50")[0] == 3
    assert run("compare", "old", "old", "--fail-slower", "900")[0] == 0
    assert run("compare", "new", "old", "--fail-slower", "1")[0] == 0


def test_a_comparison_is_written_for_a_pull_request_and_the_gate_is_as_without(run, two_runs, lab):
    gate = ("compare", "old", "new.json", "--fail-slower", "50")
    code, out, err = run(*gate, "-o", "pr.md", "-o", "-", "--format", "json")

    assert code == 3
    assert json.loads(out)["comparisons"][0]["gate"] == "too slow"
    assert "slower" in err
    assert (lab.folder / "pr.md").read_text().startswith("## Boot times: new.json against old\n")

    code, out, err = run(*gate, "-o", "pr.md")
    assert (code, out, "\n  --force replaces it" in err) == (1, "", True)
    assert run(*gate, "-o", "pr.md", "--force")[0] == 3

    code, _, err = run(*gate, "-o", "nowhere/pr.md")
    assert (code, "Error: nowhere/pr.md was not written" in err) == (3, True)
    assert run("compare", "old", "new.json", "-o", "nowhere/pr.md")[0] == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-o", "pr.csv"), "end the file's name in one of .md .json .html"),
        (("-o", "-"), "--format goes with -o -, and is one of md, json, html"),
        (("--format", "md"), "--format goes with -o -"),
        (("-o", "-", "-o", "-", "--format", "md"), "-o - twice"),
    ],
)
def test_what_a_comparison_cannot_be_written_to_is_said_before_anything(run, words, told):
    code, out, err = run("compare", "nobody", "nobody", *words)

    assert (code in (1, 2), out, told in err) == (True, "", True)


def test_a_run_can_be_held_against_a_baseline(run, arguments, two_runs):
    words = arguments(2, "boot=1", "-r", "6", "--baseline", "old", "--fail-slower", "50")

    code, _, err = run(*words)

    assert code == 3
    assert "slower than old by more than 50 %" in err


def test_a_baseline_that_is_not_there_is_bad_usage(run, arguments):
    code, out, err = run(*arguments(1, "", "--baseline", "nobody"))

    assert (code, out) == (2, "")
    assert "--baseline: no run in the history is called 'nobody'" in err


def test_an_export_of_the_history_is_what_the_run_itself_exported(run, two_runs, lab):
    assert run("export", "new", "again.json")[0] == 0
    code, _, err = run("export", "new", "again.json")
    assert (code, "\n  --force replaces it" in err) == (1, True)
    assert run("export", "new", "again.json", "--force")[0] == 0

    first, again = (exported_file(lab.folder / name) for name in ("new.json", "again.json"))
    assert first["summary"] == again["summary"]
    assert first["results"] == again["results"]


def test_a_runs_units_are_listed_and_drawn_from_the_history_and_from_a_file(run, arguments, lab):
    assert run(*arguments(2, "", "--name", "kept", "-o", "kept.json", "--end", "quit"))[0] == 0
    code, listed, _ = run("units", "kept")
    head, basic, slow, _, note = listed.splitlines()

    assert (code, head.split()[-1], note[:6]) == (0, "unit", "2 of 2")  # stand-ins have no clock
    assert [line.split()[-3:] for line in (basic, slow)] == [
        ["2/2", "0", "basic.target"],
        ["2/2", "0", "slow.service"],
    ]
    assert run("units", "kept.json")[1] == listed
    assert run("units", "kept", "--sort", "share", "-n", "1")[2] == "1 more; -n 0 shows all\n"
    assert json.loads(run("units", "kept", "--json")[1])["units"][0]["name"] == "basic.target"
    assert run("plot", "kept", "-o", "chart.svg")[0] == 1
    assert run("plot", "kept.json", "--vm", "1", "-o", "chart.svg")[1] == "Wrote chart.svg\n"
    assert "slow.service" in (lab.folder / "chart.svg").read_text()
    assert "--force replaces it" in run("plot", "kept", "--vm", "1", "-o", "chart.svg")[2]
    assert run("plot", "kept", "--vm", "1", "-o", "-")[1].startswith("<?xml")


def test_a_run_is_listed_and_found_by_its_labels(run, arguments):
    labels = ("--label", "branch=main", "--label", "os=debian 13")
    assert run(*arguments(1, "", "--name", "first", *labels))[0] == 0

    assert "branch=main, os=debian 13" in run("history", "label:branch=main", "-n", "1")[1]
    assert "Labels: branch=main" in run("show", "label:os=debian 13")[1]
    assert run("history", "label:branch=gone")[0] == 1
    code, _, err = run("history", "prune", "label:branch=main")
    assert (code, "prune takes no label; leave label:branch=main out" in err) == (2, True)
    code, _, err = run(*arguments(1, "", "--label", "branch"))
    assert (code, "--label: 'branch' has no value; give key=value" in err) == (2, True)


def test_a_forgotten_run_is_gone(run, two_runs):
    assert run("rm", "old")[0] == 0

    code, _, err = run("show", "old")
    assert (code, "no run in the history" in err) == (1, True)


def test_a_tool_killed_half_way_leaves_an_interrupted_run_with_what_had_happened(
    tool, run, arguments
):
    process = tool(*arguments(2, "1.boot=60", "--name", "cut"))
    for line in process.stdout:
        if line.startswith("VM 0 reported"):
            break
    while "cut" not in run("history")[1] or "1/" not in run("history")[1]:
        pass  # the batch that holds the boot is written within half a second
    process.send_signal(signal.SIGKILL)
    process.wait()

    assert "interrupted" in run("history")[1]
    assert "VM 0 booted in" in run("show", "cut")[1]


def test_old_runs_are_pruned_but_for_those_with_a_name(run, arguments):
    for words in ((), ("--name", "kept"), (), ()):
        run(*arguments(1, "", *words))

    code, would, _ = run("history", "prune", "--keep", "1", "--dry-run")
    assert (code, would.count("Would remove")) == (0, 2)
    code, did, _ = run("history", "prune", "--keep", "1")
    assert (code, did) == (0, would.replace("Would remove", "Removed"))
    assert run("history", "prune", "--keep", "1")[1] == "Nothing to remove.\n"
    assert "kept" in run("history")[1]
    assert len(run("history")[1].splitlines()) == 3


def test_a_size_that_is_none_is_bad_usage(run):
    code, out, err = run("history", "prune", "--max-size", "much")

    assert (code, out) == (2, "")
    assert "--max-size: 'much' is no size; try 500M or 1G" in err


def test_the_history_is_kept_below_the_size_the_user_gave_and_says_so(run, arguments, environment):
    for _ in range(3):
        run(*arguments(1, ""))
    config = Path(environment["XDG_CONFIG_HOME"]) / "vmtiming-tui" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[history]\nmax_size = 1\n")

    code, _, err = run(*arguments(1, "", "--name", "newest"))

    assert code == 0
    assert "the history was larger than 1 byte: the 2 oldest runs without a name went" in err
    assert "the history was larger than 1 byte: the oldest run without a name went" in err
    assert [line for line in run("history")[1].splitlines()[1:] if "newest" not in line] == []


def test_a_fault_of_the_settings_is_said_and_the_run_goes_on(run, arguments, environment):
    config = Path(environment["XDG_CONFIG_HOME"]) / "vmtiming-tui" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('[history]\nmax_size = "much"\n')

    code, _, err = run(*arguments(1, ""))

    assert code == 0
    assert "[history] max_size: 'much' is no size" in err


def end_of(line, word):
    """Return in which cell of a terminal a word ends."""
    return width(line[: line.index(word) + len(word)])


def test_names_in_any_script_leave_the_columns_of_history_and_compare_in_place(run, arguments):
    for name in ("起動計測", "e\u0301té", "plain"):
        assert run(*arguments(1, "", "--plain", "--name", name))[0] == 0
    listed = run("history")[1].splitlines()[1:]
    _, heads, boot, *_ = run("compare", "起動計測", "e\u0301té")[1].splitlines()

    assert len({end_of(line, "finished") for line in listed}) == 1
    ends = [word.end() for word in re.finditer(r"\S+", boot)]  # two boots may take as long
    assert [end_of(heads, name) for name in ("起動計測", "e\u0301té")] == [ends[1], ends[3]]


def test_settings_of_one_sweep_and_several_runs_are_compared(run, arguments, two_runs):
    varied = ("-L", "append", "standin.boot=0.1,standin.boot=0.6")
    code, _, err = run(*arguments(1, "", *varied, "-r", "6", "--name", "sweep"))
    assert code == 0
    assert "append=standin.boot=0.6: slower by " in err

    first, second = ("last:append=standin.boot=0.1", "sweep:append=standin.boot=0.6")
    code, out, _ = run("compare", first, second, "--fail-slower", "5")
    assert code == 3
    assert "boot: slower by " in out
    assert "not booted in turn" not in out

    code, out, err = run("compare", "old", "old", "new", "--fail-slower", "50")
    assert code == 3
    assert out.count("Held against ") == 2
    assert "Exit: new is slower than old by more than 50 % for sure" in err
    assert run("compare", "new", "new", "old", "--fail-slower", "50")[0] == 0

    code, _, err = run("compare", "old", "last:smp=2")
    assert (code, "it booted append=standin.boot=0.1, " in err) == (1, True)
