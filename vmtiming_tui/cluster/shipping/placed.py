"""Where a host has what was brought to it, and what it is then told to boot."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from vmtiming_tui.cluster.shipping.store import VMS
from vmtiming_tui.model import commands
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.plan import RunPlan, Variant


@dataclass(frozen=True, slots=True)
class Placed:
    """A host's own paths of files, by the paths that the plan has for them.

    Overlays are made beside their base, for all runs: nothing ever writes to them.
    """

    paths: Mapping[str, str]

    def config(self, config: RunConfig) -> RunConfig:
        """Return a config of the plan as it holds on the host."""
        base = self.paths[config.base]
        return replace(
            config,
            kernel=self.paths.get(config.kernel, ""),
            initrd=self.paths.get(config.initrd, ""),
            base=base,
            vmdir=f"{base}{VMS}",
        )

    def plan(self, plan: RunPlan) -> RunPlan:
        """Return a plan as it holds on the host."""
        return replace(plan, variants=tuple(map(self._variant, plan.variants)))

    def command(self, command: commands.Command) -> commands.Command:
        """Return a command as the host's engine is given it."""
        match command:
            case commands.Start():
                return replace(command, plan=self.plan(command.plan))
            case commands.Boot():
                return replace(command, shares=tuple(map(self._share, command.shares)))
            case _:
                return command

    def _variant(self, variant: Variant) -> Variant:
        return replace(variant, config=self.config(variant.config))

    def _share(self, share: commands.Share) -> commands.Share:
        return replace(share, config=self.config(share.config))
