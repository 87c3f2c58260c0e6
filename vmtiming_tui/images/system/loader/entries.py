"""Boot loader entries (UAPI group's Boot Loader Specification, type 1)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.files.tree import Tree

_MAX_ENTRIES = 500
_MAX_BYTES = 64 << 10
_MAX_INITRDS = 32
_TRIES = re.compile(r"\+([0-9]{1,9})(?:-[0-9]{1,9})?$")


@dataclass(frozen=True, slots=True)
class LoaderEntry:
    """An entry's words as they stand there; paths are from the top of its own file system.

    ``name`` is without the count of tries, ``tried_out`` says that none is left; ``options`` are
    those of all its lines.
    """

    name: str
    title: str
    version: str
    linux: str
    initrds: tuple[str, ...]
    options: str = ""
    sort_key: str = ""
    tried_out: bool = False
    devicetree: str = ""


def loader_entries(tree: Tree, folder: str) -> Iterator[LoaderEntry]:
    """Yield the entries of a folder that name a kernel; damaged ones are passed over."""
    return (entry for entry in read_entries(tree, folder) if entry.linux)


def read_entries(tree: Tree, folder: str) -> Iterator[LoaderEntry]:
    """Yield the entries of a folder, those for programs that are no kernel, too."""
    names = [name for name in tree.names(folder) if name.endswith(".conf")]
    for name in names[:_MAX_ENTRIES]:
        try:
            content = tree.read(f"{folder}/{name}", _MAX_BYTES) or b""
        except ImageError:
            continue
        yield parsed(name.removesuffix(".conf"), content)


def parsed(name: str, content: bytes) -> LoaderEntry:
    """Return what an entry says."""
    words: dict[str, str] = {}
    initrds: list[str] = []
    options: list[str] = []
    text = content.translate(None, b"\0\r").decode(errors="surrogateescape")
    for line in text.split("\n"):
        key, _, value = line.replace("\t", " ").strip(" ").partition(" ")
        if key == "initrd":
            # GRUB's own additions begin with a dollar sign.
            initrds += [word for word in value.split() if not word.startswith("$")]
        elif key == "options":
            options.append(value.strip(" "))
        elif value.strip(" "):
            words["linux" if key == "uki" else key] = value.strip(" ")
    tries = _TRIES.search(name)
    return LoaderEntry(
        name=_TRIES.sub("", name),
        title=words.get("title", ""),
        version=words.get("version", ""),
        linux=(words.get("linux", "").split() or [""])[0],
        initrds=tuple(initrd.lstrip("/") for initrd in initrds[:_MAX_INITRDS]),
        options=" ".join(options),
        sort_key=words.get("sort-key", ""),
        tried_out=tries is not None and int(tries[1]) == 0,
        devicetree=words.get("devicetree", "") or words.get("devicetree-overlay", ""),
    )
