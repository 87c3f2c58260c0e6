"""The commands that help a person: ``manual`` and ``completion``."""

import shutil
import sys

import click

from vmtiming_tui.cli.completing import SHELLS, shell_source
from vmtiming_tui.cli.printing import echo

_WIDEST = 100


def _topics(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[str]:
    from vmtiming_tui.manual.topics import ORDER

    return [name for name in ORDER if name.startswith(begun)]


@click.command()
@click.argument("topic", required=False, shell_complete=_topics)
def manual(topic: str | None) -> None:
    """Show a TOPIC of the manual, or which topics there are."""
    from vmtiming_tui.manual.topics import read_topics, topic_named
    from vmtiming_tui.resources import resource

    topics = read_topics(resource("assets", "manual"))
    if topic is not None:
        _show(topic_named(topics, topic).text)
        return
    widest = max(len(each.name) for each in topics)
    for each in topics:
        echo(f"{each.name:{widest}}  {each.summary}")
    echo("\nvm-timing-report manual TOPIC shows one of them.")


def _show(markdown: str) -> None:
    """Print Markdown as a terminal can show it, by a pager where it is longer than the screen."""
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.theme import Theme

    size = shutil.get_terminal_size()
    # No background: whether the terminal's is dark or light, nobody can say.
    theme = Theme({"markdown.code": "bold", "markdown.code_block": "none"})
    console = Console(width=min(size.columns, _WIDEST), theme=theme)
    with console.capture() as capture:
        console.print(Markdown(markdown, code_theme="ansi_dark", hyperlinks=False))
    text = "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"
    can_page = sys.stdin.isatty() and console.is_terminal and not console.is_dumb_terminal
    if can_page and text.count("\n") >= size.lines:
        # Where LESS says nothing of it, click has `less` take our colours.
        click.echo_via_pager(text)
    else:
        print(text, end="", flush=True)


@click.command(short_help="Have your shell complete commands and options.")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, /, shell: str) -> None:
    """Print what SHELL needs to complete commands, options and their values.

    bash: eval "$(vm-timing-report completion bash)", in ~/.bashrc. zsh: the same in ~/.zshrc,
    below compinit. fish: vm-timing-report completion fish | source, in config.fish.
    """
    print(shell_source(ctx.find_root().command, shell), flush=True)


HELP_COMMANDS = (manual, completion)
