"""What a system calls itself (os-release(5)), and whether a tree is a system at all."""

import re

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.files.tree import Tree
from vmtiming_tui.images.quoting import shown

_PLACES = ("etc/os-release", "usr/lib/os-release")
_IN_USR = "lib/os-release"  # of a /usr that is a file system of its own
_KEYS = ("PRETTY_NAME", "NAME", "ID")
_MAX_BYTES = 64 << 10
_ASSIGNMENT = re.compile(rb"^[ \t]*([A-Z_]{1,32})=(.{0,1024})$", re.MULTILINE)
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"|\'([^\']*)\'|((?:[^\s"\'\\]|\\.)*)')
_ESCAPED = re.compile(rb'\\(["$`\\])')
SYSTEMD_FOLDERS = ("usr/lib/systemd", "lib/systemd")
_NO_NAME = "a system without os-release"


def unquoted(value: bytes) -> bytes:
    """Return a value without its quotes, as a shell would have it, but with nothing expanded."""
    found = _QUOTED.match(value)
    if found is None:
        return b""
    double, single, bare = found.groups()
    if single is not None:
        return bytes(single)
    return _ESCAPED.sub(rb"\1", double if double is not None else bare)


def name_of_system(tree: Tree) -> str:
    """Return the name to show to a person: PRETTY_NAME, else NAME, else ID, made safe to show."""
    for place in (*_PLACES, _IN_USR):
        try:
            text = (tree.read(place, _MAX_BYTES) or b"").replace(b"\0", b"")
        except ImageError:
            continue
        values = {key.decode(): unquoted(value) for key, value in _ASSIGNMENT.findall(text)}
        for key in _KEYS:
            if values.get(key):
                return shown(values[key])
    return _NO_NAME


def looks_like_root(tree: Tree) -> bool:
    """Whether a tree is the root of a system."""
    if not tree.has("etc") or not (tree.has("usr/bin") or tree.has("bin")):
        return False
    return any(map(tree.has, (*_PLACES, "sbin/init", "usr/sbin/init", "etc/fstab")))


def has_systemd(tree: Tree) -> bool:
    """Whether a tree is the root of a system with systemd in the usual place."""
    return any(tree.has(f"{folder}/systemd") for folder in SYSTEMD_FOLDERS)


def folder_of_units(tree: Tree) -> str:
    """Return the folder of systemd's own units.

    Raises ``ImageError`` with what is found in the place of systemd.
    """
    for folder in SYSTEMD_FOLDERS:
        if tree.has(f"{folder}/systemd"):
            return f"{folder}/system"
    init = tree.find("sbin/init") or tree.find("usr/sbin/init")
    raise ImageError(
        f"{name_of_system(tree)} has no systemd, which reports the boot time; its init: "
        f"{shown(init.path) if init else 'no init at all'}"
    )
