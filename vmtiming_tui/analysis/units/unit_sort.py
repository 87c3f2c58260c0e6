"""What a list of units may be sorted by; apart, as the command line asks for no more."""

from enum import StrEnum


class UnitSort(StrEnum):
    """What units are sorted by: the first to begin first, else the most first."""

    START = "start"
    TIME = "time"
    OWN = "own"
    WAITED = "waited"
    SHARE = "share"
    SPREAD = "spread"
    FAILED = "failed"
    NAME = "name"
