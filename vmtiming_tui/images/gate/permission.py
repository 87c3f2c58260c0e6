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
from vmtiming_tui.images.gate.format_ledger import Ledger, LedgerEntry, entry_for
from vmtiming_tui.images.gate.formats import (
    CHAINED_FORMATS,
    KNOWN_FORMATS,
    PROBED_BYTES,
    READ_ONLY_FORMATS,
    format_by_end,
    format_by_mark,
    local_name,
    read_header,
)
from vmtiming_tui.images.gate.header import Extent, ImageHeader
from vmtiming_tui.images.gate.refusals import (
    damage,
    into_one_file,
    refuse_changed_parent,
    refuse_differing,
    refuse_extent,
    refuse_parts,
    where_it_should_be,
)
from vmtiming_tui.images.gate.vmdk import sparse_extent_bytes
from vmtiming_tui.images.guard.opening import File, open_file
from vmtiming_tui.images.quoting import shown

MAX_LAYERS = 16
MAX_VIRTUAL_BYTES = 16 << 40
_SECTOR = 512
_OTHERS_READ, _OTHERS_WRITE = 0o004, 0o002


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
        kind = top.format
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
def take(path: str, rules: Rules, ledger: Ledger, ask: Ask) -> Iterator[Taken]:
    """Open an image and all it stands on, for as long as the block lasts.

    Raises ``ImageError`` where it may not be taken, and ``OSError``. ``settled`` is then to be
    written down before a guest may write to it.
    """
    with ExitStack() as held:
        gate = _Gate(rules, ledger, ask, held)
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
    fds: dict[File, int] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def image(self, path: str) -> Image:
        file = self._open(path)
        place, told = _Place(path, file, _folders(path, file)), ""
        layers: list[Layer] = []
        virtual_bytes = 0
        top = self.ledger.get(file)
        above: ImageHeader | None = None
        while True:
            entry = self.ledger.get(file)
            if self.rules.format and not layers:
                told = self.rules.format
            elif entry:
                told = self._as_written_down(file, entry)
            header, form, size = self._settle(place, told)
            _refuse_absurd(size, file)
            virtual_bytes = virtual_bytes if layers else size
            if not layers:
                self._check_top(place, header, form)
            refuse_changed_parent(file.path, header, above)
            data = None
            if header and header.data_file:
                data = self._asked_for(place, header.data_file, "data file")
            parts = self._parts(place, header) if header and header.extents else ()
            ids = header.content_ids if header else None
            layers.append(Layer(file=file, format=form, data=data, parts=parts, content_ids=ids))
            if header is None or not header.backing:
                break
            if len(layers) == MAX_LAYERS:
                raise ImageError(
                    f"{shown(path)!r} stands on more than {MAX_LAYERS - 1} backing files",
                    hint=f"write it into one file: {into_one_file(path)}",
                )
            told, above = _known(header.backing_format, file), header
            # Another's file can come to have the number, and the name, of one that was made here.
            made = entry.backing if entry and file.owner in (os.geteuid(), 0) else ""
            file = self._asked_for(place, header.backing, "backing file", made)
            named = _joined(place.named, header.backing)
            # What we gave it ourselves is as if the user had named it.
            folders = _folders(named, file) if file.path == made else place.folders
            place = _Place(named, file, folders)
        if not self.rules.in_parts:
            for layer in layers:
                if layer.parts:
                    refuse_parts(path, layer.file.path, [each.path for each in layer.files[1:]])
        return Image(
            layers=tuple(layers),
            virtual_bytes=virtual_bytes,
            made_with=top.backing if top else "",
            notices=tuple(self.notices),
        )

    def _open(self, path: str) -> File:
        file, fd = open_file(path, allow_device=self.rules.allow_device)
        self.held.callback(os.close, fd)
        if any((file.device, file.inode) == (old.device, old.inode) for old in self.fds):
            raise ImageError(f"{shown(file.path)!r} is its own backing file, or comes up twice")
        self.fds[file] = fd
        return file

    def _bytes(self, file: File) -> Stretch:
        return Stretch((Piece(self.fds[file], 0, file.size),))

    def _as_written_down(self, file: File, entry: LedgerEntry) -> str:
        mark = format_by_mark(self._bytes(file).head(PROBED_BYTES))
        if mark and mark != entry.format:
            self.notices.append(
                f"{shown(file.path)} begins like a {mark}, and is booted as {entry.format}: so it "
                "was written down before a guest could write to it (if you put another image in "
                f"its place, say so: --format {mark})"
            )
        return entry.format

    def _settle(self, place: "_Place", told: str) -> tuple[ImageHeader | None, str, int]:
        """Return an image's header where it may name other files, its format and its size."""
        file = place.file
        image = self._bytes(file)
        try:
            header = read_header(image, told)
        except ImageError as error:
            what = error.message.removeprefix("the image ")
            raise ImageError(f"{shown(file.path)!r} {what}", hint=error.hint) from None
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

    def _check_top(self, place: "_Place", header: ImageHeader | None, form: str) -> None:
        """Raise ``ImageError`` where guests are to write to what cannot be written to."""
        if header is not None and header.is_damaged:
            found = damage(place.named, place.file.path)
            if self.rules.writable:
                raise found
            self.notices.append(f"{found.message}; {found.hint}")
        is_fixed = form in READ_ONLY_FORMATS or (header is not None and header.is_compressed)
        if is_fixed and self.rules.writable:
            raise ImageError(
                f"{shown(place.file.path)!r} is a {form} that QEMU only reads, or compressed",
                hint=f"leave out --persist, or write it anew: {into_one_file(place.named)}",
            )

    def _parts(self, place: "_Place", header: ImageHeader) -> tuple[LayerPart, ...]:
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
        try:
            return sparse_extent_bytes(self._bytes(file))
        except ImageError as error:
            what = error.message.removeprefix("the image ")
            raise ImageError(f"{shown(file.path)!r} {what}", hint=error.hint) from None

    def _asked_for(self, place: "_Place", name: str, what: str, made: str = "") -> File:
        """Open what a header asks for, where it may have it; ``made`` is what we gave it."""
        asked = f"{shown(place.file.path)!r} asks for the {what} {shown(name)!r}"
        if local_name(name) is None:
            raise ImageError(f"{asked}, which is no file's name", hint="only files are taken")
        try:
            found = self._open(_joined(place.named, name))
        except OSError as error:
            raise ImageError(
                f"{asked}, which cannot be opened: {error.strerror}",
                hint=where_it_should_be(place.named, name, what),
            ) from None
        except ImageError as error:
            raise ImageError(f"{asked}: {error.message}", hint=error.hint) from None
        if found.path == made or any(_is_below(found, top) for top in self.rules.allow_backing):
            return found
        hint = f"if it may have it: --allow-backing {shown(found.folder)}"
        if found.folder not in place.folders:
            why = "which is neither in its own folder nor in the one above it"
            raise ImageError(f"{asked}, {why}", hint=hint)
        writes = what == "data file" and self.rules.writable
        owner = place.file.owner
        if not _could_give(owner, found, _OTHERS_WRITE if writes else _OTHERS_READ):
            why = f"which user {owner}, who owns the image, has no right to"
            raise ImageError(f"{asked}, {why}", hint=hint)
        return found


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the names in a header lead from: the image's name and file, and its own folders."""

    named: str
    file: File
    folders: frozenset[str]


def _known(form: str, file: File) -> str:
    if form and form not in KNOWN_FORMATS:
        raise ImageError(
            f"{shown(file.path)!r} says its backing file is a {shown(form)!r}, which is no format "
            "known here",
            hint="make the overlay again: qemu-img create -f qcow2 -b BASE -F FORMAT IMAGE",
        )
    return form


def _joined(named: str, name: str) -> str:
    """Return the path of what an image named so asks for, as QEMU takes it."""
    return os.path.join(os.path.dirname(named), local_name(name) or name)  # noqa: PTH118, PTH120


def _folders(named: str, file: File) -> frozenset[str]:
    """Return the folders an image's own files may be in: its own, and the one above."""
    own = {os.path.realpath(os.path.dirname(named) or "."), file.folder}  # noqa: PTH120
    return frozenset(own | {os.path.dirname(folder) for folder in own})  # noqa: PTH120


def _is_below(file: File, folder: str) -> bool:
    top = os.path.realpath(folder)
    return file.path.startswith(top.rstrip("/") + "/")


def _could_give(owner: int, file: File, right: int) -> bool:
    """Whether an image's owner needs no image to have a file read, or written."""
    return owner in (os.geteuid(), 0, file.owner) or bool(file.mode & right)


def _refuse_absurd(size: int, file: File) -> None:
    if not 0 <= size <= MAX_VIRTUAL_BYTES:
        raise ImageError(
            f"{shown(file.path)!r} is a disk of {size >> 40} TiB, and {MAX_VIRTUAL_BYTES >> 40} "
            "TiB is the most that is taken"
        )
