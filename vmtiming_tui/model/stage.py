"""The parts of a boot, which every other layer names as they are named here."""

from enum import StrEnum


class Stage(StrEnum):
    """The parts of a boot, in their order."""

    FIRMWARE = "firmware"
    LOADER = "loader"
    KERNEL = "kernel"
    INITRD = "initrd"
    USERSPACE = "userspace"
    LAG = "lag"
