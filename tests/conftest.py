"""What holds for every test."""

import signal


def pytest_configure() -> None:
    """Let what the tests start be interrupted: a shell's background job ignores Ctrl-C for all."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
