"""What a command prints."""

import click

from vmtiming_tui.text import printable


def echo(text: object, *, err: bool = False) -> None:
    """Print words, whatever they are made of: nothing in them acts on a terminal."""
    click.echo(printable(str(text), keep="\t\n"), err=err)
