"""The host a run was made on, as far as boot times depend on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

READINGS: Final = frozenset({"memory_available_bytes", "load1", "psi"})
"""The facts that were measured at a moment: another host's never tell of the same thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What boot times depend on; kept with every run. What is empty or 0 is not known.

    ``cores`` are those the engine may run on. ``psi`` holds ``some avg10`` in percent by resource,
    at the start.
    """

    hostname: str = ""
    kernel: str = ""
    os: str = ""
    cpu_model: str = ""
    cores: int = 0
    governor: str = ""
    virtualised: str = ""
    memory_bytes: int = 0
    memory_available_bytes: int = 0
    load1: float = 0.0
    psi: Mapping[str, float] = field(default_factory=dict)
