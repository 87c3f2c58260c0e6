"""A reader that does not read: rows that ``tests/cli/test_unread.py`` tries, each by its name."""

from faults.fault import Fault

TITLE = "A reader that does not read"

KEPT = "what is known till then, in exports and history, at once"
STOPPING = "Stopping; once more ends everything at once."

SLOW = Fault(
    "whoever reads the report is slow",
    "a pause before every piece",
    ends="exit code 0",
    kept="the whole of the report",
    seen="nothing; the run waits for its reader only at its end",
)
UNREAD = Fault(
    "nobody reads the report (`| less`, paused), and Ctrl-C",
    "Ctrl-C",
    ends="exit code 130",
    words=STOPPING,
    kept=f"{KEPT}; the rest of the report waits 10 s for its reader",
)
UNREAD_TWICE = Fault(
    "nobody reads the report, and Ctrl-C twice",
    "Ctrl-C, twice",
    ends="exit code 130",
    words=STOPPING,
    kept=f"{KEPT}; the rest of the report waits for nobody",
)
HELD = Fault(
    "Ctrl-S on the terminal, and Ctrl-C",
    "Ctrl-S, Ctrl-C",
    ends="exit code 130",
    words=STOPPING,
    kept=f"{KEPT}; Ctrl-Q shows the rest of the report",
)
FAULTS = [SLOW, UNREAD, UNREAD_TWICE, HELD]
