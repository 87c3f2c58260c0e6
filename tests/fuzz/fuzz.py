"""Look for input that breaks what the package promises, led by what it covers.

    pip install -e '.[fuzz]'
    python tests/fuzz/fuzz.py parser --seconds 60

What is found is kept as a file in tests/fuzz/cases/TARGET/, which the tests try from then on.
"""

import argparse
import sys
import tempfile

import atheris

with atheris.instrument_imports(include=["vmtiming_tui", "targets"]):
    from targets import CASES, MAX_INPUT_BYTES, TARGETS


def main() -> None:
    """Be the command: libFuzzer ends the process itself, with 0 where nothing was found."""
    words = argparse.ArgumentParser(description="Fuzz one target for a bounded time.")
    words.add_argument("target", choices=sorted(TARGETS))
    words.add_argument("--seconds", type=int, default=60, help="how long")
    given = words.parse_args()
    kept = CASES / given.target
    with tempfile.TemporaryDirectory(prefix="vm-timing-fuzz-") as corpus:
        flags = [
            f"-max_total_time={given.seconds}",
            f"-max_len={MAX_INPUT_BYTES}",
            "-timeout=20",
            "-rss_limit_mb=2000",
            "-print_final_stats=1",
            f"-artifact_prefix={kept}/",
        ]
        atheris.Setup([sys.argv[0], *flags, corpus, str(kept)], TARGETS[given.target])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
