"""What a shell completes: commands and options by click, and here what may follow an option.

A callback takes what click hands it, and returns the words or the kind of file to offer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from vmtiming_tui.errors import VmTimingError

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

    from vmtiming_tui.history.rows import StoredRun

SHELLS = ("bash", "zsh", "fish")

_COMMAND = "vm-timing-report"
_VARIABLE = "_VM_TIMING_REPORT_COMPLETE"


def files(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem[str]]:
    """Offer files."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(begun, type="file")]


def folders(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem[str]]:
    """Offer folders."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(begun, type="dir")]


def words(*known: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Offer the words that an option takes."""
    return lambda _ctx, _param, begun: _beginning(known, begun)


def runs(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[str]:
    """Offer the past runs by name, id and label, the newest first; none without a history."""
    from vmtiming_tui.history.runs import History

    try:
        with History.open() as kept:
            stored = kept.runs()
    except VmTimingError:
        return []
    named = ["last", *(run.name for run in stored), *(run.run for run in stored)]
    return _beginning(dict.fromkeys([*named, *_searches(stored)]), begun)


def searches(begun: str) -> list[str]:
    """Offer the labels of past runs as ``label:key=value``."""
    from vmtiming_tui.history.runs import History

    try:
        with History.open() as kept:
            return _beginning(dict.fromkeys(_searches(kept.runs())), begun)
    except VmTimingError:
        return []


def _searches(stored: Iterable[StoredRun]) -> Iterator[str]:
    from vmtiming_tui.request.labels import SEARCH

    for run in stored:
        yield from (f"{SEARCH}{key}={value}" for key, value in run.labels.items())


def runs_or_files(
    ctx: click.Context, param: click.Parameter, begun: str
) -> list[CompletionItem[str]]:
    """Offer the past runs, and files where no run begins so."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(run) for run in runs(ctx, param, begun)] or files(ctx, param, begun)


def _beginning(known: Iterable[str], begun: str) -> list[str]:
    return [word for word in known if word and word.startswith(begun)]


def shell_source(command: click.Command, shell: str) -> str:
    """Return what a shell reads to complete our words; ``shell`` is one of ``SHELLS``."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise VmTimingError(f"no completion for {shell}", hint=f"there is: {', '.join(SHELLS)}")
    return kind(command, {}, _COMMAND, _VARIABLE).source()


def answered_shell(command: click.Command, obj: Any) -> bool:
    """Whether a shell asked for completions, which it then has been told."""
    instruction = os.environ.get(_VARIABLE)
    if not instruction:
        return False
    if " -- " in os.environ.get("COMP_WORDS", ""):
        return True  # QEMU's own arguments
    from click.shell_completion import shell_complete

    shell_complete(command, {"obj": obj}, _COMMAND, _VARIABLE, instruction)
    return True
