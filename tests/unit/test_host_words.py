"""``--hosts`` as a person gives it: what it leads to, and what is said where it leads nowhere."""

import pytest

from vmtiming_tui.errors import ConfigError
from vmtiming_tui.model.cluster import Cluster, Reach, Spread
from vmtiming_tui.request.hosts import build_cluster, is_loopback


def built(
    hosts: str | None, spread: str | None = None, *, insecure: bool = False, ship: bool = False
) -> Cluster | None:
    return build_cluster(hosts, spread=spread, insecure=insecure, ship=ship)


def refusals(*args: object, **named: object) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        built(*args, **named)  # type: ignore[arg-type]
    return [str(problem) for problem in raised.value.problems]


def test_without_hosts_a_run_is_made_on_this_one():
    assert built(None) is None


@pytest.mark.parametrize(
    ("text", "cluster"),
    [
        ("local:3", Cluster(reach=Reach.LOCAL, workers=3)),
        (" LOCAL:64 ", Cluster(reach=Reach.LOCAL, workers=64)),
        ("ssh:alpha", Cluster(reach=Reach.SSH, names=("alpha",))),
        ("ssh:a, b.lan,10.0.0.3", Cluster(reach=Reach.SSH, names=("a", "b.lan", "10.0.0.3"))),
        ("tcp://127.0.0.1:99", Cluster(reach=Reach.TCP, address="tcp://127.0.0.1:99")),
        ("tcp://localhost", Cluster(reach=Reach.TCP, address="tcp://localhost:8786")),
        ("tcp://[::1]:5/", Cluster(reach=Reach.TCP, address="tcp://[::1]:5")),
        ("tls://rack:8786", Cluster(reach=Reach.TLS, address="tls://rack:8786")),
    ],
)
def test_each_way_to_hosts_is_read(text, cluster):
    assert built(text) == cluster


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "says no hosts; give tcp://HOST:PORT"),
        ("alpha,beta", "says no hosts"),
        ("http://x", "says no hosts"),
        ("local:", "no number of hosts to pretend; try local:3"),
        ("local:0", "0 is out of range; give local:1 to local:64"),
        ("local:65", "out of range"),
        ("local:-1", "no number of hosts"),
        ("local:\u0663", "no number of hosts"),
        ("ssh:", "a host's name is empty"),
        ("ssh:a,,b", "a host's name is empty"),
        ("ssh:a,b,a", "a host is given twice"),
        ("ssh:root@a", "~/.ssh/config"),
        ("ssh:-oProxyCommand=x", "is no host's name"),
        ("ssh:a b", "is no host's name"),
        ("tcp://", "no scheduler's address; try tcp://scheduler:8786"),
        ("tcp:host:1", "no scheduler's address"),
        ("tls://h:99999", "is no address"),
        ("tls://h:x", "is no address"),
        ("tls://u@h:1", "no scheduler's address"),
        ("tls://h:1/status", "no scheduler's address"),
        ("tls://[::1", "is no address"),
        ("tls://h\x1b[2J:1", "\\x1b"),
    ],
)
def test_what_leads_to_no_host_is_refused_with_what_to_give(text, words):
    (said,) = refusals(text)

    assert said.startswith("--hosts: ")
    assert words in said
    assert "\x1b" not in said


def test_a_scheduler_that_others_may_reach_is_spoken_to_by_tls_or_on_purpose():
    (said,) = refusals("tcp://rack:8786")

    assert "whoever reaches a Dask scheduler runs any code as its workers' user" in said
    assert "tls://" in said
    assert "--insecure" in said
    assert built("tcp://rack:8786", insecure=True) == Cluster(
        reach=Reach.TCP, address="tcp://rack:8786", insecure=True
    )


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.8.9.1", "::1", "[::1]"])
def test_loopback_is_told_by_how_an_address_is_written(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "localhost.evil.example", "128.0.0.1", "::"])
def test_what_may_lead_elsewhere_is_not_loopback(host):
    assert not is_loopback(host)


def test_vms_are_spread_by_cores_if_nothing_is_said():
    assert built("local:2").spread is Spread.CORES
    assert built("local:2", "Memory").spread is Spread.MEMORY


def test_all_faults_are_found_at_once():
    said = refusals("local:many", "heads")

    assert len(said) == 2
    assert any("none of cores, memory, even" in each for each in said)


def test_what_goes_with_hosts_alone_says_so():
    assert refusals(None, "even", insecure=True, ship=True) == [
        "--spread: goes with --hosts",
        "--insecure: goes with --hosts",
        "--ship: goes with --hosts",
    ]
