"""Certificates of Dask's own configuration: what is reached with them, and said without."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import dask
import pytest
from distributed import Scheduler, Security, Worker

from vmtiming_tui.cluster.connect import cluster_problems
from vmtiming_tui.cluster.dask_hosts.connection import connected
from vmtiming_tui.errors import VmTimingError
from vmtiming_tui.model.cluster import Cluster, Reach

LIMIT_S = 60
ROLES = ("client", "scheduler", "worker")
BY_SSH = Cluster(reach=Reach.SSH, names=("a", "b"))
BY_TLS = Cluster(reach=Reach.TLS, address="tls://a:8786")


@pytest.fixture
def certificates(tmp_path: Path) -> dict[str, str]:
    """Settings that name certificates of one CA for every role."""
    made = Security.temporary()
    files = {"ca.pem": made.tls_ca_file, "key.pem": made.tls_worker_key}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    ca, key = (str(tmp_path / name) for name in files)
    settings = {"distributed.comm.tls.ca-file": ca}
    for role in ROLES:
        settings |= {
            f"distributed.comm.tls.{role}.cert": ca,
            f"distributed.comm.tls.{role}.key": key,
        }
    return settings


@pytest.fixture
async def scheduler(certificates) -> AsyncIterator[str]:
    """A scheduler that speaks TLS alone, with one worker."""
    here = {"host": "127.0.0.1", "protocol": "tls://", "dashboard_address": "127.0.0.1:0"}
    with dask.config.set(certificates):
        async with (
            Scheduler(port=0, security=Security(), **here) as scheduler,
            Worker(scheduler.address, name="w", security=Security(), **here),
        ):
            yield scheduler.address


async def test_hosts_are_reached_by_tls_with_certificates_of_dasks_configuration(
    scheduler, certificates
):
    cluster = Cluster(reach=Reach.TLS, address=scheduler)
    async with asyncio.timeout(LIMIT_S):
        assert not cluster_problems(cluster)
        async with connected(cluster, pytest.fail) as hosts:
            assert [member.name for member in hosts.members] == ["w"]
            assert hosts.members[0].worker.startswith("tls://")
            async with hosts.engines() as (links, _):
                assert await links[0].clock_ns() > 0


async def test_what_speaks_no_tls_is_let_in_nowhere(scheduler):
    plain = Cluster(reach=Reach.TCP, address=scheduler.replace("tls://", "tcp://"))
    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(VmTimingError, match="cannot be reached"):
            async with connected(plain, pytest.fail):
                pass


@pytest.mark.parametrize("cluster", [BY_TLS, BY_SSH], ids=str)
def test_without_certificates_it_is_said_where_dask_looks_for_them(cluster):
    (problem,) = cluster_problems(cluster)

    assert "distributed.comm.tls" in str(problem)
    assert "it has no ca-file" in str(problem)


def test_ssh_says_who_could_do_what_and_is_done_on_purpose():
    (problem,) = cluster_problems(BY_SSH)

    assert "whoever reaches it runs any code as your user there" in str(problem)
    assert "--insecure" in str(problem)
    assert not cluster_problems(Cluster(reach=Reach.SSH, names=("a",), insecure=True))


def test_with_certificates_nothing_is_said(certificates):
    with dask.config.set(certificates):
        assert not cluster_problems(BY_TLS)
        assert not cluster_problems(BY_SSH)


def test_certificates_that_cannot_be_read_are_named(certificates):
    missing = certificates | {"distributed.comm.tls.client.cert": "/no/such.pem"}
    with dask.config.set(missing):
        (problem,) = cluster_problems(BY_TLS)

    assert "what it names cannot be read" in str(problem)


def test_a_certificate_of_the_client_alone_does_not_serve_ssh(certificates):
    clients = {name: value for name, value in certificates.items() if "worker" not in name}
    with dask.config.set(clients):
        assert not cluster_problems(BY_TLS)
        (problem,) = cluster_problems(BY_SSH)

    assert "no cert of worker" in str(problem)
