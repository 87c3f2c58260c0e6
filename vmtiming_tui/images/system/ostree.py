"""Deployments of ostree and bootc: systems in folders of a file system, of which one is booted.

After libostree's "Anatomy of a deployment": ``/ostree/boot.N/OS/CHECKSUM/SERIAL`` are links to
deployments, and the kernel's word ``ostree=`` names one of them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from vmtiming_tui.images.files.joined import below
from vmtiming_tui.images.files.tree import FileKind, Found, Tree
from vmtiming_tui.images.system.kernel.places import MODULES
from vmtiming_tui.images.system.versions import Key, version_key

_MAX_DEPLOYMENTS = 32
_BOOTED = ("boot.0", "boot.1")
# It becomes a word of a kernel's.
_LINK = re.compile(r"[A-Za-z0-9_./+-]{1,300}")


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment: the link that names it, from the file system's top, and its folder.

    The link is a plain word.
    """

    link: str
    folder: Found


def is_ostree(tree: Tree) -> bool:
    """Whether a file system holds deployments."""
    return tree.has("ostree/deploy")


def deployments(tree: Tree) -> Sequence[Deployment]:
    """Return a file system's deployments, each once."""
    found: dict[str, Deployment] = {}
    for each in islice(_linked(tree), _MAX_DEPLOYMENTS):
        found.setdefault(each.folder.path, each)
    return tuple(found.values())


def _linked(tree: Tree) -> Iterator[Deployment]:
    for boot in _BOOTED:
        for system in tree.names(f"ostree/{boot}"):
            for checksum in tree.names(f"ostree/{boot}/{system}"):
                folder = f"ostree/{boot}/{system}/{checksum}"
                for serial in tree.names(folder):
                    link = f"/{folder}/{serial}"
                    target = tree.find(link)
                    if target and target.node.kind is FileKind.FOLDER and _LINK.fullmatch(link):
                        yield Deployment(link, target)


def newest(tree: Tree) -> Deployment | None:
    """Return the deployment with the newest kernel; None where a file system has none."""

    def newest_kernel(each: Deployment) -> Key:
        return max(map(version_key, tree.names(f"{each.folder.path}/{MODULES}")), default=())

    return max(deployments(tree), key=newest_kernel, default=None)


def boot_volume(tree: Tree) -> Tree | None:
    """Return what is in a deployments' file system as ``/boot``, whose top loaders start from."""
    found = tree.find("boot")
    return below(tree, found) if found and found.node.kind is FileKind.FOLDER else None
