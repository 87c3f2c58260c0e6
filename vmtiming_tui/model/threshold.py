"""A limit that one figure of a run is held to (``--fail-over``)."""

from dataclasses import dataclass
from enum import StrEnum


class Subject(StrEnum):
    """What a limit is about."""

    BOOT = "boot"
    ALL_BOOTED_IN = "all-booted-in"
    QEMU = "qemu"
    STAGE = "stage"
    SHUTDOWN = "shutdown"
    UNIT = "unit"


class Statistic(StrEnum):
    """What is made of the times a limit is about."""

    PERCENTILE = "percentile"
    MEAN = "mean"
    SPREAD = "spread"


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A limit in seconds, as it was written (``text``) and as it was read.

    ``name`` is that of the stage or the unit. ``percent`` is a percentile's: 0 is the fastest, 100
    the slowest. The spread is the standard deviation. Raises ``ValueError`` for a percentile that
    is none.
    """

    text: str
    subject: Subject
    limit_s: float
    statistic: Statistic = Statistic.PERCENTILE
    percent: float = 50.0
    name: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.percent <= 100:
            raise ValueError(f"there is no percentile {self.percent:g}")

    @property
    def figure(self) -> str:
        """The figure that is limited, in words: ``userspace p50``."""
        what = self.name or self.subject.replace("-", " ")
        if self.statistic is not Statistic.PERCENTILE:
            return f"{what} {self.statistic}"
        ends = {0.0: "min", 100.0: "max"}
        return f"{what} {ends.get(self.percent, f'p{self.percent:g}')}"
