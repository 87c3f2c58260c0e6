"""``ssh:a,b``: a scheduler and workers that are started by ssh, and gone with the run."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.engine_lab import processes_naming, until
from support.ssh_hosts import ssh_hosts
from vmtiming_tui.cluster.dask_hosts.connection import connected
from vmtiming_tui.errors import ConfigError
from vmtiming_tui.model.cluster import Cluster, Reach

LIMIT_S = 90
NAMES = ("127.0.0.2", "127.0.0.3")
BOTH = Cluster(reach=Reach.SSH, names=NAMES, insecure=True)
STARTED = "distributed.cli.dask_spec"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The home of a user whom both hosts let in."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with ssh_hosts(tmp_path, NAMES):
        yield tmp_path


async def test_hosts_go_by_the_names_ssh_has_for_them_and_nothing_is_left_there(home):
    async with asyncio.timeout(LIMIT_S), connected(BOTH, pytest.fail) as hosts:
        assert [member.name for member in hosts.members] == list(NAMES)
        async with hosts.engines() as (links, _):
            assert len([await link.clock_ns() for link in links]) == len(NAMES)
        assert len(processes_naming(STARTED)) >= len(NAMES)

    await until(lambda: not processes_naming(STARTED))


async def test_a_host_that_cannot_be_entered_is_named_with_why(home):
    (home / ".ssh" / "known_hosts").write_text("")

    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(ConfigError, match=r"host 127\.0\.0\.2: Host key is not trusted"):
            async with connected(BOTH, pytest.fail):
                pass


async def test_a_host_without_python_where_this_one_has_it_says_what_its_shell_said(
    home, monkeypatch
):
    monkeypatch.setattr("sys.executable", "/no/such/python")

    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(ConfigError, match="'/no/such/python': No such file or directory"):
            async with connected(BOTH, pytest.fail):
                pass
