"""What a run consists of: which storms, in which order, with which settings.

A sweep (``-L VAR a,b,c``) is interleaved: every turn boots each combination once, and every second
turn goes backwards (ABBA), so that a drift of the host falls on all of them alike.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from vmtiming_tui.model.config import KernelDetail, RunConfig
from vmtiming_tui.model.decision import UntilDecided
from vmtiming_tui.model.threshold import Threshold


class StormKind(StrEnum):
    """Why a set of VMs was booted together; those of ``run`` are what counts."""

    RUN = "run"
    WARMUP = "warmup"
    RERUN = "rerun"
    DETAIL = "detail"

    @property
    def is_beside(self) -> bool:
        """Whether it stands beside the storms that a run was started for."""
        return self in (StormKind.RERUN, StormKind.DETAIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One combination of swept settings: their texts as given, and the config they make."""

    config: RunConfig
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StormPlan:
    """One storm to come; ``look`` is how many each setting has had after it, where one is due."""

    kind: StormKind
    variant: Variant
    look: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """A whole run: ``warmup`` storms that do not count, then ``runs`` that do, per variant.

    ``prepare`` is a shell command run before every storm; ``drop_caches`` empties the host's page
    cache before every storm. ``labels`` are its user's words to find it by; ``thresholds`` is what
    its figures are held to. With ``until_decided`` there are at most ``runs``. Raises
    ``ValueError`` without a variant.
    """

    variants: tuple[Variant, ...]
    warmup: int = 0
    runs: int = 1
    prepare: str = ""
    drop_caches: bool = False
    name: str = ""
    notes: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    thresholds: tuple[Threshold, ...] = ()
    until_decided: UntilDecided | None = None

    def __post_init__(self) -> None:
        if not self.variants:
            raise ValueError("a plan has a variant at least")

    @property
    def config(self) -> RunConfig:
        """The first variant's config: what a rerun or a new form starts from."""
        return self.variants[0].config

    def config_of(self, parameters: Mapping[str, str]) -> RunConfig:
        """Return the config of the variant with these parameters, else the first one's."""
        wanted = dict(parameters)
        like = (each.config for each in self.variants if dict(each.parameters) == wanted)
        return next(like, self.config)

    @property
    def configs(self) -> list[RunConfig]:
        """Every config that a storm of it boots."""
        booted = (*self.variants, *(storm.variant for storm in self.detail_storms()))
        return list(dict.fromkeys(variant.config for variant in booted))

    @property
    def number(self) -> int:
        """The most VMs any storm of the plan boots."""
        return max(variant.config.number for variant in self.variants)

    def storms(self) -> Iterator[StormPlan]:
        """Yield the storms in the order they are to be booted."""
        kinds = itertools.chain(
            itertools.repeat(StormKind.WARMUP, self.warmup),
            itertools.repeat(StormKind.RUN, self.runs),
        )
        looks = self.until_decided.looks if self.until_decided else ()
        for turn, kind in enumerate(kinds):
            counted = turn + 1 - self.warmup
            *others, last = self.variants if turn % 2 == 0 else reversed(self.variants)
            yield from (StormPlan(kind=kind, variant=variant) for variant in others)
            yield StormPlan(kind=kind, variant=last, look=counted if counted in looks else None)

    def detail_storms(self) -> Iterator[StormPlan]:
        """Yield the storms that come after all others, for details that would slow those.

        They count in nothing.
        """
        for variant in self.variants:
            if variant.config.kernel_detail is KernelDetail.EXTRA:
                config = replace(variant.config, kernel_detail=KernelDetail.ON)
                yield StormPlan(kind=StormKind.DETAIL, variant=replace(variant, config=config))

    def __len__(self) -> int:
        return (self.warmup + self.runs) * len(self.variants)
