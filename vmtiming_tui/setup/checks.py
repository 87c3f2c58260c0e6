"""What one look at the host says: the vocabulary of ``vm-timing-report doctor``."""

import os
import shutil
from dataclasses import dataclass
from enum import StrEnum


class Fitness(StrEnum):
    """What a check found; only ``MISSING`` means that a run could not work."""

    FINE = "ok"
    NOTE = "note"
    MISSING = "MISSING"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what was found, and the command that mends it."""

    name: str
    fitness: Fitness
    found: str
    mend: str = ""


def tool(name: str) -> str | None:
    """Return where a tool is; those for root may be outside a user's path."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
