"""Several hosts, and what becomes of one, of the way to it, or of what it says."""

import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping

import pytest

from faults.fault import Fault
from faults.running import Outcome
from support import lying_engine
from support.rack import Rack, Running, rack
from support.schema import exported_file

TITLE = "Many hosts"

LIMIT_S = 60
HOST_OF = {0: "a", 1: "a", 2: "b", 3: "b", 4: "c", 5: "c"}
B_IS_SLOW = "boot=0.1 2.boot=60 3.boot=60"
ALL_BOOTED = ("booted",) * 6
B_FAILED = ("booted",) * 4 + ("failed",) * 2
ALL_BUT_B = "the others' boots, in exports and history; `R` boots its VMs on hosts that are left"


@pytest.fixture
def beside_somebody_else() -> None:
    """Nobody else is on these hosts."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    with rack(tmp_path_factory.mktemp("hosts")) as hosts:
        yield hosts


@pytest.fixture
def hosts(made: Rack) -> Rack:
    """Three hosts, however the test before left them; nothing is on them."""
    made.dask.whole()
    return made


def until(true: Callable[[], bool], what: Callable[[], object]) -> None:
    """Return when something became true; fail where it never does."""
    until_s = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < until_s, what()
        time.sleep(0.02)


def under_way(hosts: Rack, script: str = B_IS_SLOW, booted: int = 4) -> Running:
    """Start a run, and return when so many VMs have booted."""
    running = Running(hosts, *hosts.line(6, script))
    running.till("reported as booted", times=booted)
    return running


def kill_a_worker(hosts: Rack) -> Outcome:
    running = under_way(hosts)
    hosts.dask.end("b")
    return running.end()


def cut_off(hosts: Rack) -> Outcome:
    running = under_way(hosts)
    network = hosts.dask.network
    network.cut(network.host("b"))
    try:
        outcome = running.end()
        until(lambda: not hosts.leftovers(), hosts.leftovers)
    finally:
        network.mend(network.host("b"))
        hosts.dask.end("b")
    return outcome


def pause_a_worker(hosts: Rack) -> Outcome:
    """Its VMs boot while it stands still."""
    running = under_way(hosts, "boot=0.1 2.boot=0.5 3.boot=0.5")
    hosts.dask.workers["b"].send_signal(signal.SIGSTOP)
    time.sleep(3)
    hosts.dask.workers["b"].send_signal(signal.SIGCONT)
    outcome = running.end()
    vms = exported_file(hosts.export)["vms"]
    assert max(vm["attempts"][0]["boot_s"] for vm in vms) < 2
    return outcome


def hang_a_worker(hosts: Rack) -> Outcome:
    running = under_way(hosts)
    hosts.dask.workers["b"].send_signal(signal.SIGSTOP)
    try:
        return running.end()
    finally:
        hosts.dask.end("b")


def kill_the_scheduler(hosts: Rack) -> Outcome:
    running = under_way(hosts)
    hosts.dask.scheduler.end()
    return running.end()


def kill_the_front_end(hosts: Rack) -> Outcome:
    running = under_way(hosts)
    running.process.send_signal(signal.SIGKILL)
    return running.end()


def interrupt(hosts: Rack) -> Outcome:
    return under_way(hosts).stop()


def two_at_once(hosts: Rack) -> Outcome:
    first = under_way(hosts)
    second = hosts.run(*hosts.line(6, "boot=0.1"))
    assert first.stop().ends == "exit code 130"
    return second


def come_late(hosts: Rack) -> Outcome:
    hosts.dask.end("c")
    running = under_way(hosts, "boot=0.1 1.boot=60 2.boot=60")
    hosts.dask.whole()
    running.till("host c has joined")
    return running.stop()


def come_back(hosts: Rack) -> Outcome:
    """Another worker of its name is there at once, as Dask's nanny sees to it."""
    running = under_way(hosts, "boot=0.1 0.boot=60 1.boot=60")
    hosts.dask.end("b")
    hosts.dask.whole()
    running.till("host b has joined")
    return running.stop()


def miss_files(hosts: Rack) -> Outcome:
    """Have b without any of the files, and c without QEMU."""
    b, c = (hosts.dask.network.host(name) for name in ("b", "c"))
    b.do("mount", "-t", "tmpfs", "tmpfs", hosts.lab.folder)
    c.do("mount", "--bind", "/dev/null", hosts.lab.qemu)
    try:
        outcome = hosts.run(*hosts.line(6))
    finally:
        b.do("umount", hosts.lab.folder)
        c.do("umount", hosts.lab.qemu)
    for words in ("host b: -k/--kernel: there is no file", "hosts b and c: -q/--qemu:"):
        assert words in outcome.said, outcome.said
    return outcome


# What b's worker is started by instead of Dask's own program.
UNLIKE = """
from importlib import metadata
honest = metadata.version
def version(name):
    if name == "vmtiming-tui":
        {tells}
    return honest(name)
metadata.version = version
from dask.__main__ import main
main()
"""
LIES = f"""
from vmtiming_tui.sources import live_engine
honest = live_engine.engine_command
live_engine.engine_command = lambda: [{sys.executable!r}, {lying_engine.__file__!r}, "0", *honest()]
from dask.__main__ import main
main()
"""


def with_worker(program: str) -> Callable[[Rack], Outcome]:
    """Return the play of a run beside a worker on b that a program is."""

    def play(hosts: Rack) -> Outcome:
        hosts.dask.end("b")
        hosts.dask.start("b", "-c", program)
        try:
            hosts.dask.whole()
            return hosts.run(*hosts.line(6, "boot=0.5"))
        finally:
            hosts.dask.end("b")

    return play


FAULTS: list[Fault[Callable[[Rack], Outcome]]] = [
    Fault(
        "a host's Dask worker is killed",
        kill_a_worker,
        ends="exit code 1",
        words="host b was lost at ",
        kept=f"{ALL_BUT_B}; no QEMU goes on there",
    ),
    Fault(
        "a host is cut off",
        cut_off,
        ends="exit code 1",
        words="host b was lost at ",
        kept=f"{ALL_BUT_B}; its QEMUs end after half a minute, though nobody can tell them",
    ),
    Fault(
        "a host's worker hangs for more than a quarter of a minute",
        hang_a_worker,
        ends="exit code 1",
        words="host b was lost at ",
        kept=f"{ALL_BUT_B}; its QEMUs end when it goes on or is killed",
    ),
    Fault(
        "a host's worker stands still for some seconds, as one that swaps",
        pause_a_worker,
        ends="exit code 0",
        kept="all boots, each as long as it took",
    ),
    Fault(
        "the Dask scheduler is killed",
        kill_the_scheduler,
        ends="exit code 1",
        words="no host is left",
        kept="what is known till then, in exports and history; no QEMU goes on on any host",
    ),
    Fault(
        "the front end is killed",
        kill_the_front_end,
        ends="killed by SIGKILL",
        kept="the history till then; no QEMU goes on on any host",
    ),
    Fault(
        "Ctrl-C in a run on several hosts",
        interrupt,
        ends="exit code 130",
        kept="what is known till then, in exports and history",
    ),
    Fault(
        "a second run on the same hosts at the same time",
        two_at_once,
        ends="exit code 0",
        kept="both runs; each has engines of its own",
    ),
    Fault(
        "a host has another version of this tool",
        with_worker(UNLIKE.format(tells="return '0.0.9'")),
        ends="exit code 2",
        words="host b: it has vmtiming-tui 0.0.9, and this host ",
        kept="nothing was started on any host",
    ),
    Fault(
        "a host's worker has not this tool",
        with_worker(UNLIKE.format(tells="raise metadata.PackageNotFoundError(name)")),
        ends="exit code 2",
        words="host b: vmtiming-tui is not installed there",
        kept="nothing was started on any host",
    ),
    Fault(
        "hosts are without the kernel, the images or QEMU",
        miss_files,
        ends="exit code 2",
        words="Nothing was started.",
        kept="nothing was started on any host",
        seen="exit code 2, and what is missing on each of them, all at once",
    ),
    Fault(
        "a host joins late",
        come_late,
        ends="exit code 130",
        words="it boots what lost hosts were to, and from the next run on its share",
        kept="the run as it was begun",
        seen="a notice: it boots what lost hosts were to, and from the next run on its share",
    ),
    Fault(
        "a host's worker dies and comes back, as Dask's nanny sees to it",
        come_back,
        ends="exit code 130",
        words="Host b was lost: ",
        kept=ALL_BUT_B,
        seen="the host is lost, and joins late",
    ),
    Fault(
        "a host says what became of another's VMs",
        with_worker(LIES),
        ends="exit code 0",
        words="; that was left out",
        kept="what each host says of its own VMs",
    ),
]
STATES: Mapping[str, tuple[str, ...]] = {
    "exit code 0": ALL_BOOTED,
    "exit code 1": B_FAILED,
    "exit code 130": ("booted",) * 4 + ("killed",) * 2,
}


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_many_hosts(fault: Fault[Callable[[Rack], Outcome]], hosts: Rack):
    outcome = fault.how(hosts)

    assert outcome.ends == fault.ends, outcome.said
    assert fault.words in outcome.said, outcome.said
    assert "Traceback" not in outcome.said, outcome.said
    assert outcome.states == STATES.get(fault.ends), outcome.said
    until(lambda: not hosts.leftovers(), hosts.leftovers)
