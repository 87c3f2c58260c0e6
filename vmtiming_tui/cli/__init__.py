"""The command line: what a person types, and which front end it starts."""

from vmtiming_tui.cli.main import main

__all__ = ["main"]
