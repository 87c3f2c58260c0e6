"""What is asked for that cannot be brought to hosts, found before anything is looked at."""

from collections.abc import Iterator
from pathlib import Path

from vmtiming_tui.errors import Problem
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.plan import RunPlan


def shipping_problems(plan: RunPlan) -> list[Problem]:
    """Return why what VMs of a plan boot from cannot be brought to hosts (``--ship``)."""
    return list(dict.fromkeys(problem for config in plan.configs for problem in _of(config)))


def _of(config: RunConfig) -> Iterator[Problem]:
    if not config.base:
        yield Problem(
            "ship",
            "--ship: hosts make overlays of a base that is brought to them; give it with --base "
            "ROOTFS, or leave --ship out and have the images at the same path on each host",
        )
    elif Path(config.base).is_block_device():
        yield Problem(
            "ship",
            "--ship: a block device is not brought to hosts; write it into a file first "
            "(qemu-img convert -O qcow2), and give that with --base",
        )
    if config.persist:
        yield Problem(
            "ship",
            "--ship: what VMs boot from is in each host's cache, for all runs, and is not written "
            "to; leave --persist out",
        )
