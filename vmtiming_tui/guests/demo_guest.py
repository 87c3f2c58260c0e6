"""The demo guest: a small real Debian, built once and kept until its recipe changes.

It lives in the user's cache folder under a name that holds a digest of everything it is made from,
so a changed recipe makes a new guest; one that nobody has booted for a week is then removed.
"""

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from platformdirs import user_cache_path

from vmtiming_tui.errors import VmTimingError
from vmtiming_tui.guests.scripts import run_script
from vmtiming_tui.request.settings import Raw
from vmtiming_tui.resources import resource

KEPT_UNUSED_S = 7 * 24 * 3600

CONSOLE = "loglevel=6"
"""What has the guest's kernel say on its console who it is, and little more."""

BUILDER = "gen-demo-guest.sh"
INGREDIENTS = (
    ("spin", BUILDER),
    ("spin", "lib-debian.sh"),
    ("assets", "vm-report.sh"),
    ("assets", "vm-report.service"),
)


class DemoVariant(StrEnum):
    """``demo`` is an honest small Debian; ``quick`` leaves more out, for tests."""

    DEMO = "demo"
    QUICK = "quick"


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest ready to boot, in a folder of its own."""

    folder: Path

    @property
    def rootfs(self) -> Path:
        """The root file system image, the backing file of every VM's overlay."""
        return self.folder / "rootfs.img"

    @property
    def kernel(self) -> Path:
        """The guest's own kernel."""
        return self.folder / "BFILES" / "vmlinuz"

    @property
    def initrd(self) -> Path:
        """The initrd made for that kernel."""
        return self.folder / "BFILES" / "initrd"

    @property
    def is_whole(self) -> bool:
        """Whether all of it is there."""
        return all(path.is_file() for path in (self.rootfs, self.kernel, self.initrd))

    def raw_config(self) -> dict[str, Raw]:
        """Return the settings that boot this guest, as ``build_config`` takes them."""
        return {
            "prefix": "demo",
            "suffix": ".img",
            "vmdir": str(self.folder / "vms"),
            "kernel": str(self.kernel),
            "initrd": str(self.initrd),
            "base": str(self.rootfs),
            "memory_mib": "340",
            "append": CONSOLE,
        }


def recipe() -> str:
    """Return a digest of what the guest is made from."""
    digest = hashlib.sha256()
    for parts in INGREDIENTS:
        digest.update(resource(*parts).read_bytes())
    return digest.hexdigest()[:12]


def cached_guest(variant: DemoVariant, cache: Path | None = None) -> Guest:
    """Return where the guest of today's recipe is, or will be; it may not be built yet."""
    root = cache or user_cache_path("vmtiming-tui") / "guests"
    return Guest(root / f"{variant}-{recipe()}")


@contextmanager
def _one_builder(root: Path) -> Iterator[None]:
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build_guest(variant: DemoVariant, cache: Path | None = None) -> Guest:
    """Return the guest, built now if it is not in the cache; the builder's words go to stderr.

    Two callers at once build it once. Raises ``VmTimingError`` when the build fails.
    """
    guest = cached_guest(variant, cache)
    root = guest.folder.parent
    with _one_builder(root):
        if guest.is_whole:
            os.utime(guest.folder)
            return guest
        shutil.rmtree(guest.folder, ignore_errors=True)
        code = run_script(BUILDER, "--variant", variant, str(guest.folder))
        if code or not guest.is_whole:
            raise VmTimingError(
                f"the demo guest could not be built: {BUILDER} ended with exit code {code}",
                hint="vm-timing-report doctor names what is missing",
            )
        # Another checkout of this tool may be booting a guest of its own recipe.
        for old in root.glob(f"{variant}-*"):
            if old != guest.folder and time.time() - old.stat().st_mtime > KEPT_UNUSED_S:
                shutil.rmtree(old, ignore_errors=True)
    return guest


def demo_raw(given: Mapping[str, Raw], guest: Guest) -> dict[str, Raw]:
    """Return the demo's settings with what the user asked for laid over them.

    Kernel arguments are added to the demo's own, which they win over.
    """
    raw = {"number": "4"} | guest.raw_config() | dict(given)
    if append := given.get("append"):
        raw["append"] = f"{CONSOLE} {append}"
    return raw
