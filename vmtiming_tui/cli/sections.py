"""Options that ``--help`` lists in sections: what to boot, how many at once, and so on."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import click


class HelpSection(StrEnum):
    """What an option is about, in the order of the help."""

    BOOT = "What to boot"
    STORM = "How many at once"
    HOSTS = "On which hosts"
    AFTER = "When a VM has booted"
    MACHINE = "Each VM"
    MEASURE = "What to measure"
    LIMIT = "What is too slow"
    WRITE = "What to show, write and keep"
    OTHER = "Other options"


class SectionedOption(click.Option):
    """An option that belongs to a section of the help."""

    def __init__(self, *names: Any, section: HelpSection, **how: Any) -> None:
        super().__init__(*names, **how)
        self.section = section


def sections(command: click.Command, ctx: click.Context) -> Mapping[str, list[tuple[str, str]]]:
    """Return each section's options as the help writes them; a single one is "Options"."""
    found: dict[HelpSection, list[tuple[str, str]]] = {section: [] for section in HelpSection}
    for option in command.get_params(ctx):
        section = option.section if isinstance(option, SectionedOption) else HelpSection.OTHER
        record = option.get_help_record(ctx)
        if record is not None and isinstance(option, click.Option):
            found[section].append(record)
    filled = {str(section): records for section, records in found.items() if records}
    return {"Options": next(iter(filled.values()))} if len(filled) == 1 else filled


class InSections(click.Command):
    """A command whose help is in sections."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section after the other; a group's commands come last."""
        for section, records in sections(self, ctx).items():
            with formatter.section(section):
                formatter.write_dl(records)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)


class GroupInSections(InSections, click.Group):
    """A group whose help is in sections, as that of its commands is."""

    command_class = InSections
