"""This package's own programs, started so that nothing but their words steers them."""

import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2]


def isolated(module: str, *words: str) -> list[str]:
    """Return the command that runs ``main`` of a module of ``images``, with these words.

    Python's own variables, the user's packages and the current folder have no say (``-I``), and
    nothing is written beside the source.
    """
    program = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); "
        f"from vmtiming_tui.images.{module} import main; sys.exit(main(sys.argv[1:]))"
    )
    return [sys.executable, "-I", "-B", "-c", program, str(PACKAGE.parent), *words]
