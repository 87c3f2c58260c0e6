"""What takes long to make is made once and kept, below the user's cache folder."""

import fcntl
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_path


def kept(name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that ``make`` filled, now or earlier; it gets its name when it is whole."""
    root = user_cache_path("vmtiming-tui") / "tests"
    root.mkdir(parents=True, exist_ok=True)
    with (root / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        final = root / name
        if not final.is_dir():
            making = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=root))
            try:
                make(making)
                making.rename(final)
            finally:
                shutil.rmtree(making, ignore_errors=True)
        return final
