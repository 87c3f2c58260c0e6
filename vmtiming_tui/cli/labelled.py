"""A group of commands that runs' labels may be given to as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vmtiming_tui.cli.completing import searches
from vmtiming_tui.request.labels import SEARCH

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

LABELS = "vmtiming_tui.labels"


class LabelledGroup(click.Group):
    """Takes words such as ``label:branch=main`` besides its commands, into ``ctx.meta[LABELS]``.

    An argument of the group's own would take the commands' names for its values.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the labels out before the rest is read."""
        ctx.meta[LABELS] = tuple(arg for arg in args if arg.startswith(SEARCH))
        return super().parse_args(ctx, [arg for arg in args if not arg.startswith(SEARCH)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Offer commands, and the labels of the runs that were kept."""
        from click.shell_completion import CompletionItem

        found = [CompletionItem(word) for word in searches(incomplete)]
        return [*super().shell_complete(ctx, incomplete), *found]
