"""``vm-timing-report``: without a subcommand it runs; subcommands for all the rest."""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from vmtiming_tui import __version__
from vmtiming_tui.analysis.comparison.sequential import with_looks
from vmtiming_tui.cli.completing import answered_shell, files, folders
from vmtiming_tui.cli.manual import HELP_COMMANDS
from vmtiming_tui.cli.options import (
    document_format_option,
    host_options,
    image_options,
    machine_options,
    number_option,
    plan_from,
    plan_options,
    raw_config,
    wish_options,
    wishes_of,
)
from vmtiming_tui.cli.past import PAST_COMMANDS
from vmtiming_tui.cli.printing import echo, say
from vmtiming_tui.cli.sections import GroupInSections
from vmtiming_tui.cli.terminal import let_go, take_every_character
from vmtiming_tui.cli.watching import WATCH_COMMANDS
from vmtiming_tui.errors import ConfigError, Problem, VmTimingError
from vmtiming_tui.escape import plural
from vmtiming_tui.model.cluster import Cluster
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.request.paths import with_absolute_paths
from vmtiming_tui.request.settings import Raw, build_config
from vmtiming_tui.request.shipping import shipping_problems
from vmtiming_tui.session.recording import recording
from vmtiming_tui.session.wishes import Wishes, cluster_of, gate_warnings


@dataclass(frozen=True, slots=True)
class Given:
    """What was found before the options were read: QEMU's arguments, and unknown options."""

    qemu_args: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


EXAMPLE = (
    "vm-timing-report -n 8 -m 340 -p your-os -s .img -k BFILES/vmlinuz -i BFILES/initrd -v vms/"
)


def start_run(plan: RunPlan, wishes: Wishes) -> int:
    """Hand the plan to the front end the user wants; return the exit code."""
    from vmtiming_tui.session.streams import Streams

    with Streams() as streams:
        if wishes.plain or wishes.as_json:
            from vmtiming_tui.session.headless import run_headless

            with recording(wishes, streams.warn) as record:
                return run_headless(plan, wishes, streams, record)
        from vmtiming_tui.tui import run_dashboard

        # The dashboard owns the terminal while it is open, so words wait until it has closed.
        later: list[str] = []
        with recording(wishes, later.append) as record:
            code = run_dashboard(plan, wishes, streams, record)
        for word in later:
            streams.warn(word)
        return code


def _warn(word: str) -> None:
    say(f"Warning: {word}")


def checked(
    ctx: click.Context, raw: dict[str, Raw], given: dict[str, Any], *, files: bool = True
) -> tuple[RunPlan, Wishes]:
    """Check everything that was given, all at once; ``files``: that its files are there, too.

    On other hosts only they can tell, and what is named is named in full.
    """
    problems: list[Problem] = list(ctx.obj.problems)
    files = files and given["hosts"] is None
    plan = wishes = None
    try:
        plan = plan_from(given, raw, files=files)
    except ConfigError as error:
        problems += error.problems
    try:
        wishes = wishes_of(given)
    except ConfigError as error:
        problems += error.problems
    if problems or plan is None or wishes is None:
        raise ConfigError(problems)
    return with_looks(_for_hosts(plan, wishes.cluster), wishes.baseline), wishes


def _for_hosts(plan: RunPlan, cluster: Cluster | None) -> RunPlan:
    """Return a plan as its hosts take it; raise ``ConfigError`` where they cannot."""
    if cluster is None:
        return plan
    if cluster.ship and (problems := shipping_problems(plan)):
        raise ConfigError(problems)
    return with_absolute_paths(plan)


def run_checked(ctx: click.Context, plan: RunPlan, wishes: Wishes) -> None:
    """Run what was checked, and leave with its exit code."""
    for warning in gate_warnings(plan, wishes):
        _warn(warning)
    ctx.exit(start_run(plan, wishes))


@click.group(
    cls=GroupInSections,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"Example: {EXAMPLE}",
)
@click.version_option(__version__, "-V", "--version", prog_name="vm-timing-report")
@image_options
@number_option(default=1)
@machine_options
@wish_options
@plan_options
@click.pass_context
def cli(ctx: click.Context, /, **given: Any) -> None:
    """Boot N virtual machines at once and say how long each took.

    Images are VMDIR/PREFIX-<i>SUFFIX, for i from 0. On a terminal a live dashboard opens;
    otherwise, or with --plain, the plain report is printed. Everything after `--` goes to QEMU.

    Exit code: 0 all booted, 1 some did not, 2 bad usage, 3 too slow, 4 a comparison that was to
    gate (--fail-slower) could not tell, 130 interrupted.
    """
    if ctx.invoked_subcommand is None:
        run_checked(ctx, *checked(ctx, raw_config(given, ctx.obj.qemu_args), given))
    elif ctx.obj.problems:
        raise ConfigError(ctx.obj.problems)


@cli.command()
@click.option(
    "--variant", type=click.Choice(["demo", "quick"]), default="demo", show_default=True,
    help="An honest small Debian, or one that leaves out more to boot faster.",
)  # fmt: skip
@number_option(default=4)
@machine_options
@wish_options
@document_format_option
@plan_options
@click.pass_context
def demo(ctx: click.Context, /, variant: str, **given: Any) -> None:
    """Boot small Debian guests, made here and kept in the cache; --hosts are brought them."""
    from vmtiming_tui.guests.demo_guest import DemoVariant, build_guest, demo_raw

    raw = raw_config(given, ctx.obj.qemu_args)
    given["ship"] |= given["hosts"] is not None
    # Before a minute is spent on a guest.
    some = dict.fromkeys(("prefix", "kernel", "base"), "any")
    _, wishes = checked(ctx, some | raw, given, files=False)
    guest = demo_raw(raw, build_guest(DemoVariant(variant)))
    plan = _for_hosts(plan_from(given, guest, files=wishes.cluster is None), wishes.cluster)
    run_checked(ctx, with_looks(plan, wishes.baseline), wishes)


@cli.command(short_help="Say whether runs can work on this host.")
@click.option(
    "--noise", is_flag=True, help="Boot a guest against itself, and say how much boots differ here."
)
@click.option(
    "--runs", type=click.IntRange(min=6), metavar="K",
    help="Of how many pairs of storms, with --noise.  [default: 10]",
)  # fmt: skip
@image_options
@number_option(default=1)
@host_options
@machine_options
@click.pass_context
def doctor(ctx: click.Context, /, *, noise: bool, runs: int | None, **given: Any) -> None:
    """Say whether runs can work on this host, and what mends what is missing.

    With -k it proves KVM with that kernel. With --noise it boots the guest that is given, or the
    quick demo guest, in pairs of storms that differ in nothing, and says what that shows: the
    smallest change that so many storms tell on this host. With --hosts each of those says so.
    """
    from vmtiming_tui.setup.doctor import can_run, examine, report

    if not noise and (given["prefix"] or runs is not None):
        raise ConfigError([Problem("noise", "-p and --runs: go with --noise")])
    cluster = cluster_of(given["hosts"], insecure=given["insecure"])
    if noise and cluster is not None:
        raise ConfigError([Problem("noise", "--noise: is of this host; leave --hosts out")])
    raw = raw_config(given, ctx.obj.qemu_args)
    plan = _noise_plan(raw, runs or 10) if noise else None
    kernel = given["kernel"] or ""
    config = build_config({"prefix": "any", "kernel": "any"} | raw, files=False)
    if cluster is not None:
        ctx.exit(_examine_hosts(cluster, replace(config, kernel=kernel)))
    checks = examine(plan.config if plan else replace(config, kernel=kernel))
    echo(report(checks))
    if not can_run(checks):
        ctx.exit(1)
    if plan is not None:
        ctx.exit(_measure_noise(plan))


def _examine_hosts(cluster: Cluster, config: RunConfig) -> int:
    """Say of each host whether runs can work there; return the exit code."""
    from vmtiming_tui.session.live_source import examine_hosts
    from vmtiming_tui.setup.doctor import can_run, report

    told = examine_hosts(cluster, config, say)
    for host, checks in told.items():
        echo(f"Host {host}:\n{report(checks)}")
    return 0 if all(map(can_run, told.values())) else 1


def _noise_plan(raw: dict[str, Raw], pairs: int) -> RunPlan:
    from vmtiming_tui.analysis.noise import noise_plan

    if "prefix" not in raw:
        from vmtiming_tui.guests.demo_guest import DemoVariant, build_guest, demo_raw

        raw = demo_raw({"number": "1"} | raw, build_guest(DemoVariant.QUICK))
    return noise_plan(build_config(raw), pairs)


def _measure_noise(plan: RunPlan) -> int:
    """Boot the pairs, and say what they come to; return the exit code."""
    from vmtiming_tui.analysis.exit_code import ExitCode, exit_code, reasons
    from vmtiming_tui.analysis.noise import noise_of
    from vmtiming_tui.session.noise import measure_noise
    from vmtiming_tui.session.streams import Streams
    from vmtiming_tui.setup.doctor import report
    from vmtiming_tui.setup.noise import noise_checks

    with Streams() as streams:
        pairs = f"{plural(plan.runs, 'pair')} of storms of {plural(plan.number, 'VM')}"
        streams.say(f"Booting {pairs}, after one to warm up; Ctrl-C ends it.")
        fleet, _ = measure_noise(plan, streams)
    code, noise = exit_code(fleet), noise_of(fleet)
    if code is not ExitCode.ALL_BOOTED:
        for reason in reasons(fleet):
            say(f"Exit: {reason}")
    if noise is not None and noise.storms and code is not ExitCode.INTERRUPTED:
        echo(report(list(noise_checks(noise))))
    return code


@cli.command(short_help="Make a disk image ready to boot.")
@click.argument("image", shell_complete=files)
@click.option(
    "--out",
    default=".",
    metavar="DIR",
    help="Where to put it all.  [default: .]",
    shell_complete=folders,
)
@click.option("-n", "--number", default="4", metavar="N", help="How many overlays.  [default: 4]")
@click.option("-m", "--memory", "memory_mib", default="512", metavar="MIB", help="For the command.")
@click.option("-p", "--prefix", default="vm", metavar="TEXT", help="Prefix of the overlays' names.")
@click.option("-s", "--suffix", default=".img", metavar="TEXT", help="Their suffix.")
@click.option("--size", metavar="SIZE", help="Of the new root, such as 4G; else as its content.")
@click.option("--kernel-version", metavar="VERSION", help="Another kernel than the newest.")
@click.option("--member", metavar="NAME", help="Which disk of a packed IMAGE.")
@click.option(
    "-k", "--kernel", metavar="FILE", shell_complete=files,
    help="Your own kernel, where IMAGE has none, or another is to be timed.",
)  # fmt: skip
@click.option(
    "-i", "--initrd", metavar="FILE", shell_complete=files,
    help="The initrd of your own kernel, or another one for IMAGE's.",
)  # fmt: skip
@click.option("--root", metavar="NAME", help="Which of several systems, such as partition 2.")
@click.option(
    "--untouched", is_flag=True,
    help="Take out kernel and initrd only, and boot IMAGE itself by --inject.",
)  # fmt: skip
@click.option("--format", metavar="FORMAT", help="What kind of image it is, such as raw.")
@click.option(
    "--allow-backing",
    metavar="DIR",
    multiple=True,
    shell_complete=folders,
    help="A folder IMAGE's backing files may be in; else its own and the one above.",
)
@click.option("--allow-device", is_flag=True, help="IMAGE may be a block device.")
@click.option(
    "--mount",
    is_flag=True,
    help="Have this host's kernel read xfs, btrfs and f2fs, for IMAGEs that are trusted; as root.",
)
@click.option(
    "--convert", is_flag=True, help="Make an ext4 of an xfs, btrfs or f2fs, which else stay so."
)
@click.option("--dry-run", is_flag=True, help="Say what would be made, and write nothing.")
@click.option("--force", is_flag=True, help="Replace the root that is there, and its overlays.")
def prepare(image: str, out: str, **given: Any) -> None:
    """Make a disk IMAGE ready: its root, kernel and initrd, and an overlay for each VM."""
    from vmtiming_tui.setup.prepare import prepare as prepare_image

    folder = Path(out)
    same = ("number", "memory_mib", "prefix", "suffix", "allow_backing", "allow_device")
    raw = {name: given[name] for name in same} | {
        "vmdir": str(folder / "vms"),
        "kernel": str(folder / "BFILES" / "vmlinuz"),
        "initrd": str(folder / "BFILES" / "initrd"),
        "base": image if given["untouched"] else str(folder / "rootfs.img"),
    }
    values = [(name, given[name]) for name in (
        "size", "kernel_version", "kernel", "initrd", "root", "format", "member")]  # fmt: skip
    values += [("allow_backing", folder) for folder in given["allow_backing"]]
    flags = ("convert", "dry_run", "force", "mount", "allow_device")
    options = [f"--{name.replace('_', '-')}={value}" for name, value in values if value]
    options += [f"--{name.replace('_', '-')}" for name in flags if given[name]]
    options += ["--boot-files"] if given["untouched"] else []
    prepared = prepare_image(image, folder, build_config(raw, files=False), options)
    if not given["dry_run"]:
        echo(f"Made {plural(prepared.overlays, 'overlay')}. Now boot them:\n\n  {prepared.command}")


def _usage_problem(error: click.UsageError) -> Problem:
    return Problem("usage", error.format_message())


def _parse(args: list[str], qemu_args: tuple[str, ...]) -> click.Context:
    """Return the parsed context; unknown options are put aside, so that all faults are found."""
    problems: list[Problem] = []
    while True:
        given = Given(qemu_args, tuple(problems))
        try:
            return cli.make_context("vm-timing-report", list(args), obj=given)
        except click.NoSuchOption as error:
            problems.append(_usage_problem(error))
            known = [arg for arg in args if arg.split("=")[0] != error.option_name]
            if len(known) == len(args):
                raise ConfigError(problems) from None
            args = known
        except click.UsageError as error:
            raise ConfigError([*problems, _usage_problem(error)]) from None


def _complain(error: VmTimingError) -> None:
    if isinstance(error, ConfigError):
        for problem in error.problems:
            echo(f"Error: {problem}", err=True)
        echo("Nothing was started. See vm-timing-report --help.", err=True)
        return
    echo(f"Error: {error.message}", err=True)
    if error.hint:
        echo(f"  {error.hint}", err=True)


def _check_home() -> None:
    """Raise ``VmTimingError`` where it cannot be told whose folders history and cache are."""
    places = ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    if all(map(os.environ.get, places)) or os.path.expanduser("~") != "~":  # noqa: PTH111
        return
    raise VmTimingError(
        f"user {os.getuid()} has no home folder to keep the history in",
        hint="name one: HOME=/some/folder",
    )


for command in (*PAST_COMMANDS, *WATCH_COMMANDS, *HELP_COMMANDS):
    cli.add_command(command)


def main(argv: Sequence[str] | None = None) -> None:
    """Be the command ``vm-timing-report``: everything after ``--`` is kept for QEMU."""
    take_every_character()
    try:
        _command(argv)
    finally:
        let_go()


def _command(argv: Sequence[str] | None) -> None:
    args = list(sys.argv[1:] if argv is None else argv)
    if answered_shell(cli, Given()):
        return
    split = args.index("--") if "--" in args else len(args)
    try:
        with _parse(args[:split], tuple(args[split + 1 :])) as context:
            _check_home()
            cli.invoke(context)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.UsageError as error:
        _complain(ConfigError([_usage_problem(error)]))
        sys.exit(ConfigError.exit_code)
    except VmTimingError as error:
        _complain(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # whoever read what we print has gone
        sys.exit(128 + signal.SIGPIPE)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
