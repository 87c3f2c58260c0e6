"""Real QEMU, real guests: nothing here is faked, and nothing is skipped where QEMU is missing."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from vmtiming_tui.guests.demo_guest import DemoVariant, Guest, build_guest


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("real")


@pytest.fixture(scope="session")
def quick_guest() -> Guest:
    """The demo guest's faster variant, built on a terminal if it is not in the cache.

    A terminal is what a newcomer builds it on, and what some of the programs involved look for.
    """
    build = (
        "from vmtiming_tui.guests.demo_guest import DemoVariant, build_guest; "
        "build_guest(DemoVariant.QUICK)"
    )
    command = shlex.join([sys.executable, "-c", build])
    subprocess.run(["script", "-qec", command, "/dev/null"], check=True)
    return build_guest(DemoVariant.QUICK)


class Workplace:
    """A folder to call ``vm-timing-report`` in, as a person would, with state of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runtime = folder / "runtime"
        self.runtime.mkdir(mode=0o700)
        self.environment = os.environ | {
            "XDG_RUNTIME_DIR": str(self.runtime),
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
        }

    def __call__(self, *words: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "vmtiming_tui", *map(str, words)],
            check=False,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=1000,
        )


@pytest.fixture(scope="module")
def in_folder(tmp_path_factory) -> Workplace:
    """Call the tool in a folder of the module's own."""
    return Workplace(tmp_path_factory.mktemp("work"))
