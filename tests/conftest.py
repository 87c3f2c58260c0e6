"""What holds for every test."""

import signal

from hypothesis import settings

# How long an example takes says how busy the machine is, and nothing of what is tried.
settings.register_profile("at any pace", deadline=None)
settings.load_profile("at any pace")


def pytest_configure() -> None:
    """Let what the tests start be interrupted: a shell's background job ignores Ctrl-C for all."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
