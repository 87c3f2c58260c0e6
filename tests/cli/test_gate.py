"""A run held against a baseline: which run that is, and what the exit code makes of it."""

import json
from dataclasses import replace

import pytest

from support.making import raw
from support.schema import exported_file
from vmtiming_tui.history.runs import History
from vmtiming_tui.model import events as ev


@pytest.fixture
def storms(run, arguments):
    """Boot ``count`` storms of 2 VMs of that many seconds; returns (exit code, stdout, stderr)."""

    def boot(seconds, count, *words):
        return run(*arguments(2, f"boot={seconds}", "-r", str(count), *words))

    return boot


def test_the_last_run_is_the_one_before_this_one(storms):
    assert storms(0.1, 4, "--name", "first")[0] == 0

    code, _, err = storms(0.9, 4, "--baseline", "last", "--fail-slower", "5")

    assert code == 3
    assert "this run is slower than first by more than 5 % for sure" in err


def test_a_baseline_of_the_runs_own_name_is_the_run_before(storms):
    assert storms(0.1, 4, "--name", "nightly")[0] == 0

    code, _, err = storms(0.9, 4, "--baseline", "nightly", "--name", "nightly", "--fail-slower=5")

    assert code == 3
    assert "compared with itself" not in err


@pytest.fixture
def known_host(storms, lab):
    """A history of one single storm of 0.1 s, named first, and eight like it up to 0.12 s."""
    assert storms(0.1, 1, "--name", "first", "-ofirst.json")[0] == 0
    with History.open(lab.folder / "state" / "vmtiming-tui" / "history.db") as history:
        events = history.events(history.find("first"))
        for at in range(8):
            with history.recorder() as recorder:
                recorder.write(raw(_again(event, at) for event in events))


def _again(event, at):
    match event:
        case ev.RunStarted():
            return replace(event, run=f"again-{at}", wall_ns=event.wall_ns - at)
        case ev.VmBooted():
            return replace(event, report_ns=event.report_ns + at * 3_000_000)
    return event


GATE = ("--fail-slower", "5")


def test_a_run_nine_times_as_slow_fails_even_as_a_single_storm_where_the_host_is_known(
    run, storms, known_host
):
    code, _, err = storms(0.9, 1, "--baseline", "first", "--name", "slow", *GATE)

    assert code == 3
    assert "Warning: --fail-slower: a single storm carries no verdict within the 1." in err
    assert "times that storms like these differ by (8 past runs)" in err
    assert run("compare", "first", "slow", *GATE)[0] == 3
    assert run("compare", "slow", "first", *GATE)[0] == 0
    assert run("compare", "first.json", "slow", *GATE)[0] == 3


def test_a_single_storm_is_no_verdict_where_the_history_knows_the_host_too_little(storms):
    assert storms(0.1, 1, "--name", "first")[0] == 0

    code, _, err = storms(0.9, 1, "--baseline", "first", *GATE)

    assert code == 4
    assert "fewer than 6 other runs like it" in err
    assert storms(0.9, 1, "--baseline", "first", *GATE, "--allow-undecided")[0] == 0


def test_an_export_of_a_host_that_the_history_does_not_know_carries_no_verdict(
    run, storms, lab, known_host
):
    assert storms(0.9, 1, "--name", "slow")[0] == 0
    foreign = json.loads((lab.folder / "first.json").read_text())
    foreign["host"]["hostname"] = "elsewhere"
    (lab.folder / "foreign.json").write_text(json.dumps(foreign))

    assert run("compare", "foreign.json", "slow", *GATE)[0] == 4


def test_the_report_every_export_and_the_history_say_which_run_it_was(storms, run, lab):
    assert storms(0.1, 1, "--name", "first", "-o", "first.json")[0] == 0
    first = exported_file(lab.folder / "first.json")["run"]
    files = [f"out{ending}" for ending in (".json", ".md", ".html", ".txt")]

    _, _, err = storms(0.1, 1, "--baseline", "last", *[f"-o{name}" for name in files])

    identity = f"{first['id']}, first, {first['started'][:4]}"
    assert f"Held against {identity}" in err
    against = exported_file(lab.folder / "out.json")["comparison"]["against"]
    assert (against["run"], against["name"]) == (first["id"], "first")
    assert against["started"] == first["started"]
    for name in files[1:]:
        assert first["id"] in (lab.folder / name).read_text()
    assert f"Held against {identity}" in run("show", "last")[1]
    assert run("export", "last", "again.md")[0] == 0
    assert (lab.folder / "again.md").read_text() == (lab.folder / "out.md").read_text()


def test_a_baseline_that_the_run_itself_replaces_is_what_it_was_before(storms):
    assert storms(0.1, 4, "-o", "kept.json")[0] == 0

    assert storms(0.9, 4, "--baseline=kept.json", "--fail-slower=5", "-o", "kept.json")[0] == 3


@pytest.mark.parametrize("words", [("--baseline", "last"), ("--baseline", "none.json"), ()])
def test_a_gate_without_a_baseline_is_refused_before_anything_starts(storms, lab, words):
    code, out, err = storms(0.1, 1, *words, "--fail-slower", "5")

    assert (code, out) == (2, "")
    assert "--baseline" in err
    assert "Nothing was started" in err


def test_a_gate_against_a_run_in_which_nothing_booted_is_refused(run, arguments, storms):
    assert run(*arguments(2, "die=go:KILL", "--name", "dead"))[0] == 1

    code, out, err = storms(0.1, 1, "--baseline", "dead", "--fail-slower", "5")

    assert (code, out) == (2, "")
    assert "nothing that counts has booted" in err


def test_three_storms_against_three_are_said_to_tell_nothing_beforehand(tool, storms, arguments):
    assert storms(0.1, 3, "--name", "three")[0] == 0
    words = ("-r3", "--baseline", "three", "--fail-slower", "5")

    process = tool(*arguments(2, "boot=30", *words))
    first = process.stderr.readline()
    process.terminate()
    process.wait()

    assert first.startswith("Warning: --fail-slower: 3 against 3 storms cannot reach 0.05")
    assert "4 against 4 could" in first


def test_what_cannot_be_told_is_exit_code_4_unless_that_is_allowed(run, storms):
    assert storms(0.1, 3, "--name", "three")[0] == 0
    gate = ("--baseline", "three", "--fail-slower", "5")

    code, _, err = storms(0.1, 3, "--name", "again", *gate)
    assert code == 4
    assert "cannot be told" in err

    assert storms(0.1, 3, *gate, "--allow-undecided")[0] == 0
    assert run("compare", "three", "again", "--fail-slower", "5")[0] == 4
    assert run("compare", "three", "again", "--fail-slower", "5", "--allow-undecided")[0] == 0


def test_a_lost_vm_outranks_the_gate(run, arguments, storms):
    assert storms(0.1, 4, "--name", "base")[0] == 0

    code, _, err = run(
        *arguments(2, "boot=0.1 1.die=go:KILL", "-r4", "--baseline=base", "--fail-slower=5")
    )

    assert code == 1
    assert "slower than base by more than 5 % for sure" in err


def test_help_names_every_exit_code(run):
    _, out, _ = run("--help")

    words = " ".join(out.split())
    assert "3 too slow, 4 a comparison that was to gate (--fail-slower) could not tell" in words
    assert "--allow-undecided" in words
