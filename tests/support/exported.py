"""A run whose every text is hostile, and how a page made of one is read."""

from dataclasses import replace
from html.parser import HTMLParser

from support.facts import host, plan
from support.making import FAILED, run_events
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)> =1+1 | `x` [a](http://evil.example) "
    "\x1b[31m\u202eevil\u2028 https://evil.example www.evil.example @all #1 **b** _i_ ~~s~~ $x$ "
    "&lt;"
)


def hostile_fleet():
    started = {
        "host": host(hostname=HOSTILE),
        "plan": replace(plan(3), name=HOSTILE, notes=HOSTILE),
        "accel_reason": HOSTILE,
    }
    stream = run_events([[5, 6, FAILED]], text=HOSTILE, with_details=False, started=started)
    return Fleet(
        replace(event, why=HOSTILE) if isinstance(event, ev.VmFailed) else event for event in stream
    )


class Elements(HTMLParser):
    """Collects the elements and attributes of a page."""

    def __init__(self):
        super().__init__()
        self.found = []
        self.text = ""

    def handle_starttag(self, name, attributes):
        self.found.append((name, dict(attributes)))

    def handle_data(self, data):
        self.text += data
