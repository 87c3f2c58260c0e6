"""An image as QEMU's block layer is told of it: a node a file, a node a format, nothing guessed."""

from collections.abc import Callable, Sequence

from vmtiming_tui.images.formats import CHAINED_FORMATS
from vmtiming_tui.images.intake import Layer
from vmtiming_tui.images.opening import File

Node = dict[str, object]


def block_node(
    layers: Sequence[Layer], protocol: Callable[[File, bool], Node], *, name: str, writable: bool
) -> Node:
    """Return the node of an image whose layers are given, top first (QAPI, BlockdevOptions).

    ``protocol`` says how a file is reached, and whether it is written to. Only the top layer ever
    is. Each node has a name that begins with ``name``. Where an image stands on nothing, QEMU is
    told so: it looks for no backing file of its own accord.
    """
    top, *below = layers
    node: Node = {
        "node-name": name,
        "driver": top.format,
        "read-only": not writable,
        "file": {"node-name": f"{name}-file", **protocol(top.file, writable)},
    }
    if top.data is not None:
        node["data-file"] = {"node-name": f"{name}-data", **protocol(top.data, writable)}
    if top.format in CHAINED_FORMATS:
        node["backing"] = (
            block_node(below, protocol, name=f"{name}-below", writable=False) if below else None
        )
    return node
