"""The logical volumes of LVM, from the metadata that lies on its disks.

A linear volume is so many extents of so many disks one after another: it is read as that, so
nothing is activated and no name can clash with one of the host's. What only the kernel's device
mapper can put together (thin, striped, raid, cached volumes) is told, with what it takes.
Layout after lvm2's lib/format_text/layout.h; the text is that of lvm.conf(5) and vgcfgbackup(8).
"""

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Piece, Stretch
from vmtiming_tui.images.disk.lvm_label import SECTOR_BYTES, Area, checksum, dashed, read_label
from vmtiming_tui.images.disk.lvm_text import Section, Value, parse

_AREA_MARK = b" LVM2 x[5A%r0N*>"
_AREA_HEADER_BYTES = 512
_IGNORED = 1
_MAX_TEXT_BYTES = 4 << 20
_MAX_SEGMENTS = 20_000
_MAX_VOLUMES = 1000
_MAX_SECTORS = 1 << 54
# lib/metadata/lv_manip.c and lib/misc/lvm-string.c: what vgcreate and lvcreate take as a name.
_NAME = re.compile(r"(?!-|\.{1,2}$)[A-Za-z0-9_.+-]{1,127}")
_LINEAR = ("striped", "linear")
# A kind may be followed by what lvm2 of another age has to know (lib/format_text/flags.c).
_KIND = re.compile(r"([a-z][a-z0-9_-]{0,40})(?:\+[A-Z0-9_]{1,40}){0,8}")


@dataclass(frozen=True, slots=True)
class Segment:
    """Extents of a volume one after another; ``places`` has (disk's id, first extent) a stripe.

    ``words`` are all its texts, among which are the names of the volumes it stands on.
    """

    kind: str
    first: int
    count: int
    places: tuple[tuple[str, int], ...]
    words: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LogicalVolume:
    """A volume of a group, as its metadata tells it."""

    name: str
    visible: bool
    segments: tuple[Segment, ...]

    @property
    def kind(self) -> str:
        """What it is put together by; empty where it is one run of extents after another."""
        odd = [part.kind for part in self.segments if len(part.places) != 1]
        return odd[-1] if odd else ""

    @property
    def extents(self) -> int:
        """How long it is."""
        return sum(segment.count for segment in self.segments)


@dataclass(frozen=True, slots=True)
class VolumeGroup:
    """A volume group; ``data_starts`` has each disk's first extent, in bytes, by the disk's id."""

    id: str
    name: str
    generation: int
    extent_bytes: int
    data_starts: Mapping[str, int]
    volumes: tuple[LogicalVolume, ...]


def read_group(disk: Stretch) -> VolumeGroup | None:
    """Return the group that a physical volume tells of; None where it tells of none.

    Raises ``ImageError`` where what it tells cannot be read.
    """
    label = read_label(disk)
    if label is None:
        return None
    complaint: ImageError | None = None
    for area in label.areas:
        try:
            text = _metadata(disk, area)
            if text is not None:
                return _group(parse(text))
        except ImageError as error:
            complaint = complaint or error
    if complaint:
        raise complaint
    return None


def _metadata(disk: Stretch, area: Area) -> str | None:
    """Return an area's text, which may go over its end and on behind its header."""
    header = disk.read(area.offset, _AREA_HEADER_BYTES)
    check, mark, version, start, size = struct.unpack_from("<I16sIQQ", header)
    if (mark, version, start) != (_AREA_MARK, 1, area.offset) or check != checksum(header[4:]):
        raise ImageError("the header of its metadata is damaged")
    offset, length, text_check, flags = struct.unpack_from("<QQII", header, 40)
    if not offset or flags & _IGNORED:
        return None
    if not _AREA_HEADER_BYTES <= offset < size or not 0 < length <= min(
        _MAX_TEXT_BYTES, size - _AREA_HEADER_BYTES
    ):
        raise ImageError("its metadata lies outside of its place")
    here = min(length, size - offset)
    raw = disk.read(start + offset, here)
    raw += disk.read(start + _AREA_HEADER_BYTES, length - here)
    if checksum(raw) != text_check:
        raise ImageError("its metadata is damaged: the checksum is another")
    return raw.partition(b"\0")[0].decode(errors="replace")


# The text, into types


def _section(parent: Section, key: str) -> Section:
    found = parent.get(key, {})
    if not isinstance(found, Mapping):
        raise ImageError("LVM's metadata is damaged")
    return found


def _number(section: Section, key: str, limit: int) -> int:
    found = section.get(key)
    if not isinstance(found, int) or not 0 <= found <= limit:
        raise ImageError(f"LVM's metadata holds a {key} that cannot be")
    return found


def _name(word: str) -> str:
    if not _NAME.fullmatch(word):
        raise ImageError("LVM's metadata holds a name that LVM does not allow")
    return word


def _id(section: Section) -> str:
    found = section.get("id")
    if not isinstance(found, str):
        raise ImageError("LVM's metadata is damaged: an id is missing")
    ident = dashed(found.replace("-", "").encode(errors="replace"))
    if ident != found:
        raise ImageError("LVM's metadata holds an id that cannot be")
    return ident


def _group(text: Section) -> VolumeGroup:
    groups = [(name, value) for name, value in text.items() if isinstance(value, Mapping)]
    if len(groups) != 1:
        raise ImageError("LVM's metadata tells of more than one group, or none")
    name, body = groups[0]
    extent_bytes = _number(body, "extent_size", 1 << 32) * SECTOR_BYTES
    if not extent_bytes:
        raise ImageError("LVM's metadata holds an extent_size that cannot be")
    disks: dict[str, str] = {}
    starts: dict[str, int] = {}
    for alias, disk in _section(body, "physical_volumes").items():
        if not isinstance(disk, Mapping) or _id(disk) in starts:
            raise ImageError("LVM's metadata is damaged: it has a disk twice")
        disks[alias] = _id(disk)
        starts[disks[alias]] = _number(disk, "pe_start", _MAX_SECTORS) * SECTOR_BYTES
    volumes: list[LogicalVolume] = []
    for volume, facts in _section(body, "logical_volumes").items():
        if not isinstance(facts, Mapping):
            raise ImageError("LVM's metadata is damaged")
        if len(volumes) == _MAX_VOLUMES:
            raise ImageError(f"LVM's metadata tells of more than {_MAX_VOLUMES} volumes")
        status = facts.get("status", [])
        visible = isinstance(status, list) and "VISIBLE" in status
        volumes.append(LogicalVolume(_name(volume), visible, tuple(_segments(facts, disks))))
    return VolumeGroup(
        _id(body), _name(name), _number(body, "seqno", _MAX_SECTORS), extent_bytes, starts,
        tuple(volumes),
    )  # fmt: skip


def _segments(volume: Section, disks: Mapping[str, str]) -> Iterator[Segment]:
    end = 0
    for number in range(1, _number(volume, "segment_count", _MAX_SEGMENTS) + 1):
        facts = _section(volume, f"segment{number}")
        count = _number(facts, "extent_count", _MAX_SECTORS)
        word = facts.get("type")
        match = _KIND.fullmatch(word) if isinstance(word, str) else None
        if match is None:
            raise ImageError("LVM's metadata holds a kind of volume that cannot be")
        kind = match[1]
        if _number(facts, "start_extent", _MAX_SECTORS) != end or not count:
            raise ImageError("LVM's metadata is damaged: a volume has a gap")
        end += count
        places = tuple(_places(facts.get("stripes"), disks)) if kind in _LINEAR else ()
        yield Segment(kind, end - count, count, places, _words(facts))


def _words(facts: Section) -> frozenset[str]:
    values = [value for key, value in facts.items() if key != "type"]
    listed = [word for value in values if isinstance(value, list) for word in value]
    return frozenset(word for word in (*values, *listed) if isinstance(word, str))


def _places(stripes: Value | Section | None, disks: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Yield where the stripes of a segment begin: the list has a disk and an extent in turn."""
    if not isinstance(stripes, Sequence) or isinstance(stripes, str) or len(stripes) % 2:
        raise ImageError("LVM's metadata is damaged: a volume has no place")
    for disk, first in zip(stripes[::2], stripes[1::2], strict=True):
        if not isinstance(disk, str) or not isinstance(first, int) or first < 0:
            raise ImageError("LVM's metadata is damaged: a volume has no place")
        yield disks.get(disk, disk), first


# The volumes, into stretches


class MissingDiskError(ImageError):
    """A part of a volume is on a disk that is not there."""

    def __init__(self) -> None:
        super().__init__("a part of it is on a disk that is not in this image")


_TWICE = "two disks in this image have the same id of LVM's"


@dataclass(frozen=True, slots=True)
class Assembly:
    """What the device mapper puts a volume together from: disks of its group, by these kinds."""

    disks: tuple[Stretch, ...]
    kinds: frozenset[str]


def assembly(
    group: VolumeGroup, volume: LogicalVolume, disks: Mapping[str, Stretch | None]
) -> Assembly:
    """Return what a volume takes that is not linear, by itself or by those it stands on.

    Raises ``ImageError`` where a disk it has parts on is not there (``disks`` as for ``laid_out``).
    """
    segments = [part for each in _stands_on(group, volume) for part in each.segments]
    names = {each.name for each in group.volumes}
    needed = {ident for part in segments for ident, _ in part.places} - names
    if not needed <= disks.keys() & group.data_starts.keys():
        raise MissingDiskError
    there = [disks[ident] for ident in group.data_starts if ident in disks]
    found = tuple(disk for disk in there if disk is not None)
    if len(found) != len(there):
        raise ImageError(_TWICE)
    return Assembly(found, frozenset(part.kind for part in segments))


def _stands_on(group: VolumeGroup, volume: LogicalVolume) -> list[LogicalVolume]:
    """Return a volume and all of its group that it names, and that those name."""
    known = {each.name: each for each in group.volumes}
    found = {volume.name: volume}
    waiting = [volume]
    while waiting:
        words = {word for part in waiting.pop().segments for word in part.words}
        for name in words & known.keys() - found.keys():
            found[name] = known[name]
            waiting.append(known[name])
    return list(found.values())


def laid_out(
    group: VolumeGroup, volume: LogicalVolume, disks: Mapping[str, Stretch | None]
) -> Stretch:
    """Return a linear volume as the pieces of its disks (None: two disks have that id).

    Raises ``ImageError`` where a piece is not there, or is claimed twice.
    """
    pieces: list[Piece] = []
    taken: list[tuple[str, int, int]] = []
    for segment in volume.segments:
        [(ident, first)] = segment.places
        if ident not in disks or ident not in group.data_starts:
            raise MissingDiskError
        disk = disks[ident]
        if disk is None:
            raise ImageError(_TWICE)
        at = group.data_starts[ident] + first * group.extent_bytes
        length = segment.count * group.extent_bytes
        if at + length > disk.size:
            raise ImageError(
                "a part of it would lie beyond the end of its disk: it is cut short, or damaged"
            )
        pieces += disk.slice(at, length)
        taken.append((ident, first, first + segment.count))
    taken.sort()
    for (disk_id, _, end), (next_id, start, _) in pairwise(taken):
        if disk_id == next_id and start < end:
            raise ImageError("its parts lie over one another")
    return Stretch(pieces)
