"""Which storm of a run is next, those of its plan in order, then what was asked for again; and
which number everything has."""

import itertools
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from vmtiming_tui.model.commands import Share
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.plan import RunPlan, StormKind, StormPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class StormOrder:
    """A storm to be booted: each VM with its settings, and the look that follows, if one does."""

    kind: StormKind
    configs: Mapping[int, RunConfig]
    parameters: Mapping[str, str] = field(default_factory=dict)
    planned: int = 1
    look: int | None = None

    @property
    def config(self) -> RunConfig:
        """The settings that the storm as a whole goes by: its first VM's."""
        return next(iter(self.configs.values()))


class Walk:
    """Walks a plan; what was booted of it can be booted again, with its last settings.

    Storms are numbered as they begin, attempts per VM over the whole run; both from 1.
    """

    def __init__(self, plan: RunPlan) -> None:
        self._planned = len(plan)
        self._storms = deque(plan.storms())
        self._details = deque(plan.detail_storms())
        self._reruns: deque[tuple[int, ...]] = deque()
        self._configs: dict[int, RunConfig] = {}
        self._attempts: dict[int, int] = {}
        self._begun = 0

    @property
    def storm(self) -> int:
        """The number of the storm to be booted next."""
        return self._begun + 1

    def attempt(self, vm: int) -> int:
        """Return the number of a VM's newest attempt; 0 where it has none."""
        return self._attempts.get(vm, 0)

    def next_attempts(self, order: StormOrder) -> dict[int, int]:
        """Return the numbers of the attempts of a storm that has not begun, by VM."""
        return {vm: self.attempt(vm) + 1 for vm in order.configs}

    @property
    def has_more(self) -> bool:
        """Whether something is left to be booted."""
        return bool(self._storms or self._details or self._reruns)

    def next(self) -> StormOrder | None:
        """Return the storm to be booted next; None where nothing is left."""
        if self._storms:
            return _order(self._storms.popleft(), self._planned)
        if self._details:
            return _order(self._details.popleft(), 1)
        if self._reruns:
            configs = {vm: self._configs[vm] for vm in self._reruns.popleft()}
            return StormOrder(kind=StormKind.RERUN, configs=configs)
        return None

    def begun(self, order: StormOrder, vms: Iterable[int]) -> None:
        """Count a storm and the attempts of these of its VMs, the others having none.

        What it boots with is kept for reruns.
        """
        self._begun += 1
        self._attempts |= {vm: self.attempt(vm) + 1 for vm in vms}
        if order.kind is not StormKind.DETAIL:
            self._configs.update(order.configs)

    def conclude(self) -> None:
        """Leave out what is left of the plan's storms, but for those for details."""
        self._storms.clear()

    def give_up(self) -> None:
        """Leave out what is left of the plan, one of its storms having failed."""
        self._storms.clear()
        self._details.clear()

    def stop(self) -> None:
        """Leave out everything that is left."""
        self._storms.clear()
        self._details.clear()
        self._reruns.clear()

    def rerun(self, vms: Sequence[int]) -> None:
        """Put VMs in line to be booted again, as a storm of their own; others are unknown."""
        known = tuple(dict.fromkeys(vm for vm in vms if vm in self._configs))
        if known:
            self._reruns.append(known)


def shares_of(
    order: StormOrder, attempts: Mapping[int, int], vms: Iterable[int]
) -> tuple[Share, ...]:
    """Return VMs of a storm by their settings, in their order, each with its attempt's number."""
    return tuple(
        Share(
            config=config,
            vms=(its := tuple(group)),
            attempts=tuple(attempts[vm] for vm in its),
        )
        for config, group in itertools.groupby(vms, order.configs.__getitem__)
    )


def _order(storm: StormPlan, planned: int) -> StormOrder:
    config = storm.variant.config
    return StormOrder(
        kind=storm.kind,
        configs=dict.fromkeys(range(config.number), config),
        parameters=storm.variant.parameters,
        planned=planned,
        look=storm.look,
    )
