"""Where the files of ``spin/`` and ``assets/`` are, in a checkout and in an installed wheel."""

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
