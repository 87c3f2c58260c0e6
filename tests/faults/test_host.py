"""A host that fails: its disks, its limits, its clock, its other users."""

import csv
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from faults.fault import Fault
from faults.scene import Scene
from faults.traces import nothing_left

TITLE = "A host that fails"

How = Callable[[Scene], AbstractContextManager[None]]


def history_of(scene: Scene) -> list[tuple[str, int]]:
    """Return state and number of VMs of every run in the history."""
    path = scene.folder / "state" / "vmtiming-tui" / "history.db"
    with sqlite3.connect(path) as connection:
        return connection.execute("SELECT state, booted FROM runs").fetchall()


# Disks.


@contextmanager
def full_run_folder(scene: Scene) -> Iterator[None]:
    scene.go_aside().disk(scene.lab.runtime, full=True)
    yield
    assert history_of(scene) == [("finished", 2)]
    assert list(scene.aside.seen(scene.lab.runtime).iterdir()) == [
        scene.aside.seen(scene.lab.runtime) / "filler"
    ]


@contextmanager
def no_place_to_write(scene: Scene) -> Iterator[None]:
    scene.go_aside()
    for place in (Path("/tmp"), Path("/var/tmp"), scene.folder, scene.lab.runtime):
        scene.aside.read_only(place)
    yield
    assert "  free some space there, or set TMPDIR to a short path you may write to" in scene.said


@contextmanager
def full_history(scene: Scene) -> Iterator[None]:
    scene.go_aside()
    (scene.folder / "state").mkdir()
    scene.aside.disk(scene.folder / "state", full=True)
    scene.words += ["-o", "kept.json"]
    yield
    assert len(json.loads((scene.folder / "kept.json").read_text())["vms"]) == 2


@contextmanager
def history_filling_up(scene: Scene) -> Iterator[None]:
    scene.go_aside()
    (scene.folder / "state").mkdir()
    scene.aside.disk(scene.folder / "state", size="100k")
    scene.number, scene.script = 40, "boot=0.5"
    scene.words += ["-o", "kept.json"]
    yield
    assert len(json.loads((scene.folder / "kept.json").read_text())["vms"]) == 40


@contextmanager
def unwritable_history(scene: Scene) -> Iterator[None]:
    (scene.folder / "state").mkdir()
    scene.go_aside().read_only(scene.folder / "state")
    yield
    assert list((scene.folder / "state").iterdir()) == []


@contextmanager
def full_export(scene: Scene) -> Iterator[None]:
    small = scene.folder / "small"
    small.mkdir()
    scene.go_aside().disk(small, size="4k")
    old = scene.aside.seen(small) / "result.json"
    old.write_text("the former one")
    scene.words += ["-o", "small/result.json", "-o", "kept.csv"]
    yield
    assert old.read_text() == "the former one"
    assert [path.name for path in old.parent.iterdir()] == ["result.json"]
    assert len(list(csv.reader((scene.folder / "kept.csv").open()))) == 3
    assert history_of(scene) == [("finished", 2)]


@contextmanager
def full_report(scene: Scene) -> Iterator[None]:
    scene.script = "boot=60"
    scene.words += ["-o", "kept.json"]
    with Path("/dev/full").open("w") as full:
        scene.settings["stdout"] = full
        yield
    states = {
        vm["attempts"][0]["state"]
        for vm in json.loads((scene.folder / "kept.json").read_text())["vms"]
    }
    assert states == {"killed"}
    assert [state for state, _ in history_of(scene)] == ["stopped"]


@contextmanager
def full_events(scene: Scene) -> Iterator[None]:
    scene.words += ["--json"]
    with full_report(scene):
        yield


# Images that cannot be written.


@contextmanager
def read_only_images(scene: Scene) -> Iterator[None]:
    scene.go_aside().read_only(scene.folder)
    scene.words += ["--no-history"]
    yield


# Limits.


def limited(**limits: int) -> list[str]:
    return ["prlimit", *(f"--{name}={value}:{value}" for name, value in limits.items())]


@contextmanager
def few_descriptors(scene: Scene) -> Iterator[None]:
    scene.tool.prefix = limited(nofile=100)
    scene.number, scene.unforced = 20, True
    yield
    assert "raise the limit: ulimit -n 164" in scene.said
    assert history_of(scene) == []


@contextmanager
def hardly_any_descriptors(scene: Scene) -> Iterator[None]:
    scene.tool.prefix = limited(nofile=70)
    yield
    assert "raise the limit: ulimit -n 1024" in scene.said


@contextmanager
def no_descriptor_for_the_engine(scene: Scene) -> Iterator[None]:
    scene.tool.prefix = limited(nofile=12)
    yield
    assert "ulimit -n 1024" in scene.said


# Root is bound by no limit on processes, so somebody is asked who can still read the files.
SOMEBODY = [
    "setpriv", "--reuid=65534", "--clear-groups", "--inh-caps=-all,+dac_override",
    "--ambient-caps=+dac_override",
]  # fmt: skip


@contextmanager
def few_processes(scene: Scene) -> Iterator[None]:
    scene.tool.prefix = [*limited(nproc=60), *SOMEBODY]
    scene.number, scene.unforced = 20, True
    yield
    assert "raise the limit: ulimit -u " in scene.said
    assert history_of(scene) == []


@contextmanager
def no_process_at_all(scene: Scene) -> Iterator[None]:
    scene.tool.prefix = [*limited(nproc=2), *SOMEBODY]
    yield
    assert "ulimit -u" in scene.said


@contextmanager
def no_memory(scene: Scene) -> Iterator[None]:
    scene.unforced = True
    scene.words += ["-m", "8000000"]
    yield
    assert "or --force to try all the same" in scene.said
    assert history_of(scene) == []


@contextmanager
def no_memory_but_forced(scene: Scene) -> Iterator[None]:
    scene.words += ["-m", "8000000"]
    yield
    assert history_of(scene) == [("finished", 2)]


# Links in the way.


@contextmanager
def linked_export(scene: Scene) -> Iterator[None]:
    foreign = scene.folder / "foreign.json"
    foreign.write_text("precious")
    (scene.folder / "result.json").symlink_to(foreign)
    scene.words += ["-o", "result.json", "-o", "kept.json"]
    yield
    assert foreign.read_text() == "precious"
    assert (scene.folder / "result.json").is_symlink()
    assert (scene.folder / "kept.json").stat().st_size


@contextmanager
def linked_history(scene: Scene) -> Iterator[None]:
    foreign = scene.folder / "foreign.txt"
    foreign.write_text("precious, and no database" * 100)
    path = scene.folder / "state" / "vmtiming-tui" / "history.db"
    path.parent.mkdir(parents=True)
    path.symlink_to(foreign)
    yield
    assert foreign.read_text() == "precious, and no database" * 100
    assert not path.is_symlink()
    assert history_of(scene) == [("finished", 2)]


@contextmanager
def linked_run_folders(scene: Scene) -> Iterator[None]:
    """Names of run folders that lead elsewhere, and one of ours with a link in it."""
    foreign = scene.folder / "foreign"
    foreign.mkdir()
    (foreign / "lock").write_text("a run of vm-timing-report\n")
    (foreign / "file").write_text("precious")
    (scene.lab.runtime / "vmtiming-linklink").symlink_to(foreign)
    left = scene.lab.runtime / "vmtiming-leftover"
    left.mkdir(mode=0o700)
    (left / "lock").write_text("a run of vm-timing-report\n")
    (left / "console-0-1").symlink_to(foreign / "file")
    yield
    assert (foreign / "file").read_text() == "precious"
    assert (foreign / "lock").exists()
    assert not left.exists()
    (scene.lab.runtime / "vmtiming-linklink").unlink()


FAULTS: list[Fault[How]] = [
    Fault(
        "the disk of the run's folder is full",
        full_run_folder,
        ends="exit code 0",
        kept="the run goes on, its folder in the temporary folder",
    ),
    Fault(
        "nowhere can a folder for the run be made",
        no_place_to_write,
        ends="exit code 1",
        words="cannot make a folder for the run in",
        kept="nothing was started",
    ),
    Fault(
        "the disk of the history is full",
        full_history,
        ends="exit code 0",
        words="Warning: this run is not kept: ",
        kept="the run goes on; report and exports",
    ),
    Fault(
        "the disk of the history fills up during a run",
        history_filling_up,
        ends="exit code 0",
        words="the run is not being kept in the history: database or disk is full",
        kept="the run goes on; report and exports; earlier runs",
    ),
    Fault(
        "the folder of the history cannot be written",
        unwritable_history,
        ends="exit code 0",
        words="Warning: this run is not kept: ",
        kept="the run goes on; report and exports",
    ),
    Fault(
        "the disk an export goes to is full",
        full_export,
        ends="exit code 1",
        words="Error: small/result.json was not written: No space left on device\n"
        "  free some space there, or write to another folder",
        kept="the former file of that name, the other exports, the history",
    ),
    Fault(
        "the disk that takes the plain report (`--plain > file`) is full",
        full_report,
        ends="exit code 1",
        words="Error: the report cannot be written: No space left on device",
        kept="what is known till then, in exports and history; the VMs are ended",
    ),
    Fault(
        "the disk that takes the events (`--json > file`) is full",
        full_events,
        ends="exit code 1",
        words="Error: the report cannot be written: No space left on device",
        kept="what is known till then, in exports and history; the VMs are ended",
    ),
    Fault(
        "the folder of the images is read-only",
        read_only_images,
        ends="exit code 0",
        kept="everything: nothing is written to images",
    ),
    Fault(
        "too few open files are allowed",
        few_descriptors,
        ends="exit code 1",
        words="20 VMs need 164 open files, and 100 are allowed: 7 VMs fit",
        kept="nothing was started; the command that raises the limit is named",
    ),
    Fault(
        "too few open files are allowed for even one VM",
        hardly_any_descriptors,
        ends="exit code 1",
        words="70 open files are allowed, which is too few for a single VM",
        kept="nothing was started; the command that raises the limit is named",
    ),
    Fault(
        "too few open files are allowed to start anything",
        no_descriptor_for_the_engine,
        ends="exit code 1",
        words="the engine cannot be started: Too many open files",
        kept="nothing was started; the command that raises the limit is named",
    ),
    Fault(
        "too few processes are allowed",
        few_processes,
        ends="exit code 1",
        words="20 VMs at once need about 100 processes and threads, and ",
        kept="nothing was started; the command that raises the limit is named",
    ),
    Fault(
        "no further process is allowed",
        no_process_at_all,
        ends="exit code 1",
        words="the engine cannot be started: Resource temporarily unavailable",
        kept="nothing was started; the command that raises the limit is named",
    ),
    Fault(
        "memory would not hold the VMs",
        no_memory,
        ends="exit code 1",
        words="2 VMs may come to hold 16000600 MiB, and the host has ",
        kept="nothing was started; how many VMs fit is named",
    ),
    Fault(
        "memory would not hold the VMs, and `--force` is given",
        no_memory_but_forced,
        ends="exit code 0",
        kept="they are tried",
    ),
    Fault(
        "the file an export goes to is a symbolic link",
        linked_export,
        ends="exit code 1",
        words="Error: result.json is a symbolic link, which is not written through",
        kept="the link, the file it leads to, the other exports, the history",
    ),
    Fault(
        "the history is a symbolic link to some other file",
        linked_history,
        ends="exit code 0",
        words="the history was damaged; it is kept as ",
        kept="the other file; a new history is begun",
    ),
    Fault(
        "links lie where run folders are, or in one that a dead run left",
        linked_run_folders,
        ends="exit code 0",
        kept="whatever they lead to",
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_host_that_fails(fault: Fault[How], scene: Scene):
    images = [scene.folder / f"vm-{vm}.img" for vm in range(4)]
    with nothing_left(scene.lab.runtime, *images), fault.how(scene):
        ended = scene.run()

        assert f"exit code {ended.code}" == fault.ends, scene.said
        assert fault.words in scene.said
        scene.makes_no_noise()
