"""The manual's tables that are made of tables in the code; ``write`` puts them in.

PYTHONPATH=tests python -m manual.tables
"""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from faults import (
    reading,
    test_afterwards,
    test_dashboard,
    test_ending,
    test_file_systems,
    test_guest,
    test_host,
    test_hosts,
    test_images,
    test_kernels,
    test_neighbours,
    test_packed,
    test_paths,
    test_qemu,
)
from faults.fault import markdown
from vmtiming_tui.cli.main import cli
from vmtiming_tui.cli.sections import sections
from vmtiming_tui.tui.state import keymap

NAME = "vm-timing-report"
README = Path(__file__).resolve().parents[2] / "README.md"
MANUAL = README.parent / "assets" / "manual"
BEGIN = "<!-- Made of the code: PYTHONPATH=tests python -m manual.tables -->\n"
END = "<!-- The end of what is made. -->\n"

FAULTS = (
    test_guest, test_afterwards, test_qemu, test_host, test_hosts, test_ending, reading,
    test_dashboard, test_neighbours, test_images, test_packed, test_file_systems, test_kernels,
    test_paths,
)  # fmt: skip


def faults() -> str:
    """Return a heading and a table for each module of faults."""
    return "\n".join(f"## {module.TITLE}\n\n{markdown(module.FAULTS)}" for module in FAULTS)


def keys() -> str:
    """Return a heading and a table for each place where keys work."""
    tables = []
    for scope, found in keymap.SCOPES.items():
        rows = [(f"`{keymap.key_names(key.keys)}`", key.help, f"`{key.id}`") for key in found]
        tables.append(f"## {scope}\n\n{_table('Key', 'What it does', 'Name', rows=rows)}")
    return "\n".join(tables)


def options() -> str:
    """Return a run's options by section, and then what each command has besides."""
    root = click.Context(cli, info_name=NAME, **cli.context_settings)
    run = sections(cli, root)
    parts = [f"### {section}\n\n{_options(records)}" for section, records in run.items()]
    for name, command in sorted(cli.commands.items()):
        parts.append(_command(command, click.Context(command, root, name), run))
    return "\n".join(parts)


def _command(
    command: click.Command, ctx: click.Context, run: Mapping[str, list[tuple[str, str]]]
) -> str:
    path = ctx.command_path
    usage = " ".join([path, *command.collect_usage_pieces(ctx)])
    words = inspect.cleandoc(command.help or "").replace("<", "\\<")
    parts = [f"## {path.removeprefix(NAME + ' ')}\n\n    {usage}\n\n{words}\n"]
    found = sections(command, ctx)
    shared = [section for section in found if section in run and section != "Other options"]
    own = [
        record
        for records in found.values()
        for record in records
        if not any(record in of_run for of_run in run.values())
    ]
    if own:
        parts.append(_options(own))
    if shared:
        parts.append(f"It takes these options of a run as well: {'; '.join(shared)}.\n")
    if isinstance(command, click.Group):
        for name, each in sorted(command.commands.items()):
            parts.append(_command(each, click.Context(each, ctx, name), run))
    return "\n".join(parts)


def _options(records: list[tuple[str, str]]) -> str:
    rows = [(f"`{names}`", words.replace("  [", " [")) for names, words in records]
    return _table("Option", "What it does", rows=rows)


def _table(*heads: str, rows: list[tuple[str, ...]]) -> str:
    lines = [heads, tuple("-" * 3 for _ in heads), *rows]
    escaped = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in escaped)


MADE: Mapping[str, Callable[[], str]] = {"faults": faults, "keys": keys, "options": options}


def with_tables(name: str, text: str) -> str:
    """Return a topic's text with the tables as the code has them now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{MADE[name]()}\n{END}{after}"


def write() -> None:
    """Bring the manual up to date."""
    for name in MADE:
        path = MANUAL / f"{name}.md"
        path.write_text(with_tables(name, path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write()
