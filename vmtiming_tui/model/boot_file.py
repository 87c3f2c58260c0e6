"""What is told of the files that VMs boot from."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BootFile:
    """A file that VMs boot from, as it was before they did: a ``kernel``, ``initrd`` or ``image``.

    Of an image it is the file that all its overlays stand on. Size and time tell whether it was
    replaced or written to, not what is in it: to read all of a large file for a digest would fill
    the page cache that boots are timed with. ``modified_ns`` is since 1970.
    """

    role: str
    path: str
    size_bytes: int
    modified_ns: int

    @property
    def state(self) -> str:
        """Its size, and when it was last written, to the second in UTC."""
        try:
            at = datetime.fromtimestamp(self.modified_ns // 1_000_000_000, UTC)
        except (OverflowError, ValueError, OSError):
            return f"{self.size_bytes:,} bytes"
        return f"{self.size_bytes:,} bytes of {at:%Y-%m-%d %H:%M:%S} UTC"
