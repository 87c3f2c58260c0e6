"""Who else is on the host: other runs, other users, other programs."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.fault import Fault, as_one
from faults.running import Running, in_words, real_line, states_in
from faults.scene import Scene
from support.schema import exported_file
from support.traces import nothing_left

TITLE = "Other runs, users and programs on the host"

# What a scene comes to: how it ends, and what is said of it.
Play = Callable[[Scene], tuple[str, str]]


def two_at_once(scene: Scene, *words: str) -> tuple[str, str]:
    """Start a second run on images that a first one is using."""
    line = real_line(scene.folder, *words)
    first = scene.tool.start(*line, "--json")
    assert first.stdout is not None
    started = 0
    while started < 2:
        started += '"event":"vm_started"' in first.stdout.readline()
    images = [scene.folder / f"real-{vm}.img" for vm in range(2)]
    holders = [holding(image) for image in images]
    second = scene.tool.run(*line, "--timeout", "2", "-o", "kept.json")
    assert [holding(image) for image in images] == holders
    first.send_signal(signal.SIGINT)
    out, err = first.communicate()
    assert '"event":"vm_failed"' not in out, err
    said = second.out + second.err
    for vm, pid in re.findall(r"real-(\d)\.img: process (\d+) \(qemu-system-x86\)", said):
        assert int(pid) in holders[int(vm)]
    fail = states_in(scene.folder / "kept.json") == ("failed", "failed")
    return "the second run's VMs fail" if fail else "both work", said


def two_that_write(scene: Scene) -> tuple[str, str]:
    return two_at_once(scene, "--persist")


def holding(path: Path) -> set[int]:
    """Return the processes that have a file open."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink() == path:
                found.add(int(link.parts[2]))
        except OSError:
            continue
    return found


AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
ROOT_IN_A_NAMESPACE = ["unshare", "--user", "--map-root-user", "--map-auto"]


def tries(program: str, *, as_nobody: bool = True) -> Play:
    """Return the play of a Python program that is given the run folder of a run under way."""

    def play(scene: Scene) -> tuple[str, str]:
        scene.script = "1.boot=60"
        scene.lab.runtime.chmod(0o755)  # so that only the folder itself can refuse
        running = Running(scene)
        (folder,) = scene.lab.runtime.iterdir()
        user = AS_NOBODY if as_nobody else []
        if user and os.geteuid() != 0:
            user = [*ROOT_IN_A_NAMESPACE, *user]
        command = [*user, sys.executable, "-c", program, folder]
        tried = subprocess.run(command, check=False, capture_output=True, text=True, cwd="/")
        running.process.send_signal(signal.SIGINT)
        outcome = running.end()
        assert outcome.ends == in_words(130)
        assert outcome.states == ("booted", "killed")
        assert exported_file(scene.folder / "kept.json")["vms"][1]["attempts"]
        assert "LET IN" not in tried.stdout
        return "refused", tried.stderr + outcome.said

    return play


LOOK = "import os, sys; print('LET IN', os.listdir(sys.argv[1]))"
CONNECT = """
import socket, sys
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[1] + "/report")
peer.sendall(b"VMREPORTID:1|||I am VM 1, believe me\\n")
while peer.recv(100):
    print("LET IN")
"""

FAULTS: list[Fault[Play]] = [
    Fault(
        "two runs at once on the same images",
        two_at_once,
        ends="both work",
        kept="the images: neither run writes to them",
    ),
    Fault(
        "two runs at once on the same images, with `--persist`",
        two_that_write,
        ends="the second run's VMs fail",
        words="another program holds its disk image",
        kept="the first run goes on; its process is named",
    ),
    *as_one(
        "another user looks into the run's folder, or connects to its report socket",
        [
            Fault(
                "another user looks into the run's folder",
                tries(LOOK),
                ends="refused",
                words="Permission denied",
                kept="what guests say is yours alone to read",
            ),
            Fault(
                "another user connects to the report socket",
                tries(CONNECT),
                ends="refused",
                words="Permission denied",
                kept="the VMs' own reports",
            ),
        ],
    ),
    Fault(
        "another program of yours connects to the report socket, in a VM's name",
        tries(CONNECT, as_nobody=False),
        ends="refused",
        words="connected to the report socket and was refused: it is none of the VMs",
        seen="refused, with a warning that names its process",
        kept="the VMs' own reports",
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_others_on_the_host(fault: Fault[Play], scene: Scene):
    with nothing_left(scene.lab.runtime, *scene.images):
        ends, said = fault.how(scene)

    assert ends == fault.ends, said
    assert fault.words in said
    assert "Traceback" not in said or ends == "refused"
