"""The options of a run, shared by every command that boots VMs, and what is made of them.

Values reach ``build_config`` as texts, so that all faults are found at once, worded in one place.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import click

from vmtiming_tui.cli.terminal import can_show_a_dashboard, shows_only_ascii
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.request.settings import Raw
from vmtiming_tui.request.sweeps import build_plan
from vmtiming_tui.session.wishes import Wishes

F = TypeVar("F", bound=Callable[..., Any])

IMAGE_OPTIONS = (
    click.option("-p", "--prefix", metavar="TEXT", help="Prefix of the image file names."),
    click.option("-s", "--suffix", metavar="TEXT", help="Suffix of the image file names."),
    click.option("-v", "--vmdir", metavar="DIR", help="Folder of the VM images."),
    click.option("-k", "--kernel", metavar="FILE", help="The kernel to boot."),
    click.option("-i", "--initrd", metavar="FILE", help="Its initrd."),
    click.option("--base", metavar="ROOTFS", help="Make missing images as overlays of this one."),
    click.option(
        "--boot", metavar="kernel|firmware",
        help="Boot -k/-i directly, or let the image boot itself.  [default: kernel]",
    ),
    click.option(
        "--inject", is_flag=False, flag_value="auto", metavar="[off|auto|initrd|credentials]",
        help="Bring the report service in from outside; the image is left untouched.",
    ),
    click.option(
        "--format", metavar="TEXT",
        help="The images' format (raw, qcow2, vdi ...), if not as it is found to be.",
    ),
    click.option(
        "--allow-backing", metavar="DIR", multiple=True,
        help="A folder whose files the images may stand on. Repeatable.",
    ),
    click.option(
        "--allow-device", is_flag=True, default=None, help="Take block devices for images."
    ),
)  # fmt: skip

MACHINE_OPTIONS = (
    click.option("-m", "--memory", "memory_mib", metavar="MIB", help="Memory of each VM."),
    click.option("-q", "--qemu", metavar="FILE", help="QEMU.  [default: qemu-system-x86_64]"),
    click.option("--accel", metavar="auto|kvm|tcg", help="The accelerator; auto proves KVM first."),
    click.option("--smp", metavar="N", help="vCPUs of each VM.  [default: 1]"),
    click.option("--machine", metavar="TEXT", help="QEMU's machine type, if not the usual one."),
    click.option("--cpu", metavar="TEXT", help="QEMU's CPU model, if not the usual one."),
    click.option("--append", metavar="TEXT", help="More kernel arguments."),
    click.option("--persist", is_flag=True, default=None, help="Let the VMs write to the images."),
    click.option(
        "--run-as",
        metavar="USER",
        help="QEMU's user, for root; root keeps root's rights.  [default: one of its own]",
    ),
)

STORM_OPTIONS = (
    click.option(
        "--timeout", "timeout_s", metavar="SECONDS", help="Limit of a boot.  [default: 300]"
    ),
    click.option(
        "--start", metavar="each|together",
        help="Let a VM go when it is ready, or all at once.  [default: each]",
    ),
    click.option("--stagger", "stagger_s", metavar="SECONDS", help="Wait between two starts."),
    click.option("--parallel", metavar="K", help="How many may be booting at once."),
    click.option("--force", is_flag=True, default=None, help="Run even if memory looks too small."),
)  # fmt: skip

PLAN_OPTIONS = (
    click.option("-r", "--runs", metavar="K", help="How many storms to boot.  [default: 1]"),
    click.option("-w", "--warmup", metavar="K", help="Storms before them that do not count."),
    click.option("--prepare", metavar="CMD", help="A shell command to run before every storm."),
    click.option(
        "--drop-caches", is_flag=True, default=None,
        help="Empty the host's page cache before every storm (needs root).",
    ),
    click.option(
        "-L", "--parameter-list", "sweeps", nargs=2, multiple=True, metavar="VAR A,B,C",
        help="Vary number, memory, smp, accel, kernel, initrd or append. Repeatable.",
    ),
    click.option("--name", metavar="TEXT", help="A name to find the run by in the history."),
    click.option("--notes", metavar="TEXT", help="Words to keep with the run."),
)  # fmt: skip

WISH_OPTIONS = (
    click.option("--plain", is_flag=True, help="The plain report; the default without a terminal."),
    click.option("--json", "as_json", is_flag=True, help="The run's events, one JSON line each."),
    click.option(
        "-o", "--export", "exports", metavar="FILE", multiple=True,
        help="Write the result; .json .csv .md .txt .html tells the format. Repeatable.",
    ),
    click.option(
        "--fail-over", "fail_over_s", metavar="SECONDS",
        help="Exit 3 when any boot that counts, or their p95, is slower.",
    ),
    click.option("--no-history", is_flag=True, help="Do not keep this run."),
    click.option(
        "--baseline", metavar="RUN",
        help="Compare with this run: an id, a name, `last` (before this one), or a JSON export.",
    ),
    click.option(
        "--fail-slower", "fail_slower", metavar="PCT",
        help="Exit 3 when slower than the baseline by more than that for sure, 4 when that "
        "cannot be told.",
    ),
    click.option("--allow-undecided", is_flag=True, help="Exit 0 where it would be 4."),
    click.option("--ascii", "ascii_only", is_flag=True, help="Draw the dashboard in plain ASCII."),
)  # fmt: skip


def _with(options: tuple[Callable[[F], F], ...]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def number_option(*, default: int) -> Callable[[F], F]:
    """Return -n; the number is the caller's default, which only the help tells here."""
    words = f"How many VMs to boot.  [default: {default}]"
    return click.option("-n", "--number", metavar="N", help=words)


image_options = _with(IMAGE_OPTIONS)
machine_options = _with((*MACHINE_OPTIONS, *STORM_OPTIONS))
plan_options = _with(PLAN_OPTIONS)
wish_options = _with(WISH_OPTIONS)

SETTINGS = frozenset(field.name for field in fields(RunConfig))
REPEATS = ("runs", "warmup", "prepare", "drop_caches", "sweeps", "name", "notes")


def raw_config(given: Mapping[str, Any], qemu_args: tuple[str, ...]) -> dict[str, Raw]:
    """Return what was given on the command line as ``build_config`` takes it."""
    raw: dict[str, Raw] = {
        name: value for name, value in given.items() if value not in (None, ()) and name in SETTINGS
    }
    return raw | {"qemu_args": qemu_args}


def plan_from(given: Mapping[str, Any], raw: Mapping[str, Raw]) -> RunPlan:
    """Return the plan of the command line; raise ``ConfigError`` with every fault."""
    repeats = {name: given[name] for name in REPEATS if given[name] is not None}
    return build_plan(raw, **repeats)


def wishes_of(given: Mapping[str, Any]) -> Wishes:
    """Return what is wanted of the run besides booting; raise ``ConfigError`` with every fault."""
    return Wishes.build(
        plain=given["plain"] or not can_show_a_dashboard(),
        as_json=given["as_json"],
        exports=tuple(Path(path) for path in given["exports"]),
        fail_over=given["fail_over_s"],
        fail_slower=given["fail_slower"],
        baseline=given["baseline"] or "",
        allow_undecided=given["allow_undecided"],
        keep=not given["no_history"],
        ascii_only=given["ascii_only"] or shows_only_ascii(),
    )
