"""Roots as their systems see them: with the ``/usr`` that is on a volume of its own."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.files.joined import with_usr
from vmtiming_tui.images.files.tree import Tree
from vmtiming_tui.images.spin.parts import Part
from vmtiming_tui.images.system.discoverable import below_by_type
from vmtiming_tui.images.system.fstab import Below, paths_in, plan_merge
from vmtiming_tui.images.system.osrelease import looks_like_root

_USR = "/usr"


def plan_below(tree: Tree, parts: Sequence[Part]) -> tuple[list[Below], list[str]]:
    """Return what belongs below a root by its fstab, and by partitions' types where that is mute.

    With it, what to say of what is not in the image. Raises ``ImageError`` where the system cannot
    do without it.
    """
    volumes = [part.volume for part in parts]
    fstab = tree.text("etc/fstab")
    below, remarks = plan_merge(fstab, volumes)
    readable = {part.volume for part in parts if part.tree}
    for each in below_by_type(volumes, tree.text("etc/machine-id"), paths_in(fstab)):
        if each.volume in readable:
            below.append(each)
        else:
            where = f"{each.volume.name} ({each.volume.type})"
            remarks.append(f"{each.path} is on {where}, which is not read here: left out")
    return below, remarks


def with_their_usr(parts: Sequence[Part]) -> list[Part]:
    """Return the parts, with a root that has its ``/usr`` elsewhere joined to it."""
    return [_whole(part, parts) for part in parts]


def _whole(part: Part, parts: Sequence[Part]) -> Part:
    if not part.tree or part.is_root or not part.tree.has("etc"):
        return part
    try:
        below, _ = plan_below(part.tree, parts)
    except ImageError as error:
        return replace(part, fault=error)
    trees = {other.volume: other.tree for other in parts if other is not part}
    for each in below:
        if each.path == _USR and (usr := trees.get(each.volume)):
            whole = with_usr(part.tree, usr)
            return replace(part, whole=whole, is_root=looks_like_root(whole))
    return part


def usr_arguments(tree: Tree, parts: Sequence[Part]) -> str:
    """Return the words by which systemd finds a ``/usr`` that only its partition's type tells."""
    volumes = [part.volume for part in parts]
    for each in below_by_type(volumes, "", paths_in(tree.text("etc/fstab"))):
        if each.path == _USR:
            return f" mount.usr=/dev/vda{each.volume.number} mount.usrflags=ro"
    return ""


def used_bytes(root: Part, below: Iterable[Below], parts: Sequence[Part]) -> int:
    """Return how much the files of a root take, and of what belongs below it."""
    volumes = {root.volume, *(each.volume for each in below)}
    return sum(part.used_bytes for part in parts if part.volume in volumes)
