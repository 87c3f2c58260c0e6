"""What is said before hosts are reached, of what each of them lacks, and who loads Dask."""

import subprocess
import sys

import pytest

from vmtiming_tui.cluster.connect import cluster_problems
from vmtiming_tui.cluster.preflight import HostShare, preflight, refuse
from vmtiming_tui.errors import ConfigError, HostError
from vmtiming_tui.model.cluster import Cluster, Reach

LOCAL = Cluster(reach=Reach.LOCAL, workers=3)


@pytest.mark.parametrize(
    ("cluster", "missing", "said"),
    [
        (LOCAL, ["distributed"], "distributed is missing"),
        (Cluster(reach=Reach.SSH, names=("a",), insecure=True), ["asyncssh"], "asyncssh is"),
        (
            Cluster(reach=Reach.SSH, names=("a",), insecure=True),
            ["distributed", "asyncssh"],
            "distributed and asyncssh are missing",
        ),
    ],
)
def test_without_the_extra_the_command_that_brings_it_is_named(monkeypatch, cluster, missing, said):
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)

    (problem,) = cluster_problems(cluster)

    assert said in str(problem)
    assert str(problem).endswith("pip install 'vmtiming-tui[cluster]'")


def test_a_run_on_this_host_alone_loads_no_dask():
    front_ends = "vmtiming_tui.cli.main, vmtiming_tui.session.headless, vmtiming_tui.tui.open"
    words = f"import sys, {front_ends}; print(sorted({{'dask', 'distributed'}} & set(sys.modules)))"

    out = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)

    assert out.stdout == "[]\n"


def refusal(told: dict[str, object]) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        refuse(told)
    return [str(problem) for problem in raised.value.problems]


def test_hosts_that_lack_nothing_are_let_pass():
    refuse({"a": (), "b": ()})


def test_each_thing_is_said_once_with_all_hosts_that_say_it():
    told = {"a": ("no kernel", "no room"), "b": ("no kernel",), "c": ()}

    assert refusal(told) == ["hosts a and b: no kernel", "host a: no room"]


@pytest.mark.parametrize(
    ("lacking", "of", "said"),
    [
        (3, 3, "hosts h0, h1 and h2: x"),
        (5, 5, "all 5 hosts: x"),
        (6, 9, "hosts h0, h1, h2, h3 and 2 more: x"),
    ],
)
def test_many_hosts_are_not_all_named(lacking, of, said):
    told = {f"h{number}": ("x",) if number < lacking else () for number in range(of)}

    assert refusal(told) == [said]


def test_a_host_that_could_not_answer_says_why_and_what_it_says_is_foreign():
    told = {"a": HostError("no answer within 60 s"), "b": ("\x1b[2J",)}

    assert refusal(told) == ["host a: no answer within 60 s", "host b: \\x1b[2J"]


async def test_a_host_looks_for_the_images_of_its_own_vms_alone(lab):
    config = lab.config(4)
    for vm in (0, 1):
        (lab.folder / f"vm-{vm}.img").unlink()

    assert await preflight([HostShare(config=config, vms=(2, 3))]) == ()
    (missing,) = await preflight([HostShare(config=config, vms=(0, 1))])
    assert "vm-0.img' and 1 more not found" in missing
    assert not lab.leftovers()


async def test_a_host_that_cannot_hold_its_vms_says_what_helps(lab):
    config = lab.config(2, memory_mib=1 << 24, force=False)

    (said,) = await preflight([HostShare(config=config, vms=(0, 1))])

    assert "0 VMs fit" in said
    assert "less memory each (-m)" in said
