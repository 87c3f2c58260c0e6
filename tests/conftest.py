"""What holds for every test."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import settings

from support.engine_lab import Lab, laboratory
from support.neighbour import neighbour

_STATE = pytest.StashKey[str]()

# What takes minutes: begun last, it would keep one worker while the others idle. The first of all
# makes a Debian that others wait for.
_LONGEST_FIRST = (
    "tests/real/test_untouched.py", "tests/real/test_first_command.py",
    "tests/real/", "tests/spin/", "tests/hostile/", "tests/faults/", "tests/engine/", "",
)  # fmt: skip

# How long an example takes says how busy the machine is, and nothing of what is tried.
settings.register_profile("at any pace", deadline=None)
settings.load_profile("at any pace")


def pytest_configure(config: pytest.Config) -> None:
    """Let what the tests start be interrupted, and keep nothing where the user's own state is.

    A shell's background job ignores Ctrl-C for all; an inode of one test's image is another's in
    the next.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[_STATE] = os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="state-of-tests-")


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(config.stash[_STATE], ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, and leave the rest in its order."""

    def place(item: pytest.Item) -> int:
        return next(
            number for number, path in enumerate(_LONGEST_FIRST) if item.nodeid.startswith(path)
        )

    items.sort(key=place)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """End with the bare names of what failed, for a log may keep no more than its end."""
    for kind in ("error", "failed"):
        for report in terminalreporter.getreports(kind):
            terminalreporter.write_line(f"{kind}: {report.nodeid}")


@pytest.fixture(scope="session", autouse=True)
def temporary(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Settle where pytest's own folders are before a lab has the temporary folder be its own."""
    tmp_path_factory.getbasetemp()


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A folder with a stand-in for QEMU, and every folder of a run's in a place of its own."""
    with laboratory() as made:
        yield made


@pytest.fixture(scope="session")
def somebody_else() -> Iterator[None]:
    """Another run on the same machine, from the first test that asks for it to the last."""
    with neighbour():
        yield
