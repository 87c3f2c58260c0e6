"""The one gate for disk images: which files make up an image, of which formats, and if they may.

Nothing is believed that a guest or a stranger may have written. A format is what the user says,
what was written down before any guest could write (``Ledger``), what a header read strictly here
says, or what QEMU says once in a box (``Ask``); never what a name suggests. A file that a header
asks for is taken where we made the chain, where it is a regular file in the image's own folder or
the one above it that the image's owner could give anyway, or below a folder the user allows.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Piece, Stretch
from vmtiming_tui.images.gate.appearance import (
    beside_what_is_wanted,
    beside_what_stands_on_it,
    beside_what_was_written_down,
)
from vmtiming_tui.images.gate.cut_short import is_cut_short
from vmtiming_tui.images.gate.format_ledger import Ledger, LedgerEntry, entry_for
from vmtiming_tui.images.gate.formats import (
    CHAINED_FORMATS,
    KNOWN_FORMATS,
    PROBED_BYTES,
    format_by_end,
    format_by_mark,
    read_header,
)
from vmtiming_tui.images.gate.header import Extent, ImageHeader
from vmtiming_tui.images.gate.place import Place, could_give, is_below, local_name
from vmtiming_tui.images.gate.refusals import (
    into_one_file,
    no_file,
    quoted,
    refuse_changed_parent,
    refuse_differing,
    refuse_extent,
    refuse_parts,
    where_it_should_be,
)
from vmtiming_tui.images.gate.vmdk import sparse_extent_bytes
from vmtiming_tui.images.guard.opening import File, open_file
from vmtiming_tui.images.packed.packing import MARK_BYTES, packing_of
from vmtiming_tui.images.quoting import for_image, shown

MAX_LAYERS = 16
# What QEMU once wrote of a backing file that it was to read as it is.
_OLD_NAMES = {"host_device": "raw", "file": "raw"}
MAX_VIRTUAL_BYTES = 16 << 40
_SECTOR = 512


@dataclass(frozen=True, slots=True)
class QemuAnswer:
    """What QEMU says of an image."""

    format: str
    virtual_bytes: int


# Asks QEMU about an open file, of a format where one is settled; raises ``ImageError``.
Ask = Callable[[int, File, str], QemuAnswer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the user says of the images: their format where it is told, and what is allowed.

    ``writable`` says that guests may write to them; ``in_parts``, that an image may be a
    description of other files, which takes a reader that puts them together.
    """

    format: str = ""
    allow_backing: tuple[str, ...] = ()
    allow_device: bool = False
    writable: bool = False
    in_parts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPart:
    """So many bytes of a disk: of a file from ``offset`` on, or zeros where there is no file.

    ``is_sparse`` says that the file is a VMDK of its own.
    """

    file: File | None
    offset: int
    size: int
    is_sparse: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A file of an image, and its format; ``data`` is where a qcow2 keeps its data elsewhere.

    ``parts`` are what the disk is made of where the file only says so. ``content_ids`` are what a
    VMDK calls its own content and that of its parent.
    """

    file: File
    format: str
    data: File | None = None
    parts: tuple[LayerPart, ...] = ()
    content_ids: tuple[int, int] | None = None

    @property
    def files(self) -> tuple[File, ...]:
        """Its files."""
        named = (self.data, *(part.file for part in self.parts))
        return tuple(dict.fromkeys(file for file in (self.file, *named) if file is not None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A disk image as it may be opened: its layers, what the guest sees first; its size in bytes.

    ``made_with`` is the backing file it was given where it was made here; ``notices`` is what the
    user should know.
    """

    layers: tuple[Layer, ...]
    virtual_bytes: int
    made_with: str = ""
    notices: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[File, ...]:
        """All of its files."""
        return tuple(file for layer in self.layers for file in layer.files)

    @property
    def format(self) -> str:
        """The format of what was named."""
        return self.layers[0].format

    @property
    def standing(self) -> str:
        """What kind of image it is and what it stands on, in words fit to be shown."""
        top, *below = self.layers
        kind = "VHD (vpc)" if top.format == "vpc" else top.format
        if others := [shown(file.path) for file in top.files[1:]]:
            more = f" and {len(others) - 3} more" if len(others) > 3 else ""
            kind += f" whose data is in {', '.join(others[:3])}{more}"
        chain = [f"{shown(layer.file.path)} ({layer.format})" for layer in below]
        return " on ".join([kind, *chain])


@dataclass(frozen=True, slots=True)
class Taken:
    """An image and the descriptors its files are held open by, for reading."""

    image: Image
    fds: Mapping[File, int]


@contextmanager
def take(
    path: str, rules: Rules, ledger: Ledger, ask: Ask, whole: set[File] | None = None
) -> Iterator[Taken]:
    """Open an image and all it stands on, for as long as the block lasts.

    Raises ``ImageError`` where it may not be taken, and ``OSError``. ``settled`` is then to be
    written down before a guest may write to it. ``whole`` are files of which no data is missing, as
    was seen before: what many images stand on is looked through once.
    """
    with ExitStack() as held:
        gate = _Gate(rules, ledger, ask, held, set() if whole is None else whole)
        yield Taken(gate.image(path), gate.fds)


def settled(image: Image) -> tuple[LedgerEntry, ...]:
    """Return what is to be written down of an image before a guest writes to it."""
    top = image.layers[0]
    found = entry_for(top.file, top.format, backing=image.made_with)
    return (found,) if top.data is None else (found, entry_for(top.data, "raw"))


@dataclass
class _Gate:
    rules: Rules
    ledger: Ledger
    ask: Ask
    held: ExitStack
    whole: set[File]
    fds: dict[File, int] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def image(self, path: str) -> Image:
        place: Place | None = Place.of(path, self._open(path))
        made_with = entry.backing if place and (entry := self.ledger.get(place.file)) else ""
        layers: list[Layer] = []
        virtual_bytes, told = 0, self.rules.format
        above: ImageHeader | None = None
        while place:
            if len(layers) == MAX_LAYERS:
                raise ImageError(
                    f"{shown(path)!r} stands on more than {MAX_LAYERS - 1} backing files",
                    hint=f"write it into one file: {into_one_file(path)}",
                )
            file, entry = place.file, self.ledger.get(place.file)
            if entry and not (self.rules.format and not layers):
                told = entry.format
                self._note(beside_what_was_written_down(file.path, self._mark(file), told))
            elif layers:
                above_it = layers[-1].file.path
                self._note(beside_what_stands_on_it(file.path, self._mark(file), told, above_it))
            header, form, size = self._settle(place, told)
            _refuse_absurd(size, file)
            refuse_changed_parent(file.path, header, above)
            if not layers:
                virtual_bytes, writable = size, self.rules.writable
                self._note(
                    beside_what_is_wanted(place.named, file.path, header, form, writable=writable)
                )
            layers.append(self._layer(place, header, form))
            told, above = _known(header.backing_format, file) if header else "", header
            place = self._below(place, header, entry)
        if not self.rules.in_parts:
            for layer in layers:
                if layer.parts:
                    refuse_parts(path, layer.file.path, [each.path for each in layer.files[1:]])
        return Image(
            layers=tuple(layers),
            virtual_bytes=virtual_bytes,
            made_with=made_with,
            notices=tuple(self.notices),
        )

    def _layer(self, place: Place, header: ImageHeader | None, form: str) -> Layer:
        """Return a layer with all files of its own."""
        if not (header and header.extents):
            self._refuse_cut_short(place.file, form)
        if header is None:
            return Layer(file=place.file, format=form)
        data = None
        if header.data_file:
            data = self._asked_for(place, header.data_file, "data file")
        parts = self._parts(place, header)
        ids = header.content_ids
        return Layer(file=place.file, format=form, data=data, parts=parts, content_ids=ids)

    def _below(
        self, place: Place, header: ImageHeader | None, entry: LedgerEntry | None
    ) -> Place | None:
        """Return where a layer's backing file is, if it has one."""
        if header is None or not header.backing:
            return None
        # Another's file can come to have the number, and the name, of one that was made here.
        made = entry.backing if entry and place.file.owner in (os.geteuid(), 0) else ""
        what = "parent" if header.format == "vmdk" else "backing file"
        file = self._asked_for(place, header.backing, what, made)
        named = place.path(header.backing)
        # What we gave it ourselves is as if the user had named it.
        return Place.of(named, file) if file.path == made else Place(named, file, place.folders)

    def _open(self, path: str) -> File:
        file, fd = open_file(path, allow_device=self.rules.allow_device)
        self.held.callback(os.close, fd)
        if any((file.device, file.inode) == (old.device, old.inode) for old in self.fds):
            raise ImageError(f"{shown(file.path)!r} is its own backing file, or comes up twice")
        self.fds[file] = fd
        return file

    def _note(self, notice: str) -> None:
        if notice:
            self.notices.append(notice)

    def _bytes(self, file: File) -> Stretch:
        return Stretch((Piece(self.fds[file], 0, file.size),))

    def _mark(self, file: File) -> str:
        return format_by_mark(self._bytes(file).head(PROBED_BYTES))

    def _settle(self, place: Place, told: str) -> tuple[ImageHeader | None, str, int]:
        """Return an image's header where it may name other files, its format and its size."""
        file = place.file
        image = self._bytes(file)
        if not told and (packing := packing_of(image.head(MARK_BYTES))):
            raise ImageError(
                f"{shown(file.path)!r} is packed ({packing})",
                hint=for_image(
                    "vm-timing-report prepare --untouched {image} unpacks it", file.path
                ),
            )
        with _named(file):
            header = read_header(image, told)
        if header is not None:
            refuse_differing(place.named, file.path, header)
            return header, header.format, header.virtual_bytes
        told = told or format_by_end(image)
        if not told and not any(image.head(PROBED_BYTES)):
            told = "raw"  # nothing is where QEMU would look for a mark
        if told == "raw":
            return None, told, -(-file.size // _SECTOR) * _SECTOR
        answer = self.ask(self.fds[file], file, told)
        if answer.format in CHAINED_FORMATS or answer.format not in KNOWN_FORMATS:
            raise ImageError(
                f"{shown(file.path)!r} is of a kind that is not taken ({shown(answer.format)})",
                hint=f"write it into one file where you trust it: {into_one_file(place.named)}",
            )
        return None, answer.format, answer.virtual_bytes

    def _parts(self, place: Place, header: ImageHeader) -> tuple[LayerPart, ...]:
        """Return what a VMDK is made of; raise ``ImageError`` where it may not be."""
        name = repr(shown(place.file.path))
        for extent in header.extents:
            if not extent.is_sparse and (header.backing or not extent.is_flat):
                refuse_extent(place.file.path, extent)
        files = {
            name: self._asked_for(place, name, "extent")
            for name in dict.fromkeys(extent.name for extent in header.extents if extent.name)
        }
        for extent in header.extents:
            if extent.name and extent.offset + extent.size > self._extent_bytes(
                extent, files[extent.name]
            ):
                raise ImageError(
                    f"the extent {shown(extent.name)!r} of {name} is cut short",
                    hint="get it again",
                )
        return tuple(
            LayerPart(
                file=files.get(extent.name),
                offset=extent.offset,
                size=extent.size,
                is_sparse=extent.is_sparse,
            )
            for extent in header.extents
        )

    def _extent_bytes(self, extent: Extent, file: File) -> int:
        """Return how much of a disk a file has."""
        if not extent.is_sparse:
            return file.size
        with _named(file):
            size = sparse_extent_bytes(self._bytes(file))
        self._refuse_cut_short(file, "vmdk")
        return size

    def _refuse_cut_short(self, file: File, form: str) -> None:
        """Raise ``ImageError`` where data is missing that QEMU would show as zeros."""
        if file in self.whole:
            return
        try:
            is_missing = is_cut_short(self._bytes(file), form)
        except ImageError:
            is_missing = True
        if is_missing:
            raise ImageError(
                f"{shown(file.path)!r} is cut short: a part of the {form} is missing at its end",
                hint="get it again",
            )
        self.whole.add(file)

    def _asked_for(self, place: Place, name: str, what: str, made: str = "") -> File:
        """Open what a header asks for, where it may have it; ``made`` is what we gave it."""
        asked = f"{shown(place.file.path)!r} asks for the {what} {shown(name)!r}"
        if local_name(name) is None:
            raise ImageError(f"{asked}, which is no file's name", hint=no_file(place.named, what))
        try:
            found = self._open(place.path(name))
        except OSError as error:
            raise ImageError(
                f"{asked}, which cannot be opened: {error.strerror}",
                hint=where_it_should_be(place.named, name, what),
            ) from None
        except ImageError as error:
            raise ImageError(f"{asked}: {error.message}", hint=error.hint) from None
        if found.path == made or any(is_below(found, top) for top in self.rules.allow_backing):
            return found
        hint = f"if it may have it: --allow-backing {quoted(found.folder)}"
        if found.folder not in place.folders:
            why = "which is neither in its own folder nor in the one above it"
            raise ImageError(f"{asked}, {why}", hint=hint)
        writes = what == "data file" and self.rules.writable
        owner = place.file.owner
        if not could_give(owner, found, for_writing=writes):
            why = f"which user {owner}, who owns the image, has no right to"
            raise ImageError(f"{asked}, {why}", hint=hint)
        return found


@contextmanager
def _named(file: File) -> Iterator[None]:
    """Have complaints about "the image" name the file."""
    try:
        yield
    except ImageError as error:
        what = error.message.removeprefix("the image ")
        raise ImageError(f"{shown(file.path)!r} {what}", hint=error.hint) from None


def _known(form: str, file: File) -> str:
    form = _OLD_NAMES.get(form, form)
    if form and form not in KNOWN_FORMATS:
        raise ImageError(
            f"{shown(file.path)!r} says its backing file is a {shown(form)!r}, which is no format "
            "known here",
            hint="make the overlay again: qemu-img create -f qcow2 -b BASE -F FORMAT IMAGE",
        )
    return form


def _refuse_absurd(size: int, file: File) -> None:
    if not 0 <= size <= MAX_VIRTUAL_BYTES:
        raise ImageError(
            f"{shown(file.path)!r} is a disk of {size >> 40} TiB, and {MAX_VIRTUAL_BYTES >> 40} "
            "TiB is the most that is taken"
        )
