"""Partitions that say by their type what they are for, where no fstab does.

After the UAPI group's "Discoverable Partitions Specification", which systemd's gpt-auto-generator
follows.
"""

import hashlib
import hmac
import re
import uuid
from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum

from vmtiming_tui.images.disk.volumes import Volume
from vmtiming_tui.images.system.fstab import Below
from vmtiming_tui.images.system.versions import version_key


class Purpose(StrEnum):
    """What a partition is for; of root and ``/usr`` for whatever architecture."""

    ROOT = "/"
    ROOT_VERITY = "the hashes of /"
    USR = "/usr"
    USR_VERITY = "the hashes of /usr"
    HOME = "/home"
    SRV = "/srv"
    VAR = "/var"


_VAR = "4d21b016-b534-45c2-a9fb-5c16e091fd2d"
_PURPOSES = {
    # x86-64, x86, arm64, arm, riscv64
    Purpose.ROOT: (
        "4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "44479540-f297-41b2-9af7-d131d5f0458a",
        "b921b045-1df0-41c3-af44-4c6f280d3fae", "69dad710-2ce4-4e3c-b16c-21a1d49abed3",
        "72ec70a6-cf74-40e6-bd49-4bda08e8f224",
    ),
    Purpose.ROOT_VERITY: (
        "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5", "d13c5d3b-b5d1-422a-b29f-9454fdc89d76",
        "df3300ce-d69f-4c92-978c-9bfb0f38d820", "7386cdf2-203c-47a9-a498-f2ecce45a2d6",
        "b6ed5582-440b-4209-b8da-5ff7c419ea3d",
    ),
    Purpose.USR: (
        "8484680c-9521-48c6-9c11-b0720656f69e", "75250d76-8cc6-458e-bd66-bd47cc81a812",
        "b0e01050-ee5f-4390-949a-9101b17104e9", "7d0359a3-02b3-4f0a-865c-654403e70625",
        "beaec34b-8442-439b-a40b-984381ed097d",
    ),
    Purpose.USR_VERITY: (
        "77ff5f63-e7b6-4633-acf4-1565b864c0e6", "8f461b0d-14ee-4e81-9aa9-049b6fb97abd",
        "6e11a4e7-fbca-4ded-b9e9-e1a512bb664e", "c215d751-7bcd-4649-be90-6627490a4c05",
        "8f1056be-9b05-47c4-81d6-be53128e5b54",
    ),
    Purpose.HOME: ("933ac7e1-2eb4-4f13-b844-0e14e2aef915",),
    Purpose.SRV: ("3b8f8425-20e0-4f3b-907f-1a25a76f98e8",),
    Purpose.VAR: (_VAR,),
}  # fmt: skip
_BY_KIND = {kind: purpose for purpose, kinds in _PURPOSES.items() for kind in kinds}
_MACHINE_ID = re.compile(r"[0-9a-f]{32}")
_EMPTY_LABEL = "_empty"  # systemd-sysupdate's name for a slot without a version


def purpose_of(volume: Volume) -> Purpose | None:
    """Return what a partition is for; None where its type does not say."""
    return _BY_KIND.get(volume.kind)


def newest(volumes: Sequence[Volume], purpose: Purpose) -> Volume | None:
    """Return the partition for something; of several the one whose name is the highest version."""
    found = [
        volume
        for volume in volumes
        if purpose_of(volume) is purpose and volume.part_label != _EMPTY_LABEL
    ]
    return max(found, key=lambda volume: version_key(volume.part_label), default=None)


def below_by_type(
    volumes: Sequence[Volume], machine_id: str, taken: Collection[str]
) -> Iterator[Below]:
    """Yield what belongs below the root by its type alone, but for paths that are taken already.

    A ``/var`` belongs to one machine, which its UUID tells.
    """
    for purpose in (Purpose.USR, Purpose.HOME, Purpose.SRV, Purpose.VAR):
        volume = newest(volumes, purpose)
        if volume is None or purpose in taken:
            continue
        if purpose is Purpose.VAR and volume.partuuid != _uuid_of_var(machine_id.strip()):
            continue
        yield Below(volume, str(purpose), "")


def _uuid_of_var(machine_id: str) -> str:
    """HMAC-SHA256 of the type, keyed by the machine-id, its first half as a UUID of version 4."""
    if not _MACHINE_ID.fullmatch(machine_id):
        return ""
    key = bytes.fromhex(machine_id)
    digest = hmac.new(key, uuid.UUID(_VAR).bytes, hashlib.sha256).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))
