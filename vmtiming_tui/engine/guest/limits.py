"""How long the engine waits for whom, and how much it takes in."""

from dataclasses import dataclass

from vmtiming_tui.engine.guest.report_protocol import MAX_DETAILS_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on waiting, in seconds, and on what a VM says, in bytes.

    A VM's own limit is its ``timeout_s``.

    ``greeting_s``: QMP's first word after the process exists. ``report_port_s``: QEMU opening its
    report socket after that. ``line_s``: a report's prefix once it was begun. ``details_s``: the
    details, from the word for them. ``own_way_s``: a guest that waits for no word beginning to tell
    them. ``off_s``: such a guest powering off by itself.
    ``powerdown_s``, ``quit_s``, ``kill_s``: the steps of ending a QEMU.
    ``details_bytes``: what is kept of a VM's details, as JSON.
    """

    greeting_s: float = 30.0
    report_port_s: float = 5.0
    command_s: float = 5.0
    line_s: float = 10.0
    details_s: float = 60.0
    own_way_s: float = 2.0
    off_s: float = 15.0
    powerdown_s: float = 2.0
    quit_s: float = 2.0
    kill_s: float = 5.0
    details_bytes: int = MAX_DETAILS_BYTES
