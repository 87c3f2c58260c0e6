"""Which accelerator really boots this kernel."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmtiming_tui.config import Accel, RunConfig

if TYPE_CHECKING:
    from vmtiming_tui.engine.attempt import Tools


@dataclass(frozen=True, slots=True)
class Choice:
    """The accelerator to use, and why that one, in a sentence; ``warns`` if it is a fallback."""

    accel: Accel
    reason: str
    warns: bool = False


async def choose_accel(config: RunConfig, version: str, tools: "Tools") -> Choice:
    if config.accel is not Accel.AUTO:
        return Choice(config.accel, f"--accel {config.accel} was asked for")
    return Choice(Accel.TCG, "todo")
