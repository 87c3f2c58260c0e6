"""What each config of a run boots with: found out once for each QEMU, before the first storm."""

from collections.abc import Iterable
from dataclasses import dataclass

from vmtiming_tui.engine.children.children import Children
from vmtiming_tui.engine.qemu.accel import ChosenAccel, accel_key, choose_accel
from vmtiming_tui.engine.qemu.confinement import Powers, powers_key, settle_powers
from vmtiming_tui.model.config import Accel, RunConfig


@dataclass(frozen=True, slots=True)
class SettledQemu:
    """A config's QEMU: what it may do, which version it is, and its accelerator."""

    powers: Powers
    choice: ChosenAccel

    @property
    def accel(self) -> Accel:
        """The accelerator."""
        return self.choice.accel


async def settle_qemus(
    configs: Iterable[RunConfig], own_uid: int | None, children: Children
) -> dict[RunConfig, SettledQemu]:
    """Return what each config boots with; what several have in common is asked once.

    Raises ``QemuError`` where one of them has no QEMU that will do.
    """
    powers: dict[tuple[str, ...], Powers] = {}
    choices: dict[tuple[str, ...], ChosenAccel] = {}
    found = {}
    for config in configs:
        program = powers_key(config)
        if program not in powers:
            powers[program] = await settle_powers(config, own_uid, children)
        key = accel_key(config)
        if key not in choices:
            choices[key] = await choose_accel(config, powers[program], children)
        found[config] = SettledQemu(powers[program], choices[key])
    return found
