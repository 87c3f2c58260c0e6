"""Look for input that breaks what the package promises, led by what it covers.

    pip install -e '.[fuzz]'
    python tests/fuzz/fuzz.py parser --seconds 60

What is found is kept as a file in tests/fuzz/cases/TARGET/, which the tests try from then on.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path

import atheris

sys.path[0] = str(Path(__file__).parents[1])
with atheris.instrument_imports(
    include=[
        "vmtiming_tui",
        "fuzz.targets",
        "fuzz.image_targets",
        "fuzz.boot_targets",
        "fuzz.packed_targets",
    ]
):
    from fuzz.targets import CASES, MAX_INPUT_BYTES, TARGETS


def dictionary(kept: Path) -> str:
    """Return the words of the kept cases, one a line: what need not be found by chance."""
    texts = (case.read_bytes() for case in kept.iterdir())
    words = {word for text in texts for word in re.findall(rb"[A-Za-z_:|-]{3,30}", text)}
    return "".join(f'"{word.decode()}"\n' for word in sorted(words))


def main() -> None:
    """Be the command: libFuzzer ends the process itself, with 0 where nothing was found."""
    asked = argparse.ArgumentParser(description="Fuzz one target for a bounded time.")
    asked.add_argument("target", choices=sorted(TARGETS))
    asked.add_argument("--seconds", type=int, default=60, help="how long")
    given = asked.parse_args()
    kept = CASES / given.target
    with tempfile.TemporaryDirectory(prefix="vm-timing-fuzz-") as name:
        corpus, words = Path(name) / "corpus", Path(name) / "words"
        corpus.mkdir()
        words.write_text(dictionary(kept))
        flags = [
            f"-max_total_time={given.seconds}",
            f"-max_len={MAX_INPUT_BYTES}",
            "-timeout=20",
            "-rss_limit_mb=2000",
            "-print_final_stats=1",
            f"-dict={words}",
            f"-artifact_prefix={kept}/",
        ]
        atheris.Setup([sys.argv[0], *flags, str(corpus), str(kept)], TARGETS[given.target])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
