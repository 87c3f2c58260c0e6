"""A host that fails: its disks, its limits, its clock, its other users."""

import bz2
import csv
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from faults.fault import Fault, as_one
from faults.scene import How, Scene
from support.schema import exported_file

TITLE = "A host that fails"


# Disks.


@contextmanager
def full_run_folder(scene: Scene) -> Iterator[None]:
    scene.go_aside().disk(scene.lab.runtime, full=True)
    yield
    assert scene.history == [("finished", 2)]
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
    assert len(exported_file(scene.folder / "kept.json")["vms"]) == 2


@contextmanager
def history_filling_up(scene: Scene) -> Iterator[None]:
    scene.go_aside()
    (scene.folder / "state").mkdir()
    scene.aside.disk(scene.folder / "state", size="100k")
    scene.number, scene.script = 40, "boot=0.5"
    scene.words += ["-o", "kept.json"]
    yield
    assert len(exported_file(scene.folder / "kept.json")["vms"]) == 40


@contextmanager
def too_much_history(scene: Scene) -> Iterator[None]:
    for name in ((), ("--name", "kept"), ()):
        scene.tool.run(*scene.line, *name)
    config = scene.folder / "config" / "vmtiming-tui" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[history]\nmax_size = 1\n")
    yield
    assert len(scene.history) == 2


@contextmanager
def an_initrd_that_unpacks_to_gigabytes(scene: Scene) -> Iterator[None]:
    (scene.folder / "bomb").write_bytes(bz2.compress(bytes(45_000_000)) * 110)
    scene.words += ["-i", "bomb", "--inject", "initrd"]
    yield


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
    assert scene.history == [("finished", 2)]


@contextmanager
def full_report(scene: Scene) -> Iterator[None]:
    scene.script = "boot=60"
    scene.words += ["-o", "kept.json"]
    with Path("/dev/full").open("w") as full:
        scene.settings["stdout"] = full
        yield
    states = {vm["attempts"][0]["state"] for vm in exported_file(scene.folder / "kept.json")["vms"]}
    assert states <= {"killed"}  # it may be stopped before there is a VM
    assert [state for state, _ in scene.history] == ["stopped"]


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


@contextmanager
def missing_images(scene: Scene) -> Iterator[None]:
    scene.words += ["-p", "other"]
    yield
    assert "Nothing was started" in scene.said


# Limits.


def limited(**limits: int) -> list[str]:
    return ["prlimit", *(f"--{name}={value}:{value}" for name, value in limits.items())]


@contextmanager
def few_descriptors(scene: Scene) -> Iterator[None]:
    scene.tool.prefix = limited(nofile=100)
    scene.number, scene.unforced = 20, True
    yield
    assert "raise the limit: ulimit -n 184" in scene.said
    assert scene.history == []


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


# Root is bound by no limit on processes, so somebody is asked who can still read the files, and
# under whose number nobody else on the host runs anything.
SOMEBODY = [] if os.geteuid() != 0 else [
    "setpriv", "--reuid=63999", "--clear-groups", "--inh-caps=-all,+dac_override",
    "--ambient-caps=+dac_override",
]  # fmt: skip


@contextmanager
def few_processes(scene: Scene) -> Iterator[None]:
    scene.tool.prefix = [*limited(nproc=60), *SOMEBODY]
    scene.number, scene.unforced = 20, True
    yield
    assert "raise the limit: ulimit -u " in scene.said
    assert scene.history == []


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
    assert scene.history == []


@contextmanager
def no_memory_but_forced(scene: Scene) -> Iterator[None]:
    scene.words += ["-m", "8000000"]
    yield
    assert scene.history == [("finished", 2)]


# The clock. Setting the host's own would be felt by others, so that of our programs is set.

HOUR_NS = 3_600_000_000_000
SET_CLOCK = """
import os, time
_true = time.time_ns
time.time_ns = lambda: _true() + {step_ns} * os.path.exists({mark!r})
time.time = lambda: time.time_ns() / 1e9
"""
STEP_IN_VM_0 = """
def _phase(self, name, usual=standin_machine.StandIn.phase):
    if self.args.vm == 0 and name == "half":
        open({mark!r}, "w").close()
    usual(self, name)
standin_machine.StandIn.phase = _phase
"""


@contextmanager
def clock_set(scene: Scene, step_ns: int) -> Iterator[None]:
    """Set the clock half-way through VM 0's boot, for the tool, its engine and its QEMUs."""
    facts = {"mark": str(scene.folder / "clock-is-set"), "step_ns": step_ns}
    set_clock = SET_CLOCK.format(**facts)
    (scene.folder / "sitecustomize.py").write_text(set_clock)
    scene.tool.extra = {"PYTHONPATH": str(scene.folder)}
    first, begin = scene.lab.qemu.read_text().split("from standin_machine")
    step = f"import standin_machine\n{set_clock}{STEP_IN_VM_0.format(**facts)}"
    scene.lab.qemu.write_text(f"{first}{step}from standin_machine{begin}")
    scene.script = "boot=0.6 1.boot=1"
    scene.words += ["--json", "-o", "kept.json"]
    yield
    assert (scene.folder / "clock-is-set").exists()
    events = [json.loads(line) for line in scene.ended.out.splitlines()]
    opened = [event for event in events if event.get("data") == {"open": True, "id": "report"}]
    assert all(event["go_ns"] <= event["at_ns"] for event in events if "go_ns" in event)
    assert [event["vm"] for event in opened if event["qemu_ns"] is not None] == [0, 1]
    kept = exported_file(scene.folder / "kept.json")
    (first_boot,), (second_boot,) = (vm["attempts"] for vm in kept["vms"])
    assert 0.6 <= first_boot["boot_s"] < second_boot["boot_s"] < 60
    assert max(first_boot["uncertainty_s"], second_boot["uncertainty_s"]) < 60
    assert scene.history == [("finished", 2)]


FAULTS: list[Fault[How]] = [
    Fault(
        "the disk of the run's folder is full",
        full_run_folder,
        ends="exit code 0",
        kept="everything; the run's folder is made in the temporary folder instead",
        seen="nothing; the run goes on",
    ),
    Fault(
        "nowhere can a folder for the run be made",
        no_place_to_write,
        ends="exit code 1",
        words="cannot make a folder for the run in",
        kept="nothing was started",
    ),
    *as_one(
        "the history's disk is full or fills up, or its folder cannot be written",
        [
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
        ],
    ),
    Fault(
        "the disk an export goes to is full",
        full_export,
        ends="exit code 1",
        words="Error: small/result.json was not written: No space left on device\n"
        "  free some space there, or write to another folder",
        kept="the former file of that name, the other exports, the history",
    ),
    *as_one(
        "the disk that takes the report (`--plain > file`) is full",
        [
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
        ],
    ),
    *as_one(
        "the host's clock is set an hour forward or back during a run",
        [
            Fault(
                "the host's clock is set an hour forward during a run",
                partial(clock_set, step_ns=HOUR_NS),
                ends="exit code 0",
                kept="every boot's time: it is taken from a clock nobody can set",
            ),
            Fault(
                "the host's clock is set an hour back during a run",
                partial(clock_set, step_ns=-HOUR_NS),
                ends="exit code 0",
                kept="every boot's time: it is taken from a clock nobody can set",
            ),
        ],
        seen="nothing; the run goes on",
    ),
    Fault(
        "an initrd that unpacks to gigabytes (`--inject`)",
        an_initrd_that_unpacks_to_gigabytes,
        ends="exit code 1",
        words="'bomb' is none of the initrds the report service can be brought in by",
        kept="everything; a child process reads it, within limits, and the engine never does",
    ),
    Fault(
        "the history has grown beyond its limit",
        too_much_history,
        ends="exit code 0",
        words="the history was larger than 1 byte: the oldest run without a name went",
        kept="this run, and every run with a name",
    ),
    Fault(
        "the folder of the images is read-only",
        read_only_images,
        ends="exit code 0",
        kept="everything: nothing is written to images",
        seen="nothing; the run goes on",
    ),
    Fault(
        "an image is not there",
        missing_images,
        ends="exit code 2",
        words="image 'other-0.img' and 1 more not found; make them with --base ROOTFS",
        kept="nothing was started; every other error is listed with it",
    ),
    *as_one(
        "too few open files are allowed",
        [
            Fault(
                "too few open files are allowed",
                few_descriptors,
                ends="exit code 1",
                words="20 VMs need 184 open files, and 100 are allowed: 6 VMs fit",
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
        ],
    ),
    *as_one(
        "too few processes are allowed",
        [
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
                words="the host allows this user no further thread",
                kept="nothing was started; the command that raises the limit is named",
            ),
        ],
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
        seen="nothing; the run goes on",
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_host_that_fails(fault: Fault[How], scene: Scene):
    scene.suffers(fault)
