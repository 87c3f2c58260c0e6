"""What an image's header says, as values, and how its readers complain."""

import os
from dataclasses import dataclass

from vmtiming_tui.errors import ImageError

SECTOR = 512
MAX_NAME_BYTES = 1023


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """So many bytes of a VMDK's disk, in a file from ``offset`` on; the file ``""`` is zeros.

    ``is_flat`` says that the file holds them as they are, ``is_sparse`` that it is a VMDK of its
    own that holds what was written.
    """

    kind: str
    name: str
    offset: int
    size: int
    is_flat: bool
    is_sparse: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageHeader:
    """What an image says of itself, none of it believed: names are as they stand there.

    ``backing_format`` is empty where it says none; ``extents`` is what a VMDK that is a description
    alone is made of. ``content_ids`` are what a VMDK calls its own content and that of its parent.
    ``differs_from`` is a parent that QEMU does not follow, in words; ``is_damaged`` what a qcow2
    says of itself, ``is_compressed`` that it cannot be written to.
    """

    format: str
    virtual_bytes: int = 0
    backing: str = ""
    backing_format: str = ""
    data_file: str = ""
    extents: tuple[Extent, ...] = ()
    content_ids: tuple[int, int] | None = None
    differs_from: str = ""
    is_damaged: bool = False
    is_compressed: bool = False


def encrypted() -> ImageError:
    """Return the complaint about an encrypted image."""
    return ImageError(
        "the image is encrypted",
        hint="write it out without encryption first: qemu-img convert, with its secret",
    )


def damaged(kind: str, what: str) -> ImageError:
    """Return the complaint about a header that makes no sense."""
    return ImageError(
        f"the image is a damaged {kind}: {what}", hint="get it again, or try qemu-img check"
    )


def name_in(raw: bytes) -> str:
    """Return a name that ends at its first zero."""
    return os.fsdecode(raw.split(b"\0", 1)[0])
