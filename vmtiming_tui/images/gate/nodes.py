"""An image as QEMU's block layer is told of it: a node a file, a node a format, nothing guessed."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from vmtiming_tui.images.byte_range import Piece, Stretch
from vmtiming_tui.images.gate.formats import CHAINED_FORMATS
from vmtiming_tui.images.gate.permission import Layer
from vmtiming_tui.images.gate.vmdk import DESCRIPTION_AT, description
from vmtiming_tui.images.guard.opening import File
from vmtiming_tui.images.quoting import shown

Node = dict[str, object]
_NODE_WORDS = re.compile(rb"(?:Could not open )?'?(?:json:\{.*\}|nbd\+unix:[^' ]*)'?: ")
_HEADER_BYTES = 1024
# Where a header says that it names a backing file: offset and length, or a bit for it.
_BACKING_FIELD = {"qcow2": (8, 12), "qcow": (8, 12), "qed": (16, 1)}


def block_node(
    layers: Sequence[Layer],
    protocol: Callable[[File, bool], Node],
    *,
    name: str,
    writable: bool,
    depth: int = 0,
) -> Node:
    """Return the node of an image whose layers are given, top first (QAPI, BlockdevOptions).

    ``protocol`` says how a file is reached, and whether it is written to. Only the top layer ever
    is. Each node has a name that begins with ``name``, and ``depth`` in it where that is not 0: a
    node's name has 31 characters at most (block.c, node_name). Where an image stands on nothing,
    QEMU is told so: it looks for no backing file of its own accord.
    """
    top, *below = layers
    own = f"{name}-{depth}" if depth else name
    node: Node = {
        "node-name": own,
        "driver": top.format,
        "read-only": not writable,
        "file": {"node-name": f"{own}-file", **protocol(top.file, writable)},
    }
    if top.data is not None:
        node["data-file"] = {"node-name": f"{own}-data", **protocol(top.data, writable)}
    if top.format in CHAINED_FORMATS:
        node["backing"] = (
            block_node(below, protocol, name=name, writable=False, depth=depth + 1)
            if below
            else None
        )
    return node


def apart(node: Node) -> Iterator[Node]:
    """Yield a node and those it stands on one by one, lowest first, each by the next one's name."""
    alone = dict(node)
    for role in ("file", "data-file", "backing"):
        if isinstance(below := node.get(role), dict):
            yield from apart(below)
            alone[role] = below["node-name"]
    yield alone


def last_words(said: bytes) -> str:
    """Return the last line of what qemu-img complains of, without the node it was told of."""
    last = _NODE_WORDS.sub(b"", said).strip().rpartition(b"\n")[2]
    return shown(last.removeprefix(b"qemu-img: "))


@contextmanager
def nameless(layer: Layer, image: Stretch) -> Iterator[Stretch]:
    """Yield a layer's bytes with the name of its backing file taken out of its header.

    QEMU looks the header's name up even where a node tells it of the backing file, unless that
    node has a file's name itself (block.c, bdrv_open_backing_file); a socket's has none.
    """
    if image.size < _HEADER_BYTES:
        yield image
    elif layer.format in _BACKING_FIELD:
        at, size = _BACKING_FIELD[layer.format]
        with _patched(image, at, bytes(size)) as patched:
            yield patched
    elif layer.format == "vmdk" and layer.content_ids and not layer.parts:
        with _patched(image, DESCRIPTION_AT, description(layer.content_ids)) as patched:
            yield patched
    else:
        yield image


@contextmanager
def _patched(image: Stretch, at: int, new: bytes) -> Iterator[Stretch]:
    """Yield bytes of which some are others."""
    fd = os.memfd_create("header", os.MFD_CLOEXEC)
    try:
        os.write(fd, new)
        end = at + len(new)
        before, after = image.part(0, at), image.part(end, image.size - end)
        yield Stretch((*before.pieces, Piece(fd, 0, len(new)), *after.pieces))
    finally:
        os.close(fd)
