"""Which versions hosts have of what must be alike: ours. Others that differ are only said."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError
from typing import Any

from vmtiming_tui import __version__
from vmtiming_tui.errors import Problem
from vmtiming_tui.escape import one_line

PACKAGE = "vmtiming-tui"
_BESIDE = ("python", "dask", "distributed")


def own_version_problems(told: Mapping[str, object]) -> list[Problem]:
    """Return why hosts cannot take part, by what each said when asked for our version.

    An engine and its front end have no other agreement on what they tell each other.
    """
    problems = []
    for host, said in told.items():
        if said == __version__:
            continue
        if isinstance(said, PackageNotFoundError):
            why = f"{PACKAGE} is not installed there: pip install '{_wanted()}'"
        elif isinstance(said, str):
            why = (
                f"it has {PACKAGE} {one_line(said)}, and this host {__version__}: "
                f"pip install '{_wanted()}'"
            )
        else:
            why = f"it cannot be asked for its version: {one_line(str(said))}"
        problems.append(Problem("hosts", f"host {host}: {why}"))
    return problems


def _wanted() -> str:
    return f"{PACKAGE}[cluster]=={__version__}"


def version_warnings(own: Mapping[str, Any], told: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what hosts have in another version than this one, of what Dask says of each."""
    found = []
    for what in _BESIDE:
        ours = _version(own, what)
        theirs = {host: _version(said, what) for host, said in told.items()}
        if unlike := {host: one_line(has) for host, has in theirs.items() if has != ours}:
            each = ", ".join(f"{has or 'none'} on {host}" for host, has in unlike.items())
            found.append(f"{what} is {ours} here, {each}; alike is what was tried")
    return found


def _version(said: Mapping[str, Any], package: str) -> str:
    """Return a version as Dask's report has it: Python's to its minor number."""
    packages = said.get("packages")
    version = str(packages.get(package) or "") if isinstance(packages, Mapping) else ""
    return ".".join(version.split(".")[:2]) if package == "python" else version
