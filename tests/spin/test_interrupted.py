"""A signal at any moment leaves nothing: no loop device, no mount, no process, no file."""

import os
import signal
import subprocess
import sys
import time

import pytest

from support import disk_images as images
from support.disk_images import Partition
from support.spinning import SPIN, digest, left_behind


@pytest.fixture(scope="module")
def large(tree, tmp_path_factory):
    """The same system with enough in it that copying takes a while, in two kinds of image."""
    folder = tmp_path_factory.mktemp("large")
    copy = folder / "tree"
    images.sh("cp", "-a", tree, copy)
    images.write(copy / "srv/large", os.urandom(100 * images.MIB))
    raw = images.ext4(folder / "root.fs", copy, 220)
    images.sh("qemu-img", "convert", "-O", "qcow2", raw, folder / "ext4.qcow2")
    fs = images.mounted_fs(folder / "root.fs", "xfs", copy, 400)
    images.disk(folder / "xfs.img", "gpt", [Partition("linux", fs)])
    images.sh("rm", "-rf", copy, raw)
    yield folder
    images.sh("rm", "-rf", folder)


def interrupted(image, out, at, send, *options):
    """Start it, wait until it says it has come to ``at``, send the signal, wait for its end."""
    process = subprocess.Popen(
        ["stdbuf", "-oL", "bash", SPIN, image, "--out", out, *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if at in line:
            send(process.pid)
            break
    # The end of its output is the end of every process it started.
    _, complaint = process.communicate()
    return process.returncode, complaint


STEPS = [
    ("ext4.qcow2", "unpacking", ()), ("ext4.qcow2", "copying", ()),
    ("ext4.qcow2", "checking", ()), ("ext4.qcow2", "making it", ()),
    ("xfs.img", "on partition 1", ()), ("xfs.img", "writing into", ()),
    ("xfs.img", "measuring", ("--convert",)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "step", "options"), STEPS, ids=[step[1] for step in STEPS])
@pytest.mark.parametrize(
    ("number", "whom", "code"),
    [(signal.SIGTERM, os.kill, 143), (signal.SIGINT, os.killpg, 130)],
    ids=["SIGTERM", "Ctrl-C"],
)
def test_nothing_is_left(name, step, options, number, whom, code, large, folder):
    image = large / name
    before = digest(image)
    out = folder / "new/out"

    ended = interrupted(image, out, step, lambda pid: whom(pid, number), *options)

    assert ended == (code, "")

    assert left_behind(folder) + left_behind(large) == []
    assert not out.exists()
    assert digest(image) == before


SUBSTITUTING = """
. "$0"
clean_up() { [ "$BASHPID" != "$$" ] || echo tidied; }
clean_up_at_the_end clean_up
echo started
substitute() { while :; do word="$(:)$(echo "$(:)")"; done; }
substitute
"""


def test_a_signal_just_when_bash_reads_a_substitution_is_obeyed():
    command = ["bash", "-euc", SUBSTITUTING, SPIN.with_name("lib-signals.sh")]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(20)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
    for process in processes:
        process.terminate()
    for process in processes:
        said, complaint = process.communicate()
        assert (process.returncode, complaint) == (143, "")
        assert said in ("tidied\n", "tidied\ntidied\n")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)], ids=str
)
def test_prepare_ends_its_script_in_order_before_it_ends(number, code, large, folder):
    process = subprocess.Popen(
        [sys.executable, "-m", "vmtiming_tui", "prepare", large / "ext4.qcow2",
         "--out", folder / "new/out"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    while "copying" not in process.stderr.readline():
        assert process.poll() is None
    os.kill(process.pid, number)
    said, complaint = process.communicate()

    assert (process.returncode, said, complaint) == (code, "", "")
    assert left_behind(folder) == []
    assert not (folder / "new/out").exists()


def test_a_kill_that_cannot_be_caught_leaves_no_mount_and_no_loop_device(large, folder):
    code, _ = interrupted(
        large / "xfs.img", folder / "out", "copying", lambda pid: os.killpg(pid, signal.SIGKILL)
    )

    assert code == -signal.SIGKILL
    # The kernel takes the mount namespace down just after its last process.
    deadline = time.monotonic() + 10
    while (left := devices_left(large) + devices_left(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def devices_left(folder):
    return [line for line in left_behind(folder) if line.startswith("/dev/") or " / " in line]
