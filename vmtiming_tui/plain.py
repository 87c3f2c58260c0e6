"""The original tool's report: its text line for line, streamed as things happen.

Scripts have read these lines since 2014, so their words and figures (``%.4g`` seconds) stay. What
the original had no line for (a VM that failed) gets one of its own in the same place.
"""

import shlex

from vmtiming_tui import events as ev
from vmtiming_tui.fleet import Attempt, Fleet, Storm
from vmtiming_tui.text import printable


class PlainReport:
    """Turns a run's events into the original's lines; the fleet is folded by the caller first."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._launching = 0

    def lines_for(self, event: ev.Event) -> list[str]:
        """Return what an event adds to standard output."""
        match event:
            case ev.StormStarted():
                self._launching = len(event.vms)
                return [self._storm_title(event)] if event.planned > 1 else []
            case ev.VmLaunched():
                return [shlex.join(event.argv), *self._launched()]
            case ev.ReportConnected():
                return [f"Got a connection: {event.connection}"]
            case ev.VmBooted():
                return [f"VM {event.vm} reported as booted"]
            case ev.StormEnded() if self._planned() > 1:
                storm = self._fleet.storms.get(event.storm)
                return [] if storm is None else storm_lines(storm)
            case _:
                return []

    def diagnostics_for(self, event: ev.Event) -> list[str]:
        """Return what an event adds to standard error."""
        match event:
            case ev.Notice():
                return [f"{event.level}: {printable(event.text)}"]
            case ev.EngineFailed():
                return [
                    f"Error: {printable(event.why)}",
                    *([f"  {event.hint}"] if event.hint else []),
                ]
            case ev.ReportRejected():
                return [f"VM {event.vm}: {printable(event.why)}: {printable(event.excerpt)}"]
            case ev.VmFailed():
                said = [f"  {printable(line)}" for line in event.stderr.splitlines()[-5:]]
                hint = [f"  {printable(event.hint)}"] if event.hint else []
                return [f"VM {event.vm} failed: {printable(event.why)}", *said, *hint]
            case _:
                return []

    def final_lines(self) -> list[str]:
        """Return the end of the report: a line a VM, the average and the whole time."""
        if self._planned() > 1:
            return []
        return final_lines(self._fleet)

    def _planned(self) -> int:
        storm = self._fleet.storm
        return storm.planned if storm else 0

    def _storm_title(self, event: ev.StormStarted) -> str:
        parameters = "".join(f", {name} = {value}" for name, value in event.parameters.items())
        kind = "warm-up" if event.kind is ev.StormKind.WARMUP else "storm"
        return f"{kind} {event.storm} of {event.planned}{parameters}"

    def _launched(self) -> list[str]:
        self._launching -= 1
        return ["All machines booted", ""] if self._launching == 0 else []


def vm_line(attempt: Attempt) -> str:
    """Return the report's line for one VM."""
    if attempt.boot_ns is not None:
        return f"VM {attempt.vm} booted in: {attempt.boot_ns / 1e9:.4g}s: {printable(attempt.text)}"
    if attempt.state.is_lost:
        return f"VM {attempt.vm} {attempt.state}: {printable(attempt.why)}"
    return f"VM {attempt.vm} has not booted yet: {attempt.state}"


def attempts_lines(attempts: list[Attempt]) -> list[str]:
    """Return the report on VMs booted together, in the order of their ids."""
    lines = [vm_line(attempt) for attempt in attempts]
    boots = [attempt.boot_ns for attempt in attempts if attempt.boot_ns is not None]
    if boots:
        lines.append(f"Average boot: {sum(boots) / len(boots) / 1e9:.4g}s")
        first = min(attempt.go_ns or 0 for attempt in attempts if attempt.boot_ns is not None)
        last = max(attempt.report_ns or 0 for attempt in attempts)
        whole = "all VMs" if len(boots) == len(attempts) else f"{len(boots)} of {len(attempts)} VMs"
        lines.append(f"It took {(last - first) / 1e9:.4g}s to boot {whole}")
    else:
        lines.append(f"None of {len(attempts)} VMs booted")
    return lines


def storm_lines(storm: Storm) -> list[str]:
    """Return the report on one storm of several."""
    return attempts_lines([storm.attempts[vm] for vm in sorted(storm.attempts)])


def final_lines(fleet: Fleet) -> list[str]:
    """Return the report on every VM's newest attempt; nothing where none was begun."""
    newest = fleet.newest
    return attempts_lines(newest) if newest else []
