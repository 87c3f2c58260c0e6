"""Three hosts, one of them far away, whose clocks differ by hours: one run, told by one clock."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from support import standin_machine
from support.rack import Rack, rack
from support.schema import exported_file
from support.tmux import Tmux

FAR_MS = 20
HOST_OF = {0: "a", 1: "a", 2: "b", 3: "b", 4: "c", 5: "c"}
SLOW = """#!{python} -IS
import sys
sys.path.insert(0, {place!r})
sys.argv = [word.replace("standin.boot=0.5", "standin.boot=60") for word in sys.argv]
from standin_machine import main
main()
"""


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    with rack(tmp_path_factory.mktemp("hosts"), {"c": FAR_MS}) as made:
        yield made


@pytest.fixture(scope="module")
def told(hosts: Rack) -> Mapping[str, Any]:
    """What is exported of a storm that is let go at one moment."""
    outcome = hosts.run(*hosts.line(6, "boot=0.5", "--start", "together"))
    assert outcome.ends == "exit code 0", outcome.said
    assert hosts.leftovers() == []
    return exported_file(hosts.export)


def boots(told: Mapping[str, Any]) -> dict[int, Mapping[str, Any]]:
    return {vm["vm"]: vm["attempts"][0] for vm in told["vms"]}


def test_every_vm_boots_under_its_own_number_on_its_host(told):
    assert {vm: boot["host"] for vm, boot in boots(told).items()} == HOST_OF
    assert {boot["state"] for boot in boots(told).values()} == {"booted"}
    assert all(f" vm={vm} " in boot["text"] for vm, boot in boots(told).items())


def test_clocks_that_are_hours_apart_are_put_on_one(hosts, told):
    """A stand-in says by its own host's clock when it wrote its report."""
    ahead_s = {host.name: host.ahead_s for host in hosts.dask.network.hosts}
    known_s = {each["name"]: each["clock"]["uncertainty_ns"] / 1e9 for each in told["hosts"]}
    off_s = {}
    for vm, boot in boots(told).items():
        sent_s = int(boot["text"].rpartition("sent_ns=")[2]) / 1e9
        off_s[vm] = boot["reported_at_s"] - (sent_s - ahead_s[boot["host"]])

    assert known_s["c"] > FAR_MS / 1000
    for vm, other in ((0, 2), (0, 4), (2, 4)):
        margin_s = known_s[HOST_OF[vm]] + known_s[HOST_OF[other]]
        stamps_s = boots(told)[vm]["uncertainty_s"] + boots(told)[other]["uncertainty_s"]
        assert abs(off_s[vm] - off_s[other]) < margin_s + stamps_s


def test_hosts_let_their_vms_go_at_one_moment_as_far_as_it_is_known(told):
    (skew,) = told["between_hosts"]["go_skews"]
    known_s = {each["name"]: each["clock"]["uncertainty_ns"] / 1e9 for each in told["hosts"]}

    assert skew["skew_s"] <= skew["uncertainty_s"] + sum(known_s.values())
    assert skew["uncertainty_s"] == pytest.approx(known_s[skew["first"]] + known_s[skew["last"]])


def test_a_long_link_moves_no_figure_of_its_host(told):
    far_s = [boot["boot_s"] for boot in boots(told).values() if boot["host"] == "c"]

    assert all(0.5 <= boot_s < 0.5 + FAR_MS / 1000 for boot_s in far_s)


@pytest.fixture
def slow_b(hosts: Rack) -> Iterator[None]:
    """Let guests on host b, and nowhere else, take a minute."""
    program = SLOW.format(python=sys.executable, place=str(Path(standin_machine.__file__).parent))
    slow = hosts.lab.launcher("slow", program)
    b = hosts.dask.network.host("b")
    b.do("mount", "--bind", slow, hosts.lab.qemu)
    yield
    b.do("umount", hosts.lab.qemu)


def test_vms_of_a_lost_host_boot_again_on_those_that_are_left(hosts, slow_b, tmp_path):
    terminal = Tmux(tmp_path)
    try:
        terminal.start(hosts.tool.command(*hosts.line(6, "boot=0.5")), hosts.tool.environment)
        terminal.wait_for("RUNNING", "4 booted")
        hosts.dask.end("b")
        terminal.wait_for("FINISHED", "4 booted", "2 failed")
        terminal.keys("R")
        terminal.wait_for("RUNNING")
        terminal.wait_for("FINISHED", "6 booted")
        terminal.keys("q")
        code = terminal.exit_code()
    finally:
        terminal.close()

    assert code == 0
    exported = hosts.lab.folder / "again.json"
    hosts.tool.run("export", "last", exported)
    vms = exported_file(exported)["vms"]
    homes = [[attempt["host"] for attempt in vm["attempts"]] for vm in vms]
    assert [home[0] for home in homes] == list(HOST_OF.values())
    assert sorted(homes[2] + homes[3]) == ["a", "b", "b", "c"]
    assert "host b was lost at " in vms[2]["attempts"][0]["why"]
    assert vms[2]["attempts"][1]["state"] == vms[3]["attempts"][1]["state"] == "booted"
