"""Fuzzing what unpacks images: any bytes give a file or an ``ImageError``, within bounds."""

import contextlib
import io
import tempfile
from pathlib import Path
from unittest import mock

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.packed import flow
from vmtiming_tui.images.packed.disks import disk_kind
from vmtiming_tui.images.packed.layers import Unwrapping
from vmtiming_tui.images.packed.members import Content, Member, choose
from vmtiming_tui.images.packed.no_disks import told

MAX_UNPACKED_BYTES = 4 << 20


def packed(data: bytes) -> None:
    """A packed file: what comes of it, if anything, is one file, and not too large."""
    said: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="vm-timing-fuzz-") as folder,
        mock.patch.object(flow, "MAX_UNPACKED_BYTES", MAX_UNPACKED_BYTES),
    ):
        work = Path(folder)
        job = Unwrapping(work=work, wanted="", say=said.append)
        with contextlib.suppress(ImageError):
            found = job.unpack(io.BytesIO(data))
            assert [path.name for path in work.iterdir()] == [found.name]
    assert all(words.isprintable() for words in said)


def no_disks(data: bytes) -> None:
    """A file's beginning, and a descriptor of an archive: told, in words that can be shown."""
    if found := told(data):
        assert found.advice(data).isprintable()
    disk_kind(data, len(data))
    members = [Member(name=name, size=1, disk="qcow2") for name in ("a.vmdk", "b.vmdk")]
    with contextlib.suppress(ImageError):
        assert choose(Content(members=members, ovf=data), "").remark.isprintable()
