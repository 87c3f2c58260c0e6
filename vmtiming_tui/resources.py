"""Where the shell scripts and the guest's files are, in a checkout and in an installed wheel."""

import os
import sys
from pathlib import Path

from vmtiming_tui.errors import VmTimingError

_PACKAGE = Path(__file__).resolve().parent


def resource(*parts: str) -> Path:
    """Return a file of ``spin/`` or ``assets/``, such as ``resource("spin", "demo.sh")``."""
    for root in (_PACKAGE / "data", _PACKAGE.parent):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise VmTimingError(
        f"{'/'.join(parts)} is missing from this installation",
        hint="install the package again: pip install --force-reinstall vmtiming-tui",
    )


def _exec(script: str) -> None:
    path = str(resource("spin", script))
    os.execvp("bash", ["bash", path, *sys.argv[1:]])  # noqa: S606, S607  the user's own bash


def run_spin_from_raw() -> None:
    """Become ``spin-from-raw.sh``: the command of that name."""
    _exec("spin-from-raw.sh")


def run_gen_debian_rawfs() -> None:
    """Become ``gen-debian-rawfs.sh``: the command of that name."""
    _exec("gen-debian-rawfs.sh")
