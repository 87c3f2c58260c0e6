"""Whether a host can boot its share of a run: looked at there, said by all hosts at once."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vmtiming_tui.engine.children import rundir
from vmtiming_tui.engine.children.children import start_warden
from vmtiming_tui.engine.host.capacity import raise_descriptor_limit, room_for
from vmtiming_tui.engine.host.watch import host_facts
from vmtiming_tui.engine.qemu.settled import settle_qemus
from vmtiming_tui.errors import ConfigError, Problem, VmTimingError
from vmtiming_tui.escape import printable
from vmtiming_tui.images.guard.box import own_uid
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.host import HostFacts
from vmtiming_tui.request.paths import file_problems
from vmtiming_tui.setup.checks import Check
from vmtiming_tui.setup.doctor import examine

_MOST_NAMED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class HostShare:
    """The VMs of one config that a host is to boot."""

    config: RunConfig
    vms: tuple[int, ...]


async def facts() -> HostFacts:
    """Return what there is to know of the host this runs on."""
    return await asyncio.to_thread(host_facts)


async def preflight(shares: Sequence[HostShare]) -> tuple[str, ...]:
    """Return all that keeps this host from booting its shares, a sentence each.

    Its files are looked for, and its QEMUs and their accelerators proven as its engine will: what
    is proven now need not be then.
    """
    missing = await asyncio.to_thread(_missing_files, shares)
    if any(problem.field == "qemu" for problem in missing):
        return tuple(map(str, missing))
    return (*map(str, missing), *await _of_qemu(shares))


async def examined(config: RunConfig) -> list[Check]:
    """Return what ``doctor`` says of the host this runs on."""
    return await asyncio.to_thread(examine, config)


def _missing_files(shares: Sequence[HostShare]) -> list[Problem]:
    found = (problem for each in shares for problem in file_problems(each.config, each.vms))
    return list(dict.fromkeys(found))


async def _of_qemu(shares: Sequence[HostShare]) -> list[str]:
    configs = [replace(each.config, number=len(each.vms)) for each in shares if each.vms]
    raise_descriptor_limit()
    try:
        with rundir.run_dir() as folder, own_uid() as uid:
            async with start_warden(folder) as children:
                settled = await settle_qemus(configs, uid, children)
    except VmTimingError as error:
        return [sentence(error)]
    rooms = (room_for(config, qemu.accel) for config, qemu in settled.items())
    lacking = (each for room in rooms if not room.vms for each in room.lacking)
    return list(dict.fromkeys(_sentence(each.text, each.hint) for each in lacking))


def sentence(error: VmTimingError) -> str:
    """Return an error and what to do about it, as a complaint of many has them."""
    return _sentence(error.message, error.hint)


def _sentence(text: str, hint: str) -> str:
    return f"{text}; {hint}" if hint else text


def refuse(told: Mapping[str, object]) -> None:
    """Raise ``ConfigError`` with what all hosts said, each thing once, where they said anything.

    ``told`` is what each host's ``preflight`` returned, or the error it came to.
    """
    hosts: dict[str, list[str]] = {}
    for host, said in told.items():
        for text in _texts(said):
            hosts.setdefault(printable(text), []).append(host)
    problems = [
        Problem("hosts", f"{_named(names, len(told))}: {text}") for text, names in hosts.items()
    ]
    if problems:
        raise ConfigError(problems)


def _texts(said: object) -> tuple[str, ...]:
    match said:
        case tuple():
            return tuple(map(str, said))
        case VmTimingError():
            return (sentence(said),)
        case _:
            return (str(said),)


def _named(hosts: Sequence[str], of: int) -> str:
    """Return hosts as a complaint begins with them."""
    if len(hosts) == 1:
        return f"host {hosts[0]}"
    if len(hosts) == of and of > _MOST_NAMED:
        return f"all {of} hosts"
    if len(hosts) > _MOST_NAMED:
        return f"hosts {', '.join(hosts[:_MOST_NAMED])} and {len(hosts) - _MOST_NAMED} more"
    return f"hosts {', '.join(hosts[:-1])} and {hosts[-1]}"
