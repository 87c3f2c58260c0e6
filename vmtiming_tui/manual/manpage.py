"""The man page ``vm-timing-report(1)``, made of the manual's topics."""

import re
from collections.abc import Sequence
from datetime import date

from vmtiming_tui.manual.roff import escaped, roff
from vmtiming_tui.manual.topics import Topic

NAME = "vm-timing-report.1"

_NEEDLESS = re.compile(r"^(\.S[HS] .*\n)\.PP\n", re.MULTILINE)

_HEAD = r""".\" Made of assets/manual/ by vmtiming_tui/manual/manpage.py.
.TH VM\-TIMING\-REPORT 1 {made} "vmtiming\-tui {version}" "User Commands"
.nh
.ad l
.\" Signs of the dashboard that no font for paper has.
.if t .char \[u25CC] o
.if t .char \[u25D4] c
.if t .char \[u2717] x
.if t .char \[u2745] f
.if t .char \[u2218] o
.if t .char \[u25B8] >
.SH NAME
vm\-timing\-report \- boot N virtual machines at once and say how long each took
.SH SYNOPSIS
.B vm\-timing\-report
.RI [ options ]
.RB [ \-\-
.IR "QEMU\(aqs arguments" ]
.br
.B vm\-timing\-report
.I command
.RI [ options ]
"""


def man_page(topics: Sequence[Topic], version: str, made: date) -> str:
    """Return the page's roff: a section a topic, in the manual's order."""
    head = _HEAD.format(made=made.isoformat(), version=escaped(version))
    sections = (f".SH {escaped(topic.title.upper())}\n{roff(topic.body)}" for topic in topics)
    return _NEEDLESS.sub(r"\1", head + "".join(sections))
