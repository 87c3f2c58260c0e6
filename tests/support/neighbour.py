"""Somebody who uses the tool on the same machine all the while, as people do."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from support.engine_lab import folders

STORMS = 9_000


@contextmanager
def neighbour() -> Iterator[None]:
    """Have storm after storm of two stand-ins go on, their run folder where everybody's are.

    They must be well at the end: nothing that was done meanwhile was any business of theirs.
    """
    with folders() as lab:
        config = lab.config(2, "boot=0.8 off=0.2")
        own = {
            name: value
            for name, value in lab.environment.items()
            if name not in ("TMPDIR", "XDG_RUNTIME_DIR")
        }
        process = subprocess.Popen(
            [
                sys.executable, "-m", "vmtiming_tui", "--plain", "--no-history", "--force",
                "-n", "2", "-m", "1", "-p", config.prefix, "-s", config.suffix,
                "-v", config.vmdir, "-k", config.kernel, "-q", config.qemu, "--accel", "tcg",
                "--append", config.append, "-r", str(STORMS),
            ],
            env=os.environ | own,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert any("VM 1 booted in" in line for line in process.stdout)
        try:
            yield
        finally:
            running = process.poll() is None
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=60)[0]
        assert running, said[-2000:]
        assert process.returncode == 130, said[-2000:]
        assert " failed" not in said
        assert " timed out" not in said
