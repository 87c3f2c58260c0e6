"""Real QEMU, real guests: nothing here is faked, and nothing is skipped where QEMU is missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vmtiming_tui.demo import Guest, Variant, build_guest


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("real")


@pytest.fixture(scope="session")
def quick_guest() -> Guest:
    """The demo guest's faster variant, built if it is not in the cache."""
    return build_guest(Variant.QUICK)


@pytest.fixture
def run_tool(tmp_path):
    """Run ``vm-timing-report`` as a person would, in an empty folder, with its own state."""
    environment = os.environ | {
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }

    def run(*args, **kwargs):
        return subprocess.run(
            [sys.executable, "-m", "vmtiming_tui", *map(str, args)],
            check=False,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            **kwargs,
        )

    return run
