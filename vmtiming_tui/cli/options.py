"""The options of a run, shared by every command that boots VMs, and what is made of them.

Values reach ``build_config`` as texts, so that all faults are found at once, worded in one place.
"""

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from vmtiming_tui.analysis.thresholds import read_thresholds
from vmtiming_tui.cli.completing import files, folders, runs_or_files, words
from vmtiming_tui.cli.sections import HelpSection, SectionedOption
from vmtiming_tui.cli.terminal import can_show_a_dashboard, shows_only_ascii
from vmtiming_tui.model.cluster import Spread
from vmtiming_tui.model.config import AfterReport, End
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.report.export import NAMED
from vmtiming_tui.request.settings import SETTINGS, Raw
from vmtiming_tui.request.sweeps import MOST_STORMS, build_plan
from vmtiming_tui.session.wishes import Wishes

F = TypeVar("F", bound=Callable[..., Any])

boot_option = partial(click.option, cls=SectionedOption, section=HelpSection.BOOT)
machine_option = partial(click.option, cls=SectionedOption, section=HelpSection.MACHINE)
storm_option = partial(click.option, cls=SectionedOption, section=HelpSection.STORM)
host_option = partial(click.option, cls=SectionedOption, section=HelpSection.HOSTS)
after_option = partial(click.option, cls=SectionedOption, section=HelpSection.AFTER)
measure_option = partial(click.option, cls=SectionedOption, section=HelpSection.MEASURE)
limit_option = partial(click.option, cls=SectionedOption, section=HelpSection.LIMIT)
write_option = partial(click.option, cls=SectionedOption, section=HelpSection.WRITE)

IMAGE_OPTIONS = (
    boot_option("-p", "--prefix", metavar="TEXT", help="Prefix of the image file names."),
    boot_option("-s", "--suffix", metavar="TEXT", help="Suffix of the image file names."),
    boot_option(
        "-v", "--vmdir", metavar="DIR", help="Folder of the VM images.", shell_complete=folders
    ),
    boot_option("-k", "--kernel", metavar="FILE", help="The kernel to boot.", shell_complete=files),
    boot_option("-i", "--initrd", metavar="FILE", help="Its initrd.", shell_complete=files),
    boot_option(
        "--base", metavar="ROOTFS", help="Make missing images as overlays of this one.",
        shell_complete=files,
    ),
    boot_option(
        "--boot", metavar="kernel|firmware", shell_complete=words("kernel", "firmware"),
        help="Boot -k/-i directly, or let the image boot itself.  [default: kernel]",
    ),
    boot_option(
        "--inject", is_flag=False, flag_value="auto", metavar="[off|auto|initrd|credentials]",
        help="Bring the report service in from outside; the image is left untouched.",
        shell_complete=words("off", "auto", "initrd", "credentials"),
    ),
    boot_option("--persist", is_flag=True, default=None, help="Let the VMs write to the images."),
    boot_option(
        "--format", "formats", metavar="FORMAT", multiple=True,
        help="The images' format (raw, qcow2, vdi ...), if not as it is found to be; or that of "
        "what `-o -` writes (json, csv, md, txt, html, junit, prom).",
    ),
    boot_option(
        "--allow-backing", metavar="DIR", multiple=True, shell_complete=folders,
        help="A folder whose files the images may stand on. Repeatable.",
    ),
    boot_option(
        "--allow-device", is_flag=True, default=None, help="Take block devices for images."
    ),
)  # fmt: skip

MACHINE_OPTIONS = (
    machine_option("-m", "--memory", "memory_mib", metavar="MIB", help="Memory of each VM."),
    machine_option("--smp", metavar="N", help="vCPUs of each VM.  [default: 1]"),
    machine_option("--append", metavar="TEXT", help="More kernel arguments."),
    machine_option(
        "--accel", metavar="auto|kvm|tcg", help="The accelerator; auto proves KVM first.",
        shell_complete=words("auto", "kvm", "tcg"),
    ),
    machine_option(
        "-q", "--qemu", metavar="FILE", help="QEMU.  [default: qemu-system-x86_64]",
        shell_complete=files,
    ),
    machine_option("--machine", metavar="TEXT", help="QEMU's machine type, if not the usual one."),
    machine_option("--cpu", metavar="TEXT", help="QEMU's CPU model, if not the usual one."),
    machine_option(
        "--run-as",
        metavar="USER",
        help="QEMU's user, for root; root keeps root's rights.  [default: one of its own]",
    ),
)  # fmt: skip

STORM_OPTIONS = (
    storm_option(
        "--parallel", metavar="K[/host]",
        help="How many may be booting at once, over all hosts or on each.",
    ),
    storm_option(
        "--stagger", "stagger_s", metavar="SECONDS[/host]", help="Wait between two starts."
    ),
    storm_option("--rate", metavar="R[/host]", help="Start so many VMs a second."),
    storm_option(
        "--start", metavar="each|together", shell_complete=words("each", "together"),
        help="Let a VM go when it is ready, or all at once.  [default: each]",
    ),
    storm_option(
        "--timeout", "timeout_s", metavar="SECONDS", help="Limit of a boot.  [default: 300]"
    ),
    storm_option("--force", is_flag=True, default=None, help="Run even if memory looks too small."),
)  # fmt: skip

HOST_OPTIONS = (
    host_option(
        "--hosts", metavar="WHERE",
        help="Boot on several: ssh:HOST,HOST; tcp://HOST:PORT or tls://HOST:PORT of a Dask "
        "scheduler that runs; local:N, to try it.",
    ),
    host_option(
        "--insecure", is_flag=True,
        help="Reach them without TLS: whoever is on their network runs any code there.",
    ),
)  # fmt: skip

SHIP_OPTION = host_option(
    "--ship", is_flag=True,
    help="Bring kernel, initrd and --base to each host first; else it has them at the same paths.",
)  # fmt: skip

SPREAD_OPTION = host_option(
    "--spread", metavar="cores|memory|even", shell_complete=words(*Spread),
    help="What each host's share of the VMs goes by.  [default: cores]",
)  # fmt: skip

AFTER_OPTIONS = (
    after_option(
        "--after-report", metavar="freeze|run|off", shell_complete=words(*AfterReport),
        help="While others boot it stands still, stays up, or powers off at once, which disturbs "
        "them.  [default: freeze]",
    ),
    after_option(
        "--end", metavar="poweroff|quit", shell_complete=words(*End),
        help="Its guest shuts down, or its QEMU quits.  [default: poweroff]",
    ),
    after_option(
        "--shutdown-timeout", "shutdown_timeout_s", metavar="SECONDS",
        help="Limit of a shutdown.  [default: 120]",
    ),
)  # fmt: skip

PLAN_OPTIONS = (
    measure_option("-r", "--runs", metavar="K", help="How many storms to boot.  [default: 1]"),
    measure_option("-w", "--warmup", metavar="K", help="Storms before them that do not count."),
    measure_option(
        "-L", "--parameter-list", "sweeps", nargs=2, multiple=True, metavar="VAR A,B,C",
        help="Vary number, memory, smp, accel, kernel, initrd, append, after_report, base, prefix, "
        "qemu, machine, cpu, boot, parallel, start, stagger or rate, in turn. Repeatable.",
    ),
    measure_option(
        "--until-decided", "until_decided", metavar="PCT",
        help="Boot storms till each setting of -L, or this run against --baseline, is told to be "
        "faster, slower, or no more than PCT % different.",
    ),
    measure_option(
        "--max-runs", metavar="K",
        help=f"How many storms at most, with --until-decided.  [default: {MOST_STORMS}]",
    ),
    measure_option(
        "--kernel-detail", is_flag=False, flag_value="on", metavar="[on|extra]",
        help="Time the kernel's initcalls, which slows the boots; extra: in one more storm, "
        "which does not count.",
        shell_complete=words("on", "extra"),
    ),
    measure_option("--prepare", metavar="CMD", help="A shell command to run before every storm."),
    measure_option(
        "--drop-caches", is_flag=True, default=None,
        help="Empty the host's page cache before every storm (needs root).",
    ),
    write_option("--name", metavar="TEXT", help="A name to find the run by in the history."),
    write_option("--notes", metavar="TEXT", help="Words to keep with the run."),
    write_option(
        "--label", "labels", metavar="KEY=VALUE", multiple=True,
        help="A label to find the run by: `label:KEY=VALUE` is the newest with it. Repeatable.",
    ),
)  # fmt: skip

WISH_OPTIONS = (
    limit_option(
        "--fail-over", "fail_over", metavar="LIMIT", multiple=True,
        help="Exit 3 when a figure is above its limit in seconds: 20 (of any boot that counts), "
        "p99=8, userspace=3, unit:sshd.service=0.4. Repeatable.",
    ),
    limit_option(
        "--baseline", metavar="RUN", shell_complete=runs_or_files,
        help="Compare with this run: an id, a name, `last` (before this one), a label, or a JSON "
        "export.",
    ),
    limit_option(
        "--fail-slower", "fail_slower", metavar="PCT",
        help="Exit 3 when slower than the baseline by more than that for sure, 4 when that "
        "cannot be told.",
    ),
    limit_option("--allow-undecided", is_flag=True, help="Exit 0 where it would be 4."),
    write_option(
        "-o", "--export", "exports", metavar="FILE", multiple=True, shell_complete=files,
        help="Write the result; .json .csv .md .txt .html .junit.xml .prom tells the format. `-` "
        "is standard output, as --format says; `github` a step's summary and annotations. "
        "Repeatable.",
    ),
    write_option(
        "--plain", is_flag=True, help="The plain report; the default without a terminal."
    ),
    write_option("--json", "as_json", is_flag=True, help="The run's events, one JSON line each."),
    write_option("--no-history", is_flag=True, help="Do not keep this run."),
    write_option("--ascii", "ascii_only", is_flag=True, help="Draw the dashboard in plain ASCII."),
)  # fmt: skip


def _with(options: tuple[Callable[[F], F], ...]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


document_format_option = write_option(
    "--format", "formats", multiple=True, type=click.Choice(tuple(NAMED)),
    help="What `-o -` writes.",
)  # fmt: skip


def number_option(*, default: int) -> Callable[[F], F]:
    """Return -n; the number is the caller's default, which only the help tells here."""
    told = f"How many VMs to boot.  [default: {default}]"
    return storm_option("-n", "--number", metavar="N", help=told)


image_options = _with(IMAGE_OPTIONS)
machine_options = _with((*MACHINE_OPTIONS, *STORM_OPTIONS, *AFTER_OPTIONS))
plan_options = _with(PLAN_OPTIONS)
host_options = _with(HOST_OPTIONS)
wish_options = _with((*HOST_OPTIONS, SPREAD_OPTION, SHIP_OPTION, *WISH_OPTIONS))

REPEATS = (
    "runs", "until_decided", "max_runs", "warmup", "prepare", "drop_caches", "sweeps", "name",
    "notes", "labels",
)  # fmt: skip


def raw_config(given: Mapping[str, Any], qemu_args: tuple[str, ...]) -> dict[str, Raw]:
    """Return what was given on the command line as ``build_config`` takes it."""
    raw: dict[str, Raw] = {
        name: value for name, value in given.items() if value not in (None, ()) and name in SETTINGS
    }
    raw["qemu_args"] = qemu_args
    for name in given.get("formats", ()):
        if name.lower() not in NAMED:
            raw["format"] = name
    return raw


def _document_format(given: Mapping[str, Any]) -> str:
    """Return which document ``--format`` asks for; it may stand there for the images as well."""
    named = [name.lower() for name in given.get("formats", ()) if name.lower() in NAMED]
    return named[-1] if named else ""


def plan_from(given: Mapping[str, Any], raw: Mapping[str, Raw], *, files: bool = True) -> RunPlan:
    """Return the plan of the command line; raise ``ConfigError`` with every fault."""
    repeats = {name: given[name] for name in REPEATS if given[name] is not None}
    thresholds = partial(read_thresholds, given["fail_over"])
    return build_plan(raw, thresholds=thresholds, files=files, **repeats)


def wishes_of(given: Mapping[str, Any]) -> Wishes:
    """Return what is wanted of the run besides booting; raise ``ConfigError`` with every fault."""
    return Wishes.build(
        plain=given["plain"] or not can_show_a_dashboard(),
        as_json=given["as_json"],
        hosts=given["hosts"],
        spread=given["spread"],
        insecure=given["insecure"],
        ship=given["ship"],
        exports=tuple(Path(path) for path in given["exports"]),
        document=_document_format(given),
        step_summary=os.environ.get("GITHUB_STEP_SUMMARY", ""),
        fail_slower=given["fail_slower"],
        baseline=given["baseline"] or "",
        allow_undecided=given["allow_undecided"],
        keep=not given["no_history"],
        ascii_only=given["ascii_only"] or shows_only_ascii(),
    )
