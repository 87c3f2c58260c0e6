"""The figures of one stored run are the same wherever they are read."""

import csv
import io
import itertools
import json
import re
import statistics

import pytest

from support.exported import Elements
from support.making import TIMED_OUT, as_told, fleet_of, run_events
from vmtiming_tui.analysis.summary import summarise_fleet
from vmtiming_tui.history.runs import History
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export import render
from vmtiming_tui.report.export.from_json import fleet_of as fleet_of_export
from vmtiming_tui.report.plain import PlainReport
from vmtiming_tui.sources.replay import Player

BOOTS = [5.1234, 6.789, 5.5, 7.25, 6.0, 5.75, 6.125, TIMED_OUT]


@pytest.fixture(params=["history", "replay", "export"])
def stored(request, tmp_path):
    """The run after it was kept and read back, each way there is."""
    events = run_events([BOOTS])
    if request.param == "export":
        return fleet_of_export(render(".json", Fleet(events)))
    with History.open(tmp_path / "history.db") as history:
        with history.recorder() as recorder:
            recorder.write(as_told(events))
        run = history.find("run-1")
        assert (run.boots, run.booted) == (8, 7)
        fleet = history.load(run)
        assert summarise_fleet(fleet).median_s == pytest.approx(run.median_s)
        assert summarise_fleet(fleet).all_booted_in_s is run.all_booted_in_s is None
        if request.param == "history":
            return fleet

        player = Player(history.events(run), 1e9, itertools.count(step=10**9).__next__)
        return Fleet(itertools.chain.from_iterable(iter(player.due, ())))


def worded(text):
    """The seconds of a cell such as ``6.062 s``; None for a dash."""
    return None if text == "–" else float(re.fullmatch(r"([\d.]+) s", text)[1])


def from_plain(fleet):
    text = "\n".join(PlainReport(fleet).final_lines())
    return {
        "mean": float(re.search(r"Average boot: ([\d.]+)s", text)[1]),
        "last_booted": float(re.search(r"It took ([\d.]+)s", text)[1]),
        "boots": {
            int(vm): float(boot) for vm, boot in re.findall(r"VM (\d+) booted in: ([\d.]+)s", text)
        },
    }


def from_json(fleet):
    body = json.loads(render(".json", fleet))
    summary = body["summary"]
    names = ("mean", "stddev", "median", "p90", "min", "max", "mad", "last_booted", "launch_skew")
    return {name: summary[f"{name}_s"] for name in names} | {
        "vms_per_s": summary["vms_per_s"],
        "boots": {
            vm["vm"]: vm["attempts"][-1]["boot_s"]
            for vm in body["vms"]
            if vm["attempts"][-1]["boot_s"]
        },
        "stages": {name: figures["median"] for name, figures in summary["stages"].items()},
    }


def from_csv(fleet):
    rows = list(csv.DictReader(io.StringIO(render(".csv", fleet))))
    booted = [row for row in rows if row["boot_s"]]
    boots = {int(row["vm"]): float(row["boot_s"]) for row in booted}
    last = max(float(row["reported_at_s"]) for row in booted)
    stages = ("firmware", "kernel", "initrd", "userspace", "lag")
    return {
        "mean": statistics.mean(boots.values()),
        "stddev": statistics.stdev(boots.values()),
        "min": min(boots.values()),
        "max": max(boots.values()),
        "last_booted": last - min(float(row["started_at_s"]) for row in rows),
        "boots": boots,
        "stages": {
            name: statistics.median(float(row[f"{name}_s"]) for row in booted) for name in stages
        },
    }


NAMES = {
    "mean": "mean", "stddev": "standard deviation", "median": "median", "p90": "p90",
    "min": "fastest", "max": "slowest", "mad": "median absolute deviation",
    "last_booted": "those booted took", "launch_skew": "launch skew",
}  # fmt: skip


AROUND = ("qemu", "shutdown", "qemu exit")


def from_markdown(fleet):
    lines = render(".md", fleet).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    pairs = {row[0]: row[1] for row in reversed(cells) if len(row) == 2}
    start = lines.index("## VMs") + 4
    vms = [row for row in cells if row[0].isdigit() and f"| {row[0]} |" in "\n".join(lines[start:])]
    stages = {row[0]: worded(row[2]) for row in cells if len(row) == 7 and row[0].isalpha()
              and row[0] not in ("stage", *AROUND)}  # fmt: skip
    return {name: worded(pairs[label]) for name, label in NAMES.items()} | {
        "vms_per_s": float(pairs["VMs per second"]),
        "boots": {int(row[0]): worded(row[3]) for row in vms if row[3] != "–"},
        "stages": stages,
    }


class Tables(Elements):
    """Collects the cells of each table's rows, by the table's id."""

    def __init__(self):
        super().__init__()
        self.rows = {}
        self._name = ""

    def handle_starttag(self, name, attributes):
        attributes = dict(attributes)
        if "id" in attributes:
            self._name = attributes["id"]
        if name == "tr":
            self.rows.setdefault(self._name, []).append([])
        if name in ("th", "td") and self._name in self.rows:
            self.rows[self._name][-1].append("")

    def handle_data(self, data):
        rows = self.rows.get(self._name)
        if rows and rows[-1]:
            rows[-1][-1] += data


def from_html(fleet):
    page = Tables()
    page.feed(render(".html", fleet))
    pairs = {row[0]: row[1] for row in reversed(page.rows["figures"])}
    stages = page.rows["stages"][2:]
    return {name: worded(pairs[label]) for name, label in NAMES.items()} | {
        "vms_per_s": float(pairs["VMs per second"]),
        "boots": {int(row[0]): worded(row[3]) for row in page.rows["vms"][1:] if row[3] != "–"},
        "stages": {row[0]: worded(row[2]) for row in stages if row[0] not in AROUND},
    }


@pytest.mark.parametrize(
    ("read", "digits"),
    [
        (from_plain, 5e-3),
        (from_json, 1e-9),
        (from_csv, 1e-9),
        (from_markdown, 5.1e-4),
        (from_html, 5.1e-4),
    ],
)
def test_the_figures_of_a_stored_run_are_the_same_everywhere(stored, read, digits):
    live = from_json(fleet_of([BOOTS]))
    assert live["boots"] == {vm: boot for vm, boot in enumerate(BOOTS) if boot != TIMED_OUT}
    found = read(stored)
    assert {"mean", "last_booted", "boots"} <= set(found)
    for name, value in found.items():
        expected = live[name]
        if isinstance(value, dict):
            assert value == {key: pytest.approx(each, abs=digits) for key, each in expected.items()}
        else:
            assert value == pytest.approx(expected, abs=digits), name
