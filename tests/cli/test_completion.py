"""What each shell completes, asked of the shells themselves."""

import os
import re
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from support.past_runs import keep_named
from support.terminal import Terminal

STARTS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(vm-timing-report completion bash)"'),
    "zsh": (
        ["zsh", "-f", "-i"],
        'autoload -Uz compinit; compinit -u -D; eval "$(vm-timing-report completion zsh)"',
    ),
}


@pytest.fixture
def environment(the_tool) -> dict[str, str]:
    """An environment in which ``vm-timing-report`` is on the path."""
    folder = the_tool.lab.folder / "bin"
    folder.mkdir()
    command = folder / "vm-timing-report"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m vmtiming_tui "$@"\n')
    command.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    return the_tool.environment | {"PATH": path, "HOME": str(the_tool.lab.folder)}


COMPLETED = {
    "vm-timing-report --paral": "--parallel",
    "vm-timing-report repl": "replay",
    "vm-timing-report demo --stag": "--stagger",
    "vm-timing-report --boot firm": "firmware",
    "vm-timing-report demo --after-report fre": "freeze",
    "vm-timing-report --end qu": "quit",
    "vm-timing-report manual expo": "exports",
    "vm-timing-report -k vml": "vmlinuz",
}


@pytest.mark.parametrize("shell", STARTS)
def test_tab_completes(environment, lab, shell):
    (lab.folder / "vmlinuz").touch()
    command, source = STARTS[shell]
    with closing(Terminal(command, lab.folder, environment)) as terminal:
        terminal.type(f"{source}; echo rea''dy\n".encode())
        at = terminal.till(b"ready\r\n")
        for typed, completed in COMPLETED.items():
            terminal.type(f"{typed}\t".encode())
            at = terminal.till(completed[len(typed.split()[-1]) :].encode(), after=at)
            terminal.type(b"#\x01echo '\x05'\n")  # the line itself, as it is now, in quotes
            before = typed.rpartition(" ")[0]
            at = terminal.till(f"{before} {completed} #\r\n".encode(), after=at)


def test_fish_completes(environment, lab):
    (lab.folder / "vmlinuz").touch()
    asks = [f"complete --do-complete '{typed}'; echo" for typed in COMPLETED]
    program = "; ".join(["vm-timing-report completion fish | source", *asks])
    out = subprocess.run(
        ["fish", "--no-config", "-c", program],
        cwd=lab.folder, env=environment, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    answers = [line.partition("\t")[0] for line in out.splitlines() if line]
    assert answers == list(COMPLETED.values())


def asked(environment: dict[str, str], *words: str) -> list[str]:
    """Return what the tool answers bash."""
    answered = subprocess.run(
        [shutil.which("vm-timing-report", path=environment["PATH"]) or ""],
        env=environment | {
            "_VM_TIMING_REPORT_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(["vm-timing-report", *words]),
            "COMP_CWORD": str(len(words)),
        },
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert not answered.stderr
    return [re.sub(r"^\w+,", "", line) for line in answered.stdout.split()]


def test_past_runs_are_offered_by_name_and_id(environment):
    keep_named(Path(environment["XDG_STATE_HOME"]), "first", "second")

    assert asked(environment, "show", "fir") == ["first"]
    assert asked(environment, "show", "las") == ["last"]


def test_labels_of_past_runs_are_offered(environment):
    keep_named(Path(environment["XDG_STATE_HOME"]), "first", labels={"branch": "main"})

    assert asked(environment, "show", "lab") == ["label:branch=main"]
    assert asked(environment, "history", "lab") == ["label:branch=main"]


def test_a_history_that_cannot_be_read_offers_nothing(environment):
    state = Path(environment["XDG_STATE_HOME"])
    state.mkdir(parents=True, exist_ok=True)
    (state / "vmtiming-tui").write_text("no folder")

    assert asked(environment, "show", "las") == []


def test_what_goes_to_qemu_is_not_completed_as_ours(environment):
    assert asked(environment, "--", "--paral") == []


def test_an_unknown_shell_is_answered_with_those_there_are(run):
    code, out, err = run("completion", "tcsh")

    assert (code, out) == (2, "")
    for shell in ("bash", "zsh", "fish"):
        assert shell in err
