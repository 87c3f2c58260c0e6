"""The hosts of these tests are hosts: apart, joined, cut off, and gone with the test."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import relay
from support.dask_hosts import Process
from support.namespaces import Host, Network, network

ASK = "import socket, sys; print(socket.create_connection(sys.argv[1:], 1).recv(9).decode())"
ANSWER = """
import socket, sys
server = socket.create_server((sys.argv[1], 7000))
print("ready", flush=True)
while True:
    peer, _ = server.accept()
    peer.sendall(b"here")
    peer.close()
"""
MAKE = """
import sys
from pathlib import Path
from support.namespaces import network
with network(Path(sys.argv[1])) as made:
    print(*(host.pid for host in made.hosts), flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with network(tmp_path_factory.mktemp("hosts")) as made:
        yield made


def answers(asker: Host, address: str, port: int = 7000) -> bool:
    """Return whether what is asked there answers within a second."""
    command = [*asker.prefix(), sys.executable, "-ISc", ASK, address, str(port)]
    asked = subprocess.run(command, check=False, capture_output=True, text=True)
    return asked.stdout == "here\n"


@pytest.fixture(scope="module")
def answering(hosts: Network) -> Process:
    b = hosts.host("b")
    process = Process.on(b, "answering", sys.executable, "-ISc", ANSWER, b.address)
    process.wait_for("ready")
    return process


def test_each_host_has_a_name_a_clock_and_processes_of_its_own(hosts, answering):
    names = [host.do("hostname").strip() for host in hosts.hosts]
    uptimes_s = [float(host.do("cat", "/proc/uptime").split()[0]) for host in hosts.hosts]
    a, b, c = hosts.hosts

    assert names == ["a", "b", "c"]
    assert [round((s - time.monotonic()) / 3600, 1) for s in uptimes_s] == [1.0, 2.0, 3.0]
    assert answering.pid in b.processes()
    assert a.processes() == c.processes() == {}


def test_hosts_reach_each_other_but_for_one_that_is_cut_off(hosts, answering):
    a, b, c = hosts.hosts

    assert answers(a, b.address)
    hosts.cut(b)
    assert not answers(a, b.address)
    assert not answers(hosts.front, b.address)
    hosts.mend(b)
    assert answers(c, b.address)


def test_a_long_link_delays_both_ways(hosts, answering):
    place = f"{hosts.front.address}:7001"
    far = f"{hosts.host('b').address}:7000"
    Process.on(
        hosts.front, "relay", sys.executable, "-IS", relay.__file__, 200, place, far
    ).wait_for("ready")

    begun_s = time.monotonic()
    answers(hosts.host("a"), hosts.front.address, 7001)

    assert time.monotonic() - begun_s >= 0.2


def test_nothing_is_left_of_hosts_whose_maker_is_killed(tmp_path: Path):
    maker = subprocess.Popen(
        [sys.executable, "-c", MAKE, tmp_path],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    held = [os.pidfd_open(int(pid)) for pid in maker.stdout.readline().split()]

    maker.send_signal(signal.SIGKILL)
    maker.communicate()

    assert len(held) == 3
    for pidfd in held:
        assert select.select([pidfd], [], [], 10)[0]
        os.close(pidfd)
