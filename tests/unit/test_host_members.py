"""Which workers of a cluster are hosts, what those are called, and whose versions will do."""

from importlib.metadata import PackageNotFoundError

from vmtiming_tui import __version__
from vmtiming_tui.cluster.dask_hosts.members import Member, Worker, named, workers_of
from vmtiming_tui.cluster.dask_hosts.versions import own_version_problems, version_warnings


def identity(**workers: tuple[str, object]) -> dict[str, object]:
    """What a scheduler says of workers, each by its address's last part, its host and name."""
    return {
        "workers": {
            f"tcp://{host}:{port.strip('p')}": {"host": host, "name": name}
            for port, (host, name) in workers.items()
        }
    }


def test_several_workers_at_one_address_are_one_host():
    said = identity(p1=("10.0.0.1", "b-1"), p2=("10.0.0.1", "b-0"), p3=("10.0.0.2", "a"))

    assert workers_of(said) == [
        Worker(address="tcp://10.0.0.2:3", place="10.0.0.2", name="a"),
        Worker(address="tcp://10.0.0.1:2", place="10.0.0.1", name="b-0"),
    ]


def test_a_worker_that_a_person_named_is_taken_before_one_that_nobody_did():
    said = identity(p1=("10.0.0.1", "tcp://10.0.0.1:1"), p2=("10.0.0.1", "rack-7"))

    (worker,) = workers_of(said)

    assert worker.name == "rack-7"


def test_without_a_name_of_its_own_a_host_is_called_as_it_calls_itself():
    said = identity(p1=("10.0.0.1", "tcp://10.0.0.1:1"), p2=("10.0.0.2", 0), p3=("10.0.0.3", "3"))
    hostnames = {"tcp://10.0.0.1:1": "alpha", "tcp://10.0.0.2:2": "beta"}

    names = [member.name for member in named(workers_of(said), hostnames)]

    assert names == ["alpha", "beta", "10.0.0.3"]


def test_no_two_hosts_have_one_name():
    workers = [Worker(address=f"tcp://10.0.0.{each}:1", place=f"10.0.0.{each}") for each in "123"]
    hostnames = dict.fromkeys((worker.address for worker in workers), "localhost")

    names = [member.name for member in named(workers, hostnames, taken=["localhost-2"])]

    assert names == ["localhost", "localhost-3", "localhost-4"]


def test_what_a_host_calls_itself_is_made_harmless():
    worker = Worker(address="tcp://10.0.0.1:1", place="10.0.0.1", name="\x1b[2J two words\n")

    assert named([worker], {}) == [Member(name="\\x1b[2J-two-words\\x0a", worker=worker.address)]


def test_a_host_without_the_package_says_so_in_words():
    (problem,) = own_version_problems({"a": __version__, "b": PackageNotFoundError()})

    assert str(problem) == (
        "host b: vmtiming-tui is not installed there: "
        f"pip install 'vmtiming-tui[cluster]=={__version__}'"
    )


def test_unequal_versions_are_refused_with_who_has_which():
    told = {"a": __version__, "b": "0.0.1", "c": OSError("cut\x1b"), "d": None}

    b, c, d = map(str, own_version_problems(told))

    assert b.startswith(f"host b: it has vmtiming-tui 0.0.1, and this host {__version__}: pip")
    assert c == "host c: it cannot be asked for its version: cut\\x1b"
    assert d.startswith("host d: ")


def test_other_packages_may_differ_but_not_unsaid():
    def said(python: str, dask: str) -> dict[str, object]:
        return {"packages": {"python": python, "dask": dask, "distributed": "1"}}

    own = said("3.11.7.final.0", "2026.8.0")
    told = {"a": said("3.11.9.final.0", "2026.8.0"), "b": said("3.12.1.final.0", "2026.9"), "c": {}}

    python, dask, distributed = version_warnings(own, told)

    assert python == "python is 3.11 here, 3.12 on b, none on c; alike is what was tried"
    assert dask.startswith("dask is 2026.8.0 here, 2026.9 on b, none on c")
    assert distributed.startswith("distributed is 1 here, none on c")
    assert version_warnings(own, {"a": own}) == []
