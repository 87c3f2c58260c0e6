"""A kernel of the host's as a throw-away VM boots it, with the modules it takes."""

import gzip
import lzma
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vmtiming_tui.errors import ImageError

_MODULES = Path("/lib/modules")
_SUFFIX = re.compile(r"\.ko(\.(?:gz|xz|zst))?$")
_UNPACK_LIMIT_S = 60


@dataclass(frozen=True, slots=True)
class GuestKernel:
    """A version, and its file held open."""

    version: str
    fd: int

    @property
    def folder(self) -> Path:
        """Where its modules are on the host."""
        return _MODULES / self.version

    def builtin(self) -> frozenset[str]:
        """Return the names of what it has without a module."""
        lines = (self.folder / "modules.builtin").read_text().splitlines()
        return frozenset(map(module_name, lines))

    def needed(self) -> dict[str, tuple[str, ...]]:
        """Return each module's path and those of what it needs, by its name (modules.dep)."""
        found = {}
        for line in (self.folder / "modules.dep").read_text().splitlines():
            path, _, rest = line.partition(":")
            found[module_name(path)] = (path, *rest.split())
        return found

    def has(self, names: Sequence[str]) -> bool:
        """Whether all of these are in it or beside it."""
        known = self.builtin() | self.needed().keys()
        return all(name in known for name in names)

    def load_order(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the paths of the modules to load for these, each after what it needs.

        What the kernel has built in, or does not know at all, is left out.
        """
        needed = self.needed()
        paths = (path for name in names if name in needed for path in reversed(needed[name]))
        return tuple(dict.fromkeys(paths))

    def modules(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Yield the modules to load for these, in order, unpacked; raise ``ImageError``."""
        for path in self.load_order(names):
            yield module_name(path), _unpacked(self.folder / path)


def module_name(path: str) -> str:
    """Return the name of a module in a file of that path, with underscores only."""
    return _SUFFIX.sub("", path.rpartition("/")[2]).replace("-", "_")


def _unpacked(path: Path) -> bytes:
    """Busybox's insmod takes plain modules only."""
    match path.suffix:
        case ".gz":
            return gzip.decompress(path.read_bytes())
        case ".xz":
            return lzma.decompress(path.read_bytes())
        case ".zst":
            try:
                return subprocess.run(  # noqa: S603  a file of the host's own
                    ["zstd", "-dcq", str(path)],  # noqa: S607
                    capture_output=True, check=True, timeout=_UNPACK_LIMIT_S,
                ).stdout  # fmt: skip
            except (OSError, subprocess.SubprocessError):
                raise ImageError(
                    f"{path} cannot be unpacked", hint="apt-get install zstd"
                ) from None
        case _:
            return path.read_bytes()
