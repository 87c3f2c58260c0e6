"""A run that goes on until it is decided: when it is looked at, and what the looks have said."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """What the looks so far say of one setting against what it is held against."""

    FASTER = "faster"
    SLOWER = "slower"
    NO_DIFFERENCE = "no difference"
    OPEN = "not decided"


@dataclass(frozen=True, slots=True, kw_only=True)
class UntilDecided:
    """A run is to go on till a difference is told, or that there is none of ``percent``.

    It is looked at when each setting has booted as many storms as one of ``looks`` says, and at no
    other time: looking more often would find differences by chance. Raises ``ValueError`` where
    these do not rise.
    """

    percent: float
    looks: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.percent > 0 or list(self.looks) != sorted({0, *self.looks} - {0}):
            raise ValueError("looks rise, and a difference is above 0 %")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is said of one setting (``parameters``) against another, or against an earlier run.

    ``storms`` is how many of each setting it rests on: those of the look that decided it, or of the
    last. ``percent`` is by how much its boots take longer, from ``low_percent`` to
    ``high_percent``: each is None where VMs that never booted hide it, or where there were too few.
    """

    parameters: Mapping[str, str]
    against: str
    standing: Standing
    storms: int
    percent: float | None = None
    low_percent: float | None = None
    high_percent: float | None = None
