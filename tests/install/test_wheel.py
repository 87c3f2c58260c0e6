"""The wheel: what it carries, and that it runs where there is nothing of the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from vmtiming_tui import __version__

CHECKOUT = Path(__file__).parents[2]
DATA = PurePosixPath("vmtiming_tui/data")
PIP = (sys.executable, "-I", "-m", "pip", "--quiet", "--disable-pip-version-check")
MAN_PAGE = f"vmtiming_tui-{__version__}.data/data/share/man/man1/vm-timing-report.1"
BUILT_ON = "2001-09-09"
NOT_INSTALLED = {PurePosixPath("vmtiming_tui/manual/build_hook.py")}
PICTURES = {".svg", ".png", ".jpg", ".gif", ".webp"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built without a network by the hatchling the tests have."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [*PIP, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder,
         CHECKOUT],
        check=True, timeout=300, env=os.environ | {"SOURCE_DATE_EPOCH": "1000000000"},
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel) -> set[PurePosixPath]:
    with zipfile.ZipFile(wheel) as archive:
        return {PurePosixPath(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A new virtual environment with the wheel; what the tool needs is lent by the tests' own."""
    folder = tmp_path_factory.mktemp("installed")
    venv = [sys.executable, "-I", "-m", "venv", "--without-pip", folder]
    subprocess.run(venv, check=True, timeout=300)
    python = folder / "bin/python"
    subprocess.run(
        [*PIP, "--python", python, "install", "--no-deps", "--no-index", wheel],
        check=True, timeout=300,
    )  # fmt: skip
    own = _run(python, "-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    lent = [path for path in sys.path if Path(path).name == "site-packages"]
    # A .pth file in a folder that another one names is not obeyed: the checkout stays out of it.
    Path(own.strip(), "lent.pth").write_text("".join(f"{path}\n" for path in lent))
    return folder


def _run(*words: object) -> str:
    """Return what a command says, started where there is no checkout."""
    done = subprocess.run(
        list(map(str, words)), cwd="/", capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _tracked(*folders: str) -> set[PurePosixPath]:
    listed = subprocess.run(
        ["git", "-C", CHECKOUT, "ls-files", "-z", *folders],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return {PurePosixPath(name) for name in listed.stdout.split("\0") if name}


def test_it_carries_every_module_every_script_and_every_asset_but_the_pictures(names):
    code = _tracked("vmtiming_tui") - NOT_INSTALLED
    data = {path for path in _tracked("spin", "assets") if path.suffix not in PICTURES}

    metadata = {path for path in names if path.parts[0].endswith(".dist-info")}

    made = {PurePosixPath(MAN_PAGE)}
    assert names - metadata == code | {DATA / path for path in data} | made


def test_most_of_it_is_code(wheel):
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.compress_size for info in archive.infolist()}
    code = sum(size for name, size in sizes.items() if name.endswith((".py", ".sh")))
    assert code > sum(sizes.values()) / 2


def test_what_was_installed_runs_and_names_its_version(installed):
    said = _run(installed / "bin/vm-timing-report", "--version")
    assert __version__ in said
    code = "import vmtiming_tui; print(vmtiming_tui.__file__)"
    where = _run(installed / "bin/python", "-I", "-c", code)
    assert Path(where.strip()).is_relative_to(installed)


@pytest.mark.parametrize(
    "words",
    [
        ("vm-timing-report", "--help"),
        ("vm-timing-report", "demo", "--help"),
        ("vm-timing-report", "prepare", "--help"),
        ("spin-from-raw.sh", "--help"),
        ("gen-debian-rawfs.sh", "--help"),
    ],
)
def test_its_commands_say_what_they_do(installed, words):
    command, *rest = words
    assert f"{command} " in _run(installed / "bin" / command, *rest)


def test_its_man_page_is_found_and_dated_by_its_build(installed):
    bin_first = {"PATH": f"{installed / 'bin'}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    shown = subprocess.run(
        ["man", "vm-timing-report"],
        cwd="/", env=bin_first, capture_output=True, text=True, check=True, timeout=120,
    ).stdout  # fmt: skip

    assert f"vmtiming-tui {__version__}" in shown
    assert BUILT_ON in shown


def test_its_manual_is_shown(installed):
    assert "VMREPORTID" in _run(installed / "bin/vm-timing-report", "manual", "guests")


def test_it_finds_its_scripts_its_guest_and_its_schema_within_itself(installed):
    wanted = [
        *((path.parts[0], path.name) for path in _tracked("spin")),
        ("assets", "vm-report.sh"), ("assets", "vm-report.service"),
        ("assets", "export.schema.json"),
    ]  # fmt: skip
    code = (
        "import ast, sys\nfrom vmtiming_tui.resources import resource\n"
        "for parts in ast.literal_eval(sys.argv[1]): print(resource(*parts))"
    )

    found = _run(installed / "bin/python", "-I", "-c", code, wanted).splitlines()

    assert len(found) == len(wanted)
    assert all(Path(path).is_relative_to(installed) and Path(path).is_file() for path in found)
