"""What a run is called, in the history and to whoever asks for it."""

import secrets
import time


def run_id(wall_ns: int) -> str:
    """Return a name for a run that sorts by time (ns since 1970) and is no other's."""
    seconds, rest_ns = divmod(wall_ns, 1_000_000_000)
    part = rest_ns * 0x1000 // 1_000_000_000  # of the second, in 4096ths: 0.24 ms
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))
    return f"{stamp}-{part:03x}{secrets.randbelow(0x1000):03x}"
