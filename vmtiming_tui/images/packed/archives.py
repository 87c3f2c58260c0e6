"""Archives gone through once: each member looked at, one of them written out in passing."""

import errno
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.packed.disks import LEAST_DISK_BYTES, disk_kind, is_description
from vmtiming_tui.images.packed.flow import FAILURES, Flow, flow_of, unpacked, write_sparse
from vmtiming_tui.images.packed.members import MAX_OVF_BYTES, Content, Member
from vmtiming_tui.images.packed.no_disks import HEAD_BYTES, told
from vmtiming_tui.images.packed.packing import ARCHIVES, MARK_BYTES, Packing, packing_of
from vmtiming_tui.images.quoting import shown

MAX_LAYERS = 4
_TAR_BLOCK = 1 << 20
_ENCRYPTED, _STRONG = 0x1, 0x40
_AES = 99
_SPANNED = b"PK\x07\x08"
Say = Callable[[str], None]


def peeled(flow: Flow, say: Say) -> Flow:
    """Return what is packed, without the packings around it that are no archives."""
    for _ in range(MAX_LAYERS):
        packing = packing_of(flow.peek(MARK_BYTES))
        if packing is None or packing in ARCHIVES:
            return flow
        flow = unpacked(packing, flow, say)
    raise ImageError("it is packed again and again")


@dataclass(slots=True)
class Passage:
    """One passage through an archive; what is ``wanted``, or else the first disk, is written out.

    With ``is_exact`` that is a member's whole name. ``target`` is a file that is not there yet;
    ``told`` is the place in the archive that has been reached.
    """

    wanted: str
    is_exact: bool
    target: Path
    content: Content
    say: Say
    told: Callable[[int], None]

    def through(self, packing: Packing, file: BinaryIO | Flow) -> None:
        """Go through a whole archive; raise ``ImageError`` where it is damaged."""
        if packing is Packing.TAR:
            self._tar(file)
        elif not isinstance(file, Flow):  # a zip that is packed again was written out first
            self._zip(file)

    def _tar(self, file: BinaryIO | Flow) -> None:
        try:
            with self._open_tar(file) as tar:
                while (info := tar.next()) is not None:
                    tar.members.clear()  # type: ignore[attr-defined]  # it would keep them all
                    self.content.note(info.name)
                    if not info.isreg():
                        continue
                    content = tar.extractfile(info)
                    assert content is not None  # noqa: S101  it is a file
                    self._visit(info.name, info.size, content, file)
        except FAILURES as error:
            raise _damaged(error) from None
        except OSError as error:
            raise _as_damage(error) from None

    def _open_tar(self, file: BinaryIO | Flow) -> tarfile.TarFile:
        if isinstance(file, Flow):
            return tarfile.open(fileobj=file, mode="r|", bufsize=_TAR_BLOCK)  # type: ignore[call-overload,no-any-return]
        return tarfile.open(fileobj=file, mode="r:")

    def _zip(self, file: BinaryIO) -> None:
        head = file.read(len(_SPANNED))
        file.seek(0)
        try:
            with zipfile.ZipFile(file) as archive:
                for info in archive.infolist():
                    self.content.note(info.filename)
                    if info.filename.endswith("/"):
                        continue
                    if info.flag_bits & (_ENCRYPTED | _STRONG) or info.compress_type == _AES:
                        raise ImageError(
                            "the archive is encrypted",
                            hint="unpack it with its password: 7z x {image} (apt-get install "
                            "p7zip-full), then prepare the disk in it",
                        )
                    with archive.open(info) as content:
                        self._visit(info.filename, info.file_size, content, file)
        except NotImplementedError as error:
            raise ImageError(
                f"the archive is packed in a way not known here ({shown(str(error))})",
                hint="7z x {image} (apt-get install p7zip-full), then prepare the disk in it",
            ) from None
        except FAILURES as error:
            if head == _SPANNED:
                raise _in_parts() from None
            raise _damaged(error) from None
        except OSError as error:
            raise _as_damage(error) from None

    def _visit(self, name: str, size: int, file: IO[bytes], source: BinaryIO | Flow) -> None:
        def told(_: int) -> None:
            if not isinstance(source, Flow):
                self.told(source.tell())

        flow = flow_of(file, told)
        if name.lower().endswith(".ovf") and not self.content.ovf:
            self.content.ovf = flow.peek(MAX_OVF_BYTES)
        is_small = size < LEAST_DISK_BYTES and packing_of(flow.peek(MARK_BYTES)) is None
        is_asked = self.wanted == name if self.is_exact else self.wanted in _names(name)
        if is_small and not is_asked and not is_description(flow.peek(HEAD_BYTES)):
            return
        bare = peeled(flow, self.say)
        head = bare.peek(HEAD_BYTES)
        member = self._member(name, size, head, is_packed=bare is not flow)
        self.content.members.append(member)
        is_first = not self.wanted and (member.disk or member.is_archive)
        if (is_asked or is_first) and not self.content.kept:
            written = write_sparse(bare, self.target)
            if bare is flow and written != size:
                raise _damaged("a file in it ends too early")
            self.content.kept = name
        else:
            bare.close()

    def _member(self, name: str, size: int, head: bytes, *, is_packed: bool) -> Member:
        if packing_of(head[:MARK_BYTES]) in ARCHIVES:
            return Member(name=name, size=size, is_archive=True)
        if is_description(head):
            return Member(name=name, size=size, is_description=True)
        found = told(head)
        disk = disk_kind(head, None if is_packed else size)
        return Member(name=name, size=size, disk=disk, what=found.what if found else "")


def _names(name: str) -> tuple[str, str]:
    return name, name.rpartition("/")[2]


def _as_damage(error: OSError) -> Exception:
    """Return what to raise where reading failed: the archive's fault, or the host's.

    Without a number it is bz2's own; EINVAL is a place that no file has.
    """
    return _damaged(error) if error.errno in (None, errno.EINVAL) else error


def _damaged(error: object) -> ImageError:
    return ImageError(
        f"the archive is damaged or cut short: {shown(str(error))}", hint="get it again"
    )


def _in_parts() -> ImageError:
    return ImageError(
        "the image is one part of a split archive",
        hint="put the parts together: zip -s 0 FIRST.zip --out whole.zip, then prepare whole.zip",
    )
