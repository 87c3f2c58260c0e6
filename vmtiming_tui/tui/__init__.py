"""The live dashboard; Textual is imported nowhere else, and only once it is to be shown."""

from vmtiming_tui.tui.open import replay_dashboard, run_dashboard, watch_dashboard

__all__ = ["replay_dashboard", "run_dashboard", "watch_dashboard"]
