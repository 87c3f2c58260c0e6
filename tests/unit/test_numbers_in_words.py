"""How many of something, in words: one thing is never spoken of as several."""

import re

import pytest

from support.facts import host
from support.making import FAILED, Guest, fleet_of, run_events
from vmtiming_tui.analysis.cautions import cautions
from vmtiming_tui.analysis.comparison.compare import compare
from vmtiming_tui.escape import are, plural, were
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export import render
from vmtiming_tui.report.findings import comparison_lines
from vmtiming_tui.report.plain import PlainReport

NOUNS = "VMs|vCPUs|cores|boots|runs|storms|events|bytes|settings|QMP events"
WRONG = re.compile(rf"(?<![\d.,])1 (?:more of \S+ were|(?:{NOUNS})\b)|(?:^|: |; )1 (?:\S+ )+were ")
WHO = {"vm": 0, "attempt": 1}
FLOOD = ev.QmpLeftOut(at_ns=9, counts={"RESET": 1}, **WHO)
CUT = ev.VmDetails(at_ns=9, dropped_bytes=1, **WHO)
SMALL_HOST = {"host": host(cores=1, load1=3.0), "number": 1}
FLEETS = {
    "lost": fleet_of([[FAILED]], started=SMALL_HOST),
    "booted": Fleet([*run_events([[5]], started=SMALL_HOST), FLOOD]),
    "cut short": Fleet([*run_events([[5]], started=SMALL_HOST), CUT]),
    "doubtful": fleet_of([[5]], guest=Guest(firmware_s=-3)),
}


@pytest.mark.parametrize("name", FLEETS)
@pytest.mark.parametrize("suffix", [".txt", ".md", ".html"])
def test_an_export_of_one_vm_says_vm(name, suffix):
    assert WRONG.findall(render(suffix, FLEETS[name])) == []


@pytest.mark.parametrize("name", FLEETS)
def test_cautions_and_comparisons_of_one_vm_say_boot(name):
    fleet = FLEETS[name]
    said = [*map(str, cautions(fleet)), *comparison_lines(compare(fleet, FLEETS["lost"]))]
    assert [text for text in said if WRONG.search(text)] == []


def test_the_report_says_of_one_thing_that_it_was_left_out():
    report = PlainReport(FLEETS["booted"])
    said = [line for event in (FLOOD, CUT) for line in report.diagnostics_for(event)]
    assert said == [
        "VM 0: 1 more of RESET was left out",
        "VM 0: 1 byte of its details was left out",
    ]
    assert PlainReport(FLEETS["lost"]).final_lines()[-1] == "None of 1 VM booted"


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 VMs are were"),
        (1, "1 VM is was"),
        (2, "2 VMs are were"),
        (1000, "1,000 VMs are were"),
    ],
)
def test_noun_and_verb_follow_the_number(count, words):
    assert f"{plural(count, 'VM')} {are(count)} {were(count)}" == words


def test_what_is_wrong_is_known_when_it_is_seen():
    for text in ("1 VMs", "held 1 bytes", "0 of 1 boots", "1 more of RESET were left out"):
        assert WRONG.search(text)
    for text in ("11 VMs", "0.1 VMs a second", "1,001 VMs", "1 VM"):
        assert not WRONG.search(text)
