"""Bad usage: every error at once, what to do about it, exit code 2, and nothing started."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from vmtiming_tui.cli.sections import HelpSection
from vmtiming_tui.guests.demo_guest import Guest, demo_raw


def test_every_error_is_listed_at_once_and_nothing_is_started(run, lab):
    code, out, err = run(
        "-n", "many", "-m", "0", "-k", "none", "--accel", "xen", "--nonsense", "--more",
        "-q", "no-qemu", "-o", "run.xyz", "--fail-over", "-1", "-L", "colour", "red",
    )  # fmt: skip

    assert (code, out) == (2, "")
    for words in (
        "--nonsense", "--more", "-n/--number: 'many'", "-m/--memory: 0", "-k/--kernel: there is no",
        "--accel: 'xen'", "-q/--qemu: 'no-qemu'", "run.xyz", "--fail-over: -1",
        "'colour' cannot be varied", "-p/--prefix", "Nothing was started",
    ):  # fmt: skip
        assert words in err
    assert "Traceback" not in err
    assert not list(lab.runtime.iterdir())


def test_demo_finds_faults_before_it_builds_a_guest(run, environment):
    code, out, err = run("demo", "-n", "many", "--fail-over", "p990=3", "--until-decided", "5")

    assert (code, out) == (2, "")
    for words in ("-n/--number: 'many'", "'p990' is nothing to limit"):
        assert words in err
    assert "gen-demo-guest" not in err
    assert not list(Path(environment["XDG_CACHE_HOME"]).glob("vmtiming-tui/guests/*"))


def test_what_cannot_be_brought_to_hosts_is_said_before_any_is_reached(run):
    _, _, alone = run("demo", "--ship")
    code, out, err = run(
        "-p", "vm", "-k", "vmlinuz", "--hosts", "local:1", "--ship", "--persist"
    )  # fmt: skip

    assert (code, out) == (2, "")
    assert "--ship: hosts make overlays of a base" in err
    assert "leave --persist out" in err
    assert "Reaching" not in err
    assert "--ship: goes with --hosts" in alone


def test_faults_of_hosts_are_found_with_all_others(run):
    code, out, err = run("-n", "many", "-k", "none", "--hosts", "tcp://rack", "--spread", "heads")

    assert (code, out) == (2, "")
    for words in (
        "-n/--number: 'many'", "--hosts: tcp://rack:8786: without TLS", "--spread: 'heads'",
    ):  # fmt: skip
        assert words in err
    assert "there is no file 'none'" not in err  # only the hosts can tell


def test_doctor_measures_the_noise_of_this_host_alone(run):
    code, _, err = run("doctor", "--noise", "--hosts", "local:2")

    assert code == 2
    assert "--noise: is of this host; leave --hosts out" in err


@pytest.mark.parametrize("words", [["frobnicate"], ["-n"], ["demo", "--wrong"], ["doctor", "x"]])
def test_a_word_nobody_knows_is_named(run, words):
    code, _, err = run(*words)

    assert code == 2
    assert err.startswith("Error: ")


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_flag_of_the_original(run, flag):
    code, out, _ = run(flag)

    assert code == 0
    for each in ("-n, --number", "-m, --memory", "-p, --prefix", "-s, --suffix", "-v, --vmdir",
                 "-k, --kernel", "-i, --initrd", "-q, --qemu", "-h, --help"):  # fmt: skip
        assert each in out


def test_help_is_in_sections_in_their_order(run):
    _, out, _ = run("--help")
    sections = [*HelpSection, "Commands"]

    assert re.findall(r"^(\w[^:\n]*):$", out, re.MULTILINE) == sections
    where = {section: out.index(f"\n{section}:\n") for section in sections}
    for option, section, following in (
        ("--kernel", HelpSection.BOOT, HelpSection.STORM),
        ("--number", HelpSection.STORM, HelpSection.AFTER),
        ("--after-report", HelpSection.AFTER, HelpSection.MACHINE),
        ("--memory", HelpSection.MACHINE, HelpSection.MEASURE),
        ("--runs", HelpSection.MEASURE, HelpSection.LIMIT),
        ("--baseline", HelpSection.LIMIT, HelpSection.WRITE),
        ("--export", HelpSection.WRITE, HelpSection.OTHER),
        ("--version", HelpSection.OTHER, "Commands"),
    ):
        assert where[section] < out.index(f" {option} ") < where[following]


def test_every_option_of_a_run_has_a_section(run):
    _, out, _ = run("--help")
    others = out.partition(f"{HelpSection.OTHER}:\n")[2].partition("\n\n")[0]

    assert re.findall(r"--\w+", others) == ["--version", "--help"]


def test_a_command_with_a_few_options_has_one_list_of_them(run):
    _, out, _ = run("export", "--help")

    assert re.findall(r"^(\w[^:\n]*):$", out, re.MULTILINE) == ["Options"]


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_version(run, flag):
    from vmtiming_tui import __version__

    assert run(flag) == (0, f"vm-timing-report, version {__version__}\n", "")


def test_each_commands_help_tells_its_own_number_of_vms(run):
    def default(*command: str) -> str:
        found = re.search(
            r"How many VMs to boot\.\s+\[default: (\d+)\]", run(*command, "--help")[1]
        )
        assert found is not None
        return found[1]

    assert (default(), default("demo"), default("doctor")) == ("1", "4", "1")
    assert demo_raw({}, Guest(Path("guest")))["number"] == "4"
    assert "Boot 4" not in run("--help")[1]


def test_one_of_a_kind_is_not_called_many(run, lab):
    _, out, _ = run("doctor", "-q", lab.qemu, "-n", "1", "-m", "1")

    assert re.search(r"\b1 VM of 1 MiB fits: ", out)
    assert " for 1 vCPU" in out
    assert "1 VMs" not in out


@pytest.mark.parametrize("flag", ["--help", "-V"])
def test_a_word_about_itself_loads_no_more_than_it_needs(flag):
    program = f"import sys; from vmtiming_tui.cli import main; sys.argv = ['x', '{flag}']\n"
    program += "try: main()\nfinally: print(*sys.modules, file=sys.stderr)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stderr.split()

    heavy = {"textual", "rich", "markdown_it", "humanize", "qemu", "asyncio"}
    assert heavy & set(loaded) == set()
