"""Roots as their systems see them: with a ``/usr`` of its own, or as one of several deployments."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.disk.volumes import Volume
from vmtiming_tui.images.files.joined import below, with_usr
from vmtiming_tui.images.files.tree import Tree
from vmtiming_tui.images.spin.parts import Part
from vmtiming_tui.images.system.discoverable import below_by_type
from vmtiming_tui.images.system.fstab import Below, paths_in, plan_merge
from vmtiming_tui.images.system.layout import asks_at_first_boot, is_nixos
from vmtiming_tui.images.system.loader.carried import Carried
from vmtiming_tui.images.system.loader.words import Word
from vmtiming_tui.images.system.osrelease import looks_like_root
from vmtiming_tui.images.system.ostree import boot_volume, is_ostree, newest

_USR = "/usr"
_ASK_NOBODY = "systemd.firstboot=no"


def plan_below(tree: Tree, parts: Sequence[Part]) -> tuple[list[Below], list[str]]:
    """Return what belongs below a root by its fstab, and by partitions' types where that is mute.

    With it, what to say of what is not in the image. Raises ``ImageError`` where the system cannot
    do without it.
    """
    volumes = [part.volume for part in parts]
    fstab = tree.text("etc/fstab")
    found, remarks = plan_merge(fstab, volumes)
    readable = {part.volume for part in parts if part.tree}
    for each in below_by_type(volumes, tree.text("etc/machine-id"), paths_in(fstab)):
        if each.volume in readable:
            found.append(each)
        else:
            where = f"{each.volume.name} ({each.volume.type})"
            remarks.append(f"{each.path} is on {where}, which is not read here: left out")
    return found, remarks


def with_whole_roots(parts: Sequence[Part]) -> list[Part]:
    """Return the parts; a root that has its ``/usr`` elsewhere, or is a deployment, is whole."""
    return [_whole(part, parts) for part in parts]


def _whole(part: Part, parts: Sequence[Part]) -> Part:
    if not part.tree or part.is_root:
        return part
    if is_nixos(part.tree):  # its first boot makes the rest
        return replace(part, is_root=True)
    if deployment := newest(part.tree):
        whole = below(part.tree, deployment.folder)
        return replace(part, whole=whole, is_root=looks_like_root(whole))
    return _with_usr(part, part.tree, parts) if part.tree.has("etc") else part


def other_trees(root: Part, parts: Sequence[Part]) -> list[Tree]:
    """Return where a loader's files may be beside a root's own."""
    others = [part.tree for part in parts if part.tree and part is not root]
    boot = boot_volume(root.tree) if root.tree and is_ostree(root.tree) else None
    return [boot, *others] if boot else others


def _with_usr(part: Part, own: Tree, parts: Sequence[Part]) -> Part:
    try:
        planned, _ = plan_below(own, parts)
    except ImageError as error:
        return replace(part, fault=error)
    trees = {other.volume: other.tree for other in parts if other is not part}
    for each in planned:
        if each.path == _USR and (usr := trees.get(each.volume)):
            whole = with_usr(own, usr)
            return replace(part, whole=whole, is_root=looks_like_root(whole))
    return part


def with_words_of_ours(
    loaders: Carried, tree: Tree, root: Part, parts: Sequence[Part], *, untouched: bool
) -> Carried:
    """Return what a loader says with what a boot without it needs besides."""
    names = {Word(word).name for word in loaders.words}
    words, said = list(loaders.words), list(loaders.said)
    if untouched and "mount.usr" not in names and (usr := _usr_by_type(tree, parts)):
        # Systemd looks for it by its type only where the firmware tells which disk it booted.
        words += [f"mount.usr=/dev/vda{usr.number}", "mount.usrflags=ro"]
    if untouched and root.tree and "ostree" not in names and (own := newest(root.tree)):
        words.append(f"ostree={own.link}")
    if asks_at_first_boot(tree) and "systemd.firstboot" not in names:
        words.append(_ASK_NOBODY)
        said.append(f"its first boot would ask at the console: {_ASK_NOBODY} has it ask nobody")
    return replace(loaders, words=tuple(words), said=tuple(said))


def _usr_by_type(tree: Tree, parts: Sequence[Part]) -> Volume | None:
    volumes = [part.volume for part in parts]
    found = below_by_type(volumes, "", paths_in(tree.text("etc/fstab")))
    return next((each.volume for each in found if each.path == _USR), None)


def used_bytes(root: Part, added: Iterable[Below], parts: Sequence[Part]) -> int:
    """Return how much the files of a root take, and of what belongs below it."""
    volumes = {root.volume, *(each.volume for each in added)}
    return sum(part.used_bytes for part in parts if part.volume in volumes)
