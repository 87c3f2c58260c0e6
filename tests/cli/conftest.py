"""The command line in a process of its own, with a stand-in for QEMU."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from engine_lab import make_lab


@pytest.fixture
def lab(tmp_path):
    """A folder with a stand-in for QEMU and images, and a place for run folders."""
    runtime = Path(tempfile.mkdtemp(prefix="vmt-"))
    yield make_lab(tmp_path, runtime)
    shutil.rmtree(runtime)


@pytest.fixture
def environment(lab):
    """Folders of the tool's own, so that no test sees or touches a person's."""
    return os.environ | {
        "XDG_RUNTIME_DIR": str(lab.runtime),
        "XDG_CACHE_HOME": str(lab.folder / "cache"),
        "XDG_STATE_HOME": str(lab.folder / "state"),
        "XDG_CONFIG_HOME": str(lab.folder / "config"),
    }


@pytest.fixture
def arguments(lab):
    """The original's own line, for stand-ins: ``arguments(4, "boot=0.1")``."""

    def build(number=2, script="", *more):
        lab.config(number)
        words = ["-n", number, "-m", 1, "-p", "vm", "-s", ".img", "-k", "vmlinuz", "-v", "."]
        words += ["-q", lab.qemu, "--accel", "tcg", "--force"]
        words += ["--append", " ".join(f"standin.{word}" for word in script.split())]
        return [str(word) for word in (*words, *more)]

    return build


@pytest.fixture
def tool(lab, environment):
    """Start ``vm-timing-report`` in the lab; returns the process."""
    running = []

    def start(*words, **kwargs):
        process = subprocess.Popen(
            [sys.executable, "-m", "vmtiming_tui", *map(str, words)],
            cwd=lab.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **kwargs,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def run(tool):
    """Run ``vm-timing-report`` to its end; returns (exit code, stdout, stderr)."""

    def to_end(*words):
        process = tool(*words)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    return to_end
