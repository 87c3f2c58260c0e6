"""A run whose every text is hostile, and how a page made of one is read."""

from html.parser import HTMLParser

from support.making import TIMED_OUT, run_events
from vmtiming_tui import events as ev
from vmtiming_tui.fleet import Fleet

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)> =1+1 | `x` [a](http://evil.example) "
    "\x1b[31m\u202eevil\u2028 https://evil.example www.evil.example @all #1 **b** _i_ ~~s~~ $x$ "
    "&lt;"
)


def hostile_fleet():
    plan = {"name": HOSTILE, "notes": HOSTILE}
    stream = run_events([[5, 6, TIMED_OUT]], text=HOSTILE, with_details=False)
    first = stream[0]
    facts = {name: getattr(first, name) for name in ev.RunStarted.__slots__}
    facts["host"] = dict(first.host) | {"hostname": HOSTILE}
    facts["plan"] = dict(first.plan) | plan
    facts["accel_reason"] = HOSTILE
    late = [
        ev.VmFailed(at_ns=event.at_ns, vm=event.vm, attempt=event.attempt, why=HOSTILE)
        if isinstance(event, ev.VmTimedOut)
        else event
        for event in stream[1:]
    ]
    return Fleet([ev.RunStarted(**facts), *late])


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
