"""The bytes of a disk, of whatever formats its files are: read where they lie, or unpacked.

qemu-img reads what is not raw, a file of the image at a time: it finds them behind sockets, opens
none that a header names, and is told of every format. A VMDK that is a description of other files
is put together here, for QEMU would open those by their names.
"""

import contextlib
import json
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.byte_range import Piece, Stretch
from vmtiming_tui.images.gate.nbd import served
from vmtiming_tui.images.gate.nodes import Node, block_node, last_words, nameless
from vmtiming_tui.images.gate.permission import Layer, LayerPart
from vmtiming_tui.images.gate.vmdk import begin_whole
from vmtiming_tui.images.guard.opening import File
from vmtiming_tui.images.guard.tools import free_bytes, run
from vmtiming_tui.images.quoting import human

UNPACKED = "source.raw"
_SECTOR = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacking:
    """Where the files of an image are, and where what is unpacked of them goes.

    ``progress`` is told how large a file grows at most, for as long as it grows. ``in_one_file``
    says that the disk must be bytes of one file.
    """

    stretches: dict[File, Stretch]
    virtual_bytes: int
    work: Path
    say: Callable[[str], None]
    progress: Callable[[Path, int], AbstractContextManager[None]]
    in_one_file: bool = False

    def disk(self, layers: Sequence[Layer]) -> Stretch:
        """Return the disk that layers make up, top first; raise ``ImageError``, ``OSError``."""
        for place, layer in enumerate(layers):
            if layer.parts:
                above, lower = layers[:place], layers[place + 1 :]
                joined = self._joined(layer, self.disk(lower) if lower else None)
                if above:
                    return self._of_files([*above, self._below(joined, above[-1])])
                if self.in_one_file:
                    return self._unpacked([self._as_layer(joined)], UNPACKED, "vmdk image")
                return joined
        return self._of_files(layers)

    def _as_layer(self, disk: Stretch, form: str = "raw") -> Layer:
        """Have bytes that are put together count as a file of the image."""
        number = len(self.stretches)
        file = File(path=str(number), device=0, inode=number, size=disk.size)
        self.stretches[file] = disk
        return Layer(file=file, format=form)

    def _below(self, disk: Stretch, above: Layer) -> Layer:
        """Have bytes that are put together count as what a layer stands on."""
        if above.format != "vmdk" or not above.content_ids:
            return self._as_layer(disk)
        begin = begin_whole(disk.size, above.content_ids[1])
        fd = os.memfd_create("begin", os.MFD_CLOEXEC)
        os.write(fd, begin)
        return self._as_layer(Stretch((Piece(fd, 0, len(begin)), *disk.pieces)), "vmdk")

    def _of_files(self, layers: Sequence[Layer]) -> Stretch:
        top = layers[0]
        if len(layers) == 1 and top.format == "raw":
            return self.stretches[top.file]
        return self._unpacked(layers, UNPACKED, f"{top.format} image")

    def _joined(self, layer: Layer, below: Stretch | None) -> Stretch:
        """Return the disk of a VMDK in parts, whose holes show what is ``below``."""
        pieces: list[Piece] = []
        at = 0
        for number, part in enumerate(layer.parts):
            pieces += self._part(number, part, layer, below, at).pieces
            at += part.size
        return Stretch(pieces)

    def _part(
        self, number: int, part: LayerPart, layer: Layer, below: Stretch | None, at: int
    ) -> Stretch:
        if part.file is None:
            fd = os.memfd_create("zeros", os.MFD_CLOEXEC)
            os.truncate(fd, part.size)
            return Stretch([Piece(fd, 0, part.size)])
        if not part.is_sparse:
            return self.stretches[part.file].part(part.offset, part.size)
        layers = [replace(layer, file=part.file, parts=())]
        if below is not None and at < below.size:
            under = below.part(at, min(part.size, below.size - at))
            layers.append(self._below(under, layer))
        # Numbered by their files: those of a VMDK below must stay.
        whole = self._unpacked(layers, f"part-{part.file.path}.raw", f"vmdk's part {number + 1}")
        return whole.part(0, part.size)

    def _unpacked(self, layers: Sequence[Layer], name: str, what: str) -> Stretch:
        """Have qemu-img write out what layers make up, and return it."""
        allocated = sum(self.stretches[file].size for layer in layers for file in layer.files)
        whole = min(allocated, self.virtual_bytes)
        if whole > (free := free_bytes(self.work)):
            raise ImageError(
                f"there is room for {human(free)}, but this takes {human(whole)}; use --out "
                "elsewhere"
            )
        self.say(f"unpacking the {what}")
        target = self.work / name
        with contextlib.ExitStack() as held:
            node = self._node(layers, held)
            held.enter_context(self.progress(target, allocated))
            self._convert(node, name, what)
        fd = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
        return Stretch([Piece(fd, 0, os.fstat(fd).st_size)])

    def _node(self, layers: Sequence[Layer], held: contextlib.ExitStack) -> Node:
        bytes_of = self.stretches | {
            layer.file: held.enter_context(nameless(layer, self.stretches[layer.file]))
            for layer in layers
        }

        def protocol(file: File, _writable: bool) -> dict[str, object]:
            name = f"{file.path}.socket"
            held.enter_context(served(name, bytes_of[file]))
            return {"driver": "nbd", "server": {"type": "unix", "path": name}, "export": ""}

        return block_node(layers, protocol, name="image", writable=False)

    def _convert(self, node: Node, name: str, what: str) -> None:
        command = ["qemu-img", "convert", "-O", "raw", f"json:{json.dumps(node)}", name]
        done = run(command, self.work)
        if done.code:
            raise ImageError(
                f"unpacking the {what} failed: {last_words(done.said) or done.last_word}",
                hint="get the image again; qemu-img check says more about some formats",
            )
