"""What holds for every test."""

import os
import shutil
import signal
import tempfile

import pytest

_STATE = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Let what the tests start be interrupted, and keep nothing where the user's own state is.

    A shell's background job ignores Ctrl-C for all; an inode of one test's image is another's in
    the next.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[_STATE] = os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="state-of-tests-")


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(config.stash[_STATE], ignore_errors=True)
