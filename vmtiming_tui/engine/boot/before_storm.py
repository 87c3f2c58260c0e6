"""What is done before every storm: the user's own command, and emptying the page cache."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from vmtiming_tui.engine.children.children import Children
from vmtiming_tui.errors import EngineError
from vmtiming_tui.escape import printable
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.plan import RunPlan

_DROP_CACHES = Path("/proc/sys/vm/drop_caches")
_PREPARE_LIMIT_S = 3600
_DROP_LIMIT_S = 120


async def before_storm(plan: RunPlan, children: Children, emit: Callable[[ev.Event], None]) -> None:
    """Run ``prepare``, then ``drop_caches``; raise ``EngineError`` where the former fails."""
    if plan.prepare:
        await _prepare(plan.prepare, children)
    if plan.drop_caches:
        trouble = await _drop_caches(children)
        if trouble:
            emit(
                ev.Notice(
                    at_ns=time.monotonic_ns(),
                    level=ev.Level.WARNING,
                    text=trouble,
                    code=ev.NoticeCode.CACHE_KEPT,
                )
            )


async def _prepare(command: str, children: Children) -> None:
    code, output = await children.output(["/bin/sh", "-c", command], _PREPARE_LIMIT_S)
    if code != 0:
        how = "took more than an hour" if code is None else f"failed with exit code {code}"
        said = printable(output.strip()[-2000:], keep="\t\n")
        raise EngineError(
            f"the command given with --prepare {how}" + (f":\n{said}" if said else ""),
            hint=f"try it by hand: {command}",
        )


async def _drop_caches(children: Children) -> str:
    if not os.access(_DROP_CACHES, os.W_OK):
        return (
            "the page cache was not emptied: only root may do that "
            "(run as root, or leave --drop-caches out)"
        )
    # On a large host either takes seconds, which the engine must not stand still for.
    command = ["/bin/sh", "-c", 'sync && echo 3 >"$0"', str(_DROP_CACHES)]
    code, said = await children.output(command, _DROP_LIMIT_S)
    if code == 0:
        return ""
    why = f"it took more than {_DROP_LIMIT_S} s" if code is None else printable(said.strip())
    return f"the page cache was not emptied: {why[-200:]}"
