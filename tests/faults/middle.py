"""Three VMs of which the one in the middle has a fault; the others must not notice."""

import asyncio

from faults.fault import Fault
from support.engine_lab import LIMIT_S, Lab, Story, tell
from support.facts import plan_of
from support.traces import nothing_left
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.plan import RunPlan

MIDDLE = 1
BOOTED = "booted"


def for_middle(script: str) -> str:
    """Return a stand-in's script as the middle VM alone follows it."""
    return " ".join(f"{MIDDLE}.{word}" for word in script.split())


def told(attempt: Attempt) -> str:
    """Return everything the user is told about a boot."""
    rejected = (f"{event.why}: {event.excerpt}" for event in attempt.rejected)
    return "\n".join([attempt.why, attempt.hint, attempt.text, *rejected])


async def run_with(lab: Lab, plan: RunPlan) -> Story:
    """Run three VMs to their end; nothing is left, and the neighbours are well."""
    images = [plan.config.image(vm) for vm in range(3)]
    with nothing_left(lab.runtime, *images):
        async with asyncio.timeout(LIMIT_S):
            story = await tell(lab, plan)
    first, _, last = story.states
    assert (first, last) == (BOOTED, BOOTED)
    assert story.fleet.vms[MIDDLE].newest.exited_ns is not None
    return story


async def suffers(lab: Lab, fault: Fault[str]) -> Story:
    """Run three VMs, the middle one with a fault, and see that it ends as the row says."""
    plan = plan_of(lab.config(3, for_middle(fault.how), timeout_s=2.0))
    story = await run_with(lab, plan)
    attempt = story.fleet.vms[MIDDLE].newest
    if fault.ends == BOOTED:
        assert attempt.boot_ns is not None
        assert attempt.state.value == BOOTED
    else:
        assert attempt.state.value == fault.ends
    said = told(attempt)
    assert fault.words in said
    assert said.replace("\n", "").replace("\t", "").isprintable()
    return story
