"""Which kernel is the newer one."""

import re

_PARTS = re.compile(r"([^0-9]*)([0-9]*)")
_MAX_CHARS = 256

Key = tuple[tuple[tuple[int, ...], tuple[int, str]], ...]


def version_key(version: str) -> Key:
    """Return what to sort kernels' versions by, as ``sort --version-sort`` does (Debian policy).

    Letters come after digits there, so ``427.el9`` after ``427.13.1.el9`` and ``-rc1`` after the
    release; what begins with a tilde comes before even the end.
    """
    text = re.sub(r"\.(?=[a-z])", "~", version[:_MAX_CHARS]).replace("-rc", "~rc")
    return tuple(
        ((*map(_order, word), 0), (len(digits.lstrip("0")), digits.lstrip("0")))
        for word, digits in _PARTS.findall(text)
    )


def _order(char: str) -> int:
    if char == "~":
        return -1
    return ord(char) + (0 if char.isalpha() else 1 << 21)
