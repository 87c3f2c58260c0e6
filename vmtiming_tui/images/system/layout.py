"""Systems that are more than a root file system: what they are, and whether a copy would be honest.

A root of its own is made of a system whose files are all on file systems that its fstab, or its
partitions' types, put together. Others are put together by what boots them: by hashes of a whole
file system, by a deployment of many, by a first boot. Those boot as they are, or not at all.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from vmtiming_tui.errors import AsItIsError, ImageError
from vmtiming_tui.images.disk.volumes import Volume
from vmtiming_tui.images.files.tree import Tree
from vmtiming_tui.images.quoting import shown
from vmtiming_tui.images.system.discoverable import Purpose, newest, purpose_of
from vmtiming_tui.images.system.osrelease import has_systemd, name_of_system
from vmtiming_tui.images.system.ostree import is_ostree

_MAX_NAMES = 10_000
_LIBRARY = re.compile(r"libsystemd-shared-([0-9]{2,4})(?:[.~-].{0,60})?\.so")
_UNITS = ("usr/lib/systemd/system", "lib/systemd/system")
_IN_STORE = re.compile(r"[0-9a-z]{32}-systemd-([0-9]{2,4})(?:\.[0-9]{1,4})?")
_OF_AN_ARCHITECTURE = re.compile(r"[a-z0-9_]{1,20}-linux-gnu[a-z0-9_]{0,20}")
_CHROMEOS_KERNEL = "fe3a2a5d-4f32-41a7-b725-accc3285a309"
_ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
_FLATCAR_USR = "5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6"
_BOTTLEROCKET_ROOT = "5526016a-1a97-4ea4-b39a-b7c8c6ca4502"
_MICROSOFT = ("e3c9e316-0b5c-4db8-817d-f92df00215ae", "de94bba4-06d1-4d40-a16a-bfd50179d6ac")
_TALOS = re.compile("talos", re.IGNORECASE)
_FREEBSD = re.compile(r"516e7c[0-9a-f]{2}-6ecf-11d6-8ff8-00022d09712b")
# Of Home Assistant OS and balenaOS.
_SLOTS = ("hassos-", "resin-")
# Where live systems keep the image of their root.
_LIVE_FOLDERS = ("live", "casper", "LiveOS", "arch/x86_64", "cOS", "")
_LIVE_ROOTS = re.compile(r".{1,100}\.(squashfs|sfs|erofs)|(squashfs|rootfs|active)\.img")


def systemd_version(tree: Tree) -> int:
    """Return which systemd a system has, or a ``/usr``, by its library's name; 0: none tells."""
    names = chain.from_iterable(tree.names(f"{folder}/systemd") for folder in _libraries(tree))
    found = [int(match[1]) for name in names if (match := _LIBRARY.fullmatch(name))]
    store = islice(tree.names("nix/store"), _MAX_NAMES)
    found += [int(match[1]) for name in store if (match := _IN_STORE.fullmatch(name))]
    return max(found, default=0)


def _libraries(tree: Tree) -> Iterator[str]:
    """Yield the folders of libraries of a root, or of what belongs on a root's ``/usr``."""
    for top in ("usr/", ""):
        yield f"{top}lib64"
        yield f"{top}lib"
        for name in tree.names(f"{top}lib"):
            if _OF_AN_ARCHITECTURE.fullmatch(name):
                yield f"{top}lib/{name}"


def is_first_boot(tree: Tree) -> bool:
    """Whether systemd takes a boot for the first, which sets the machine up (machine-id(5))."""
    return tree.text("etc/machine-id").strip() in ("", "uninitialized")


def asks_at_first_boot(tree: Tree) -> bool:
    """Whether a first boot would wait at the console for answers (systemd-firstboot(1))."""
    asks = any(tree.has(f"{folder}/systemd-firstboot.service") for folder in _UNITS)
    return asks and is_first_boot(tree)


def is_nixos(tree: Tree) -> bool:
    """Whether a tree is a NixOS's root, which has little more than its store before it booted."""
    told = ("etc/NIXOS", "nix-path-registration", "nix/var/nix/profiles/system")
    return tree.has("nix/store") and any(tree.find(name, follow=False) for name in told)


def refuse_disk(volumes: Sequence[Volume], trees: Sequence[Tree]) -> None:
    """Raise ``ImageError`` for disks whose roots are no systems without what boots them."""
    kinds = {volume.kind for volume in volumes}
    if _BOTTLEROCKET_ROOT in kinds:
        raise _no_report("Bottlerocket", "no shell")
    systems = [tree for tree in trees if has_systemd(tree)]
    in_slots = _CHROMEOS_KERNEL in kinds or any(
        volume.part_label.startswith(_SLOTS) for volume in volumes
    )
    if in_slots and systems:
        raise AsItIsError(
            f"{name_of_system(systems[0])} has two slots for its root, of which its own loader "
            "chooses one and adds the rest",
            systemd=systemd_version(systems[0]),
        )


def refuse_root(tree: Tree, volumes: Sequence[Volume]) -> None:
    """Raise ``AsItIsError`` for a root that only its own loader's hashes put together."""
    for purpose, verity in (
        (Purpose.ROOT, Purpose.ROOT_VERITY),
        (Purpose.USR, Purpose.USR_VERITY),
    ):
        own, hashes = newest(volumes, purpose), newest(volumes, verity)
        if own and hashes:
            raise AsItIsError(
                f"{name_of_system(tree)} has its {purpose} ({own.name}) verified at every boot, by "
                f"the hashes on {hashes.name}",
                systemd=systemd_version(tree),
            )


def refuse_copy(tree: Tree, files: Tree | None) -> None:
    """Raise ``AsItIsError`` for a root into a copy of which no report service can be put.

    ``files`` are those of the file system that the root is on.
    """
    if files and is_ostree(files):
        raise AsItIsError(
            f"{name_of_system(tree)} is a deployment of ostree, whose /usr is not to be written to",
            systemd=systemd_version(tree),
            untouched=True,
        )
    if is_nixos(tree):
        raise AsItIsError(
            "NixOS has its units in /nix/store alone: a report service beside them is not looked "
            "for",
            systemd=systemd_version(tree),
            untouched=True,
        )


def _no_report(name: str, why: str) -> ImageError:
    return ImageError(
        f"the image is {name}, which has {why}: nothing brought into it could tell when it has "
        "booted",
        hint="a guest of your own reports by one line: vm-timing-report manual guests",
    )


def without_root(volumes: Sequence[Volume], trees: Sequence[Tree]) -> ImageError | None:
    """Return why an image has no root of the usual kind; None where nothing here knows.

    The error is an ``AsItIsError`` where the system boots by itself and may report.
    """
    for found in (
        _deployments(trees), _ubuntu_core(volumes, trees), _live(trees),
        _no_systemd_at_all(volumes, trees), _usr_alone(volumes, trees), _slots(volumes),
        _in_pool(volumes),
    ):  # fmt: skip
        if found:
            return found
    return None


def _deployments(trees: Sequence[Tree]) -> ImageError | None:
    for tree in trees:
        if is_ostree(tree) or (tree.has("composefs") and tree.has("state/deploy")):
            return AsItIsError(
                f"the image has deployments on {tree.label} that only their own initrd puts "
                "together (ostree, bootc)"
            )
    return None


def _ubuntu_core(volumes: Sequence[Volume], trees: Sequence[Tree]) -> ImageError | None:
    labels = {label for volume in volumes for label in (volume.label, volume.part_label)}
    if "ubuntu-seed" not in labels and not any(
        tree.has("systems") and tree.has("snaps") for tree in trees
    ):
        return None
    return AsItIsError("the image is an Ubuntu Core, whose root is inside its snaps")


def _no_systemd_at_all(volumes: Sequence[Volume], trees: Sequence[Tree]) -> ImageError | None:
    kinds = {volume.kind for volume in volumes}
    parts = {volume.part_label for volume in volumes}
    types = {volume.type for volume in volumes}
    programs = [name for tree in trees for name in tree.names("EFI/Linux")]
    if {"META", "STATE", "EPHEMERAL"} <= parts or any(map(_TALOS.match, programs)):
        return _no_report("Talos Linux", "neither systemd nor a shell")
    if {"super", "vendor_boot", "vbmeta", "vbmeta_a"} & parts:
        return _no_report("Android", "no systemd")
    if any(map(_FREEBSD.fullmatch, kinds)):
        return _no_report("a BSD", "no systemd")
    if kinds & set(_MICROSOFT) or types & {"ntfs", "ReFS"}:
        return _no_report("Windows", "no systemd")
    if types & {"apfs", "hfsplus"}:
        return _no_report("macOS", "no systemd")
    return None


def _live(trees: Sequence[Tree]) -> ImageError | None:
    for tree in trees:
        for path in _live_roots(tree):
            return AsItIsError(
                f"the image is a live system: its root is in the file /{shown(path)} of "
                f"{tree.label}, and put together at each boot"
            )
    return None


def _live_roots(tree: Tree) -> Iterator[str]:
    folders = [*_LIVE_FOLDERS, *(f"boot/{name}" for name in tree.names("boot")[:100])]
    for folder in folders:
        for name in tree.names(folder):
            if _LIVE_ROOTS.fullmatch(name):
                yield f"{folder}/{name}".lstrip("/")


def _usr_alone(volumes: Sequence[Volume], trees: Sequence[Tree]) -> ImageError | None:
    usr = [
        volume
        for volume in volumes
        if purpose_of(volume) is Purpose.USR or volume.kind == _FLATCAR_USR
    ]
    if not usr:
        return None
    tree = next((tree for tree in trees if tree.label in [volume.name for volume in usr]), None)
    name = name_of_system(tree) if tree else "a system"
    version = systemd_version(tree) if tree else 0
    return AsItIsError(
        f"the image has {name} as a /usr alone ({usr[0].name}), to which its first boot makes a "
        "root",
        systemd=version,
    )


def _slots(volumes: Sequence[Volume]) -> ImageError | None:
    """Read-only systems in slots (Home Assistant OS, RAUC, Mender)."""
    for volume in volumes:
        if volume.type in ("squashfs", "erofs"):
            return AsItIsError(
                f"the image has its system read-only on {volume.name} ({volume.type}), with what "
                "changes elsewhere, which its own loader and initrd put together"
            )
    return None


def boots_itself(volumes: Sequence[Volume]) -> bool:
    """Whether a firmware finds something to boot, whatever that is."""
    return any(volume.kind == _ESP for volume in volumes)


def _in_pool(volumes: Sequence[Volume]) -> ImageError | None:
    for volume in volumes:
        if volume.type in ("zfs_member", "bcachefs", "linux_raid_member", "reiserfs", "jfs"):
            return AsItIsError(
                f"the image has its system on {volume.name} ({volume.type}), which is not read here"
            )
    return None
