"""How far files are on their way to hosts, told on standard error as they go."""

from vmtiming_tui.cluster.shipping.shipment import Shipped
from vmtiming_tui.escape import one_line, plural
from vmtiming_tui.report.wording import mebibytes
from vmtiming_tui.session.streams import Streams

_MOST_NAMED = 30


class ShippingProgress:
    """Shows it in place on a terminal, and says once what is to be brought where there is none."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._told: dict[tuple[str, str], Shipped] = {}
        self._said: set[str] = set()

    def show(self, shipped: Shipped) -> None:
        """Tell how far all are by now; nothing of what was there already."""
        self._told[shipped.host, shipped.path] = shipped
        if all(each.done_bytes == each.all_bytes for each in self._told.values()):
            self._streams.show_progress("")
        elif self._streams.err.is_terminal:
            self._streams.show_progress(self._words(shipped.path))
        elif shipped.path not in self._said and shipped.done_bytes < shipped.all_bytes:
            self._said.add(shipped.path)
            size = mebibytes(shipped.all_bytes)
            self._streams.say(f"Bringing {one_line(shipped.path)} to the hosts ({size}).")

    def _words(self, path: str) -> str:
        told = [each for each in self._told.values() if each.path == path]
        done = sum(each.done_bytes for each in told)
        wanted = sum(each.all_bytes for each in told)
        name = one_line(path.rpartition("/")[2], _MOST_NAMED)
        hosts, percent = plural(len(told), "host"), 100 * done // wanted
        return f"{name} to {hosts}: {percent} % ({mebibytes(done)} of {mebibytes(wanted)})"
