"""One real guest asked twice in one boot, by us and by its own systemd-analyze: answers agree."""

import re
import shutil
import subprocess
from collections.abc import Iterable

import pytest

from vmtiming_tui.analysis.stages import timespan_ns
from vmtiming_tui.analysis.units.boot_chart import chart_of_boot
from vmtiming_tui.analysis.units.one_boot import chain_lines, slowest_units
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.resources import resource

LAST = '    [ -z "$with_kernel" ] || tell_kernel\n'
ASKED = r"""    printf '[slowest]\n'
    systemd-analyze blame --no-pager
    printf '[critical-chain]\n'
    systemd-analyze critical-chain --no-pager
    echo plot:
    systemd-analyze plot | sed -n 's/^ *<text class="[a-z]*" x=.*>\(.*\)<.text>$/\1/p'
    printf '[units]\n'
"""
NAMED = re.compile(r"(\S+\.(?:service|socket|target|device|mount|automount|swap|slice|scope|timer))"
                   r"(?: \((.*)\))?")  # fmt: skip


@pytest.fixture(scope="module")
def fleet(quick_guest, in_folder) -> Fleet:
    """The boot of a guest whose script lets systemd-analyze speak where older guests told it."""
    script, image = in_folder.folder / "script", in_folder.folder / "told-0.img"
    text = resource("assets", "vm-report.sh").read_text()
    assert LAST in text
    script.write_text(text.replace(LAST, ASKED + LAST))
    shutil.copyfile(quick_guest.rootfs, image)
    for command in (
        "rm /usr/bin/vm-report",
        f"write {script} /usr/bin/vm-report",
        "sif /usr/bin/vm-report mode 0100755",
    ):
        subprocess.run(["debugfs", "-w", "-R", command, image], check=True, capture_output=True)
    result = in_folder(
        "--json", "-m", 340, "-p", "told", "-s", ".img", "-v", ".", "--no-history",
        "-k", quick_guest.kernel, "-i", quick_guest.initrd, "--accel", "tcg",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return Fleet(map(ev.decode, result.stdout.splitlines()))


@pytest.fixture(scope="module")
def boot(fleet):
    return fleet.vms[0].newest


@pytest.fixture(scope="module")
def analyzed(boot):
    """What systemd-analyze says: the lines of its blame, of its critical chain, of its plot."""
    chain = list(boot.details.critical_chain)
    at = chain.index("plot:")
    return boot.details.slowest, chain[2:at], chain[at + 1 :]


def ms(spans: Iterable[tuple[str, int]]) -> dict[str, int]:
    return {name: ns // 1_000_000 for name, ns in spans if ns >= 1_000_000}


def test_the_units_that_took_time_and_how_long_are_those_of_blame(boot, analyzed):
    lines = (line.rpartition(" ") for line in analyzed[0])
    blame = ms((name, timespan_ns(span)) for span, _, name in lines)

    assert ms((name, us * 1000) for name, us in slowest_units(boot.units)) == blame
    assert "systemd-journald.service" in blame


def test_the_critical_chain_is_that_of_systemd_analyze(fleet, boot, analyzed):
    assert chain_lines(boot, fleet.unit_order) == analyzed[1]


def test_the_chart_has_the_units_of_plot_and_their_times(fleet, boot, analyzed):
    plotted = {found[1]: found[2] for line in analyzed[2] if (found := NAMED.fullmatch(line))}
    rows = {row.name: row for row in chart_of_boot(boot, fleet.unit_order).rows}

    assert rows.keys() == plotted.keys()
    took = ms((name, timespan_ns(span)) for name, span in plotted.items() if span)
    assert ms((name, round((row.took_s or 0) * 1e9)) for name, row in rows.items()) == took
