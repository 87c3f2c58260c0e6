"""Files that were split: a part of one, told by its name and its neighbours'."""

import os
import re
import shlex
from collections.abc import Iterator

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.quoting import shown

_NUMBERED = re.compile(r"(?P<whole>.+)\.(?P<number>\d{3})", re.DOTALL)
_LETTERED = re.compile(r"(?P<whole>.+\.|x|.+[._-])a(?P<letter>[a-z])", re.DOTALL)
_ZIPPED = re.compile(r"(?P<whole>.+)\.z(?:ip|\d\d)", re.DOTALL | re.IGNORECASE)


def refuse_part(path: str) -> None:
    """Raise ``ImageError`` for a part of a file whose next or former part is there, too."""
    for neighbour, together in _neighbours(path):
        if _is_beside(path, neighbour):
            raise ImageError(
                f"{shown(path)} is one part of a file that was split, as {shown(neighbour)} is",
                hint=f"put the parts together: {together}",
            )


def _neighbours(path: str) -> Iterator[tuple[str, str]]:
    """Yield the names that other parts would have, and the command that puts all together."""
    if found := _NUMBERED.fullmatch(path):
        whole, number = found["whole"], int(found["number"])
        together = _joined(f"{shlex.quote(whole)}.[0-9][0-9][0-9]", whole)
        yield from ((f"{whole}.{beside:03}", together) for beside in (number + 1, number - 1))
    elif found := _LETTERED.fullmatch(path):
        whole, letter = found["whole"], ord(found["letter"])
        bare = whole.rstrip("._-") if whole != "x" else "disk"
        together = _joined(f"{shlex.quote(whole)}[a-z][a-z]", bare)
        yield from ((f"{whole}a{chr(beside)}", together) for beside in (letter + 1, letter - 1))
    elif found := _ZIPPED.fullmatch(path):
        whole = found["whole"]
        new = shlex.quote(f"{whole}-whole.zip")
        together = (
            f"zip -s 0 {shlex.quote(f'{whole}.zip')} --out {new} && vm-timing-report prepare {new}"
        )
        yield f"{whole}.z01", together
        yield f"{whole}.zip", together


def _joined(parts: str, whole: str) -> str:
    name = shlex.quote(whole)
    return f"cat {parts} > {name} && vm-timing-report prepare {name}"


def _is_beside(path: str, neighbour: str) -> bool:
    """Whether a file of that name is there that may be a part: only the last is smaller."""
    if neighbour == path or not os.path.isfile(neighbour):  # noqa: PTH113  names as they were given
        return False
    sizes = [os.path.getsize(name) for name in sorted((path, neighbour))]  # noqa: PTH202
    return _ZIPPED.fullmatch(path) is not None or sizes[0] >= sizes[1]
