"""What to keep in mind where kernels were asked what their initcalls take."""

from collections.abc import Iterator, Sequence

from vmtiming_tui.analysis.counted import kind_of
from vmtiming_tui.escape import plural
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.config import KernelDetail
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import StormKind


def kernel_cautions(fleet: Fleet, attempts: Sequence[Attempt]) -> Iterator[str]:
    """Say that kernels that log more are slower, and whose log did not come.

    ``attempts`` are those that count.
    """
    plan = fleet.plan
    details = [variant.config.kernel_detail for variant in plan.variants] if plan else []
    extra = [each for each in fleet.attempts if kind_of(fleet, each) is StormKind.DETAIL]
    if KernelDetail.ON in details:
        yield (
            "the kernels logged what their initcalls take, which slows these boots: compare them "
            "only with others that did; --kernel-detail=extra asks it of one more storm"
        )
        extra += attempts
    elif lost := sum(attempt.state.is_lost for attempt in extra):
        yield (
            f"{lost} of {plural(len(extra), 'boot')} failed in the storm for the kernel's details, "
            "which counts in nothing"
        )
    told = [attempt for attempt in extra if attempt.details is not None]
    if mute := sum(attempt.kernel is None for attempt in told):
        yield (
            f"{mute} of {plural(len(told), 'guest')} told nothing of the kernel: nothing in there "
            "reads its log, or the report service is an earlier version's (prepare the image again)"
        )
