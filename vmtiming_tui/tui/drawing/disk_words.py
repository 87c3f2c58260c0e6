"""What a VM's disk is made of, as the QEMU command says it: files, their formats, their order."""

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

_ROOT = "root"
_OPAQUE = "opaque="


def disk_layers(argv: Sequence[str]) -> list[tuple[str, str]]:
    """Return the format and the file of each layer of a VM's disk, what the guest sees first.

    A layer without a file of its own, which takes what the guest writes, is left out; where the
    command has no disk of ours, there are none.
    """
    given = dict(_given_files(argv))
    nodes = {str(node.get("node-name")): node for node in _nodes(argv)}
    layers = []
    name: object = _ROOT
    # No node twice: a command that was not made here may have them in a circle.
    while isinstance(name, str) and (node := nodes.pop(name, None)):
        file = nodes.get(str(node.get("file")), {})
        path = given.get(str(file.get("filename")), "")
        if path.startswith("/"):
            layers.append((str(node.get("driver")), path))
        name = node.get("backing")
    return layers


def _nodes(argv: Sequence[str]) -> Iterator[dict[str, Any]]:
    for word, value in pairwise(argv):
        if word == "-blockdev":
            try:
                node = json.loads(value)
            except (ValueError, RecursionError):
                continue
            if isinstance(node, dict):
                yield node


def _given_files(argv: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the name QEMU has for each file it is given, and the file's own."""
    for word, value in pairwise(argv):
        before, found, opaque = value.partition(_OPAQUE)
        if word == "-add-fd" and found:
            numbers = dict(part.partition("=")[::2] for part in before.split(","))
            path = opaque.replace(",,", ",").partition(":")[2]
            yield f"/dev/fdset/{numbers.get('set')}", path
