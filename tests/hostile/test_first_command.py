"""The first command runs nothing that it finds where it is called, nor what others left for it.

A decoy of each kind writes a marker when anything runs it. As spin/demo.sh installs the tool for
real, all that lies in a folder and in the environment is tried in one run.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPTS = [*sorted((CHECKOUT / "spin").glob("*.sh")), CHECKOUT / "tests/run.sh"]
# What Python, pip and what they load would import from a folder that came first on the path.
MODULES = (
    "venv", "pip", "sys", "site", "sitecustomize", "usercustomize", "asyncio", "encodings", "json",
    "ensurepip", "runpy", "hatchling", "markdown_it", "click", "textual", "vmtiming_tui", "pytest",
)  # fmt: skip


@dataclass(frozen=True)
class Trap:
    """A folder of decoys beside a cache of the test's own."""

    folder: Path
    cache: Path

    @property
    def marker(self) -> Path:
        return self.folder.parent / "marker"

    @property
    def venv(self) -> Path:
        return self.cache / "vmtiming-tui/venv"

    def says(self, what: str) -> str:
        """A Python program that leaves the marker."""
        return f"open({str(self.marker)!r}, 'a').write({what!r} + chr(10))\n"

    def decoy(self, path: Path) -> None:
        """A program that leaves the marker instead of doing what it is named for."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\necho {path} >>{self.marker}\n")
        path.chmod(0o755)

    def run(
        self, script: Path, *words: str, cwd: Path | None = None, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", script, *words],
            cwd=cwd or self.folder,
            env=os.environ | {"XDG_CACHE_HOME": str(self.cache)} | environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def run_demo(
        self, script: Path = CHECKOUT / "spin/demo.sh", **given: object
    ) -> "subprocess.CompletedProcess[str]":
        """Run spin/demo.sh as far as the tool's own help; nothing is built or booted."""
        done = self.run(script, "--help", **given)
        assert not self.marker.exists(), self.marker.read_text()
        return done


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Trap:
    top = tmp_path_factory.mktemp("first")
    trap = Trap(top / "folder", top / "cache")
    trap.folder.mkdir()
    for module in MODULES:
        (trap.folder / f"{module}.py").write_text(trap.says(module))
    (trap.folder / "pyvenv.cfg").write_text(f"home = {trap.folder}\n")
    (trap.folder / "setup.cfg").write_text(f"[install]\nprefix = {trap.folder}\n")
    (trap.folder / "pip.conf").write_text(f"[global]\ntarget = {trap.folder}\n")
    for name in ("python3", "pip", "vm-timing-report", "mmdebstrap"):
        trap.decoy(trap.folder / name)
    return trap


@pytest.fixture
def installed(trap: Trap) -> Iterator[Trap]:
    """A trap whose cache holds a virtual environment; it is ours again afterwards."""
    if not trap.venv.exists():
        assert trap.run_demo().returncode == 0
    yield trap
    subprocess.run(["chown", "-hR", str(os.getuid()), trap.cache], check=True)


def test_nothing_in_the_folder_and_no_order_in_the_environment_is_obeyed(trap):
    folder = str(trap.folder)
    startup = trap.folder / "sitecustomize.py"
    done = trap.run_demo(
        PYTHONPATH=folder, PYTHONSTARTUP=str(startup), PYTHONHOME=folder, PYTHONUSERBASE=folder,
        PYTHONWARNINGS="error::venv.Warning", PYTHONINSPECT="1", PIP_PYTHON=f"{folder}/python3",
        PIP_TARGET=folder, PIP_PREFIX=folder, PIP_USER="1", PIP_CONFIG_FILE=f"{folder}/pip.conf",
        PIP_REQUIREMENT=f"{folder}/setup.cfg", PIP_ROOT=folder, PIP_NO_BUILD_ISOLATION="0",
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Usage: vm-timing-report demo" in done.stdout
    assert (trap.venv / "bin/vm-timing-report").exists()
    assert {path.name for path in trap.folder.iterdir() if path.is_dir()} == set()


def test_a_cache_that_is_named_relative_to_the_folder_is_not_used(installed, tmp_path):
    installed.decoy(installed.folder / "cache/vmtiming-tui/venv/bin/python")
    home = tmp_path / "home"
    (home / ".cache").mkdir(parents=True)
    (home / ".cache/vmtiming-tui").symlink_to(installed.cache / "vmtiming-tui")

    done = installed.run_demo(XDG_CACHE_HOME="cache", HOME=str(home))

    shutil.rmtree(installed.folder / "cache")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_virtual_environment_that_others_can_change_is_made_anew(installed):
    python = installed.venv / "bin/python"
    python.unlink()
    installed.decoy(python)
    shutil.chown(python, "nobody")

    done = installed.run_demo()

    assert done.returncode == 0, done.stdout + done.stderr
    assert "making a virtual environment" in done.stdout
    assert python.is_symlink()


@pytest.mark.parametrize("change", ["", "chown nobody .", "chown nobody bin", "chmod o+w bin/x"])
def test_whose_a_folder_is_takes_all_that_is_in_it(change, tmp_path):
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/bin/x").touch()
    (tmp_path / "venv/bin/link").symlink_to("/bin/sh")
    (tmp_path / "link").symlink_to("venv")
    subprocess.run(["sh", "-c", change], check=True, cwd=tmp_path / "venv")
    ask = f". {CHECKOUT}/spin/lib-tools.sh; is_ours venv && echo ours; is_ours link && echo link"

    done = subprocess.run(
        ["bash", "-c", ask], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert done.stdout == ("" if change else "ours\n")


@pytest.mark.parametrize("whose", ["another's", "anybody's"])
def test_nothing_is_run_from_a_cache_that_others_can_write_to(whose, installed):
    cache = installed.venv.parent
    if whose == "another's":
        shutil.chown(cache, "nobody")
    else:
        cache.chmod(0o777)

    done = installed.run_demo()

    cache.chmod(0o755)
    assert done.returncode == 1
    assert "set XDG_CACHE_HOME to a folder of your own" in done.stderr


def test_cdpath_leads_to_no_other_checkout(installed, tmp_path):
    (tmp_path / "spin").mkdir()
    (tmp_path / "tests").mkdir()
    installed.decoy(tmp_path / "spin/lib-tools.sh")
    (tmp_path / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "evil"\nbackend-path = ["."]\n'
    )
    (tmp_path / "evil.py").write_text(installed.says("evil"))

    done = installed.run_demo(Path("spin/demo.sh"), cwd=CHECKOUT, CDPATH=str(tmp_path))

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_suites_set_up_runs_no_decoy_and_says_how_pip_failed(trap, tmp_path):
    done = trap.run(
        CHECKOUT / "tests/run.sh", "--version", VMTIMING_TEST_VENV=str(tmp_path / "venv"),
        PYTHONPATH=str(trap.folder), PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path),
        PIP_CONFIG_FILE="/dev/null",
    )  # fmt: skip

    assert not trap.marker.exists(), trap.marker.read_text()
    assert done.returncode == 1
    assert "tests/run.sh: pip install failed. Its last words:" in done.stderr
    assert re.search(r"No matching distribution found for \w+", done.stderr)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_python_that_a_script_starts_is_isolated(script):
    lines = [line for line in script.read_text().splitlines() if not line.lstrip().startswith("#")]
    starts = [line for line in lines if re.search(r'\bpython3?"? -', line)]

    assert [line for line in starts if not re.search(r'isolated|python3?"? -\w*I', line)] == []
