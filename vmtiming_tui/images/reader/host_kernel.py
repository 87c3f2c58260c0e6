"""The kernels this host has installed, for a VM that reads what only a kernel can."""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BOOT, _MODULES = Path("/boot"), Path("/lib/modules")
_VERSION = re.compile(r"[0-9][\w.+~-]{0,100}", re.ASCII)
_MOST = 4


@dataclass(frozen=True, slots=True)
class HostKernel:
    """A kernel that can be read, its modules beside it; ``fd`` is its file, held open."""

    version: str
    fd: int

    @property
    def modules(self) -> Path:
        """Where its modules are."""
        return _MODULES / self.version


def _order(version: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part)
            for part in re.findall(r"\d+|[a-z]+", version)]  # fmt: skip


def versions() -> list[str]:
    """Return the versions whose kernel can be read and whose modules are there, newest first."""
    found = [
        version
        for path in _BOOT.glob("vmlinuz-*")
        if _VERSION.fullmatch(version := path.name.removeprefix("vmlinuz-"))
        and os.access(_MODULES / version / "modules.dep", os.R_OK)
        and os.access(path, os.R_OK)
    ]
    return sorted(found, key=_order, reverse=True)[:_MOST]


def debian_arch() -> str:
    """Return what Debian calls this host's architecture."""
    arch = os.uname().machine
    return {"x86_64": "amd64", "aarch64": "arm64", "i686": "686"}.get(arch, arch)


@contextlib.contextmanager
def kernels() -> Iterator[list[HostKernel]]:
    """Hold the newest of them open for as long as the block lasts."""
    with contextlib.ExitStack() as held:
        found = []
        for version in versions():
            fd = os.open(_BOOT / f"vmlinuz-{version}", os.O_RDONLY | os.O_CLOEXEC)
            held.callback(os.close, fd)
            found.append(HostKernel(version, fd))
        yield found
