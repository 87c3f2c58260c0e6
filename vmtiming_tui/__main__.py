"""``python -m vmtiming_tui`` is ``vm-timing-report``."""

from vmtiming_tui.cli import main

main()
