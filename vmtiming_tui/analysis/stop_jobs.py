"""What a guest's shutdown waited for, read from what its systemd writes on the console.

Once no job has ended for 2 to 5 seconds, or for 25 where the kernel line has ``quiet``, systemd
tells by turns of every job that is still running (``manager_print_jobs_in_progress`` and
``manager_watch_jobs_next_time`` of its ``core/manager.c``). Versions 219 to 260 write one of::

    [ ***  ] A stop job is running for Demo database (12s / 1min 30s)
    [*     ] (2 of 3) A stop job is running for Demo database (12s / no limit)
    [    **] Job demo-db.service/stop running (12s / 1min 30s): flushing tables
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from vmtiming_tui.analysis.stages import timespan_ns
from vmtiming_tui.model.attempt import Attempt

MAX_UNITS = 20
_MAX_NAME = 200
_SPAN = r"(?:\d{1,9}(?:month|min|ms|us|y|w|d|h|s) ?){1,5}"
_TIMES = rf"\((?P<waited>{_SPAN}) / (?P<limit>{_SPAN}|no limit)\)"
_LINES = (
    re.compile(rf"A stop job is running for (?P<unit>[^\n]{{1,{_MAX_NAME}}}?) {_TIMES}"),
    re.compile(rf"Job (?P<unit>[^\n]{{1,{_MAX_NAME}}}?)/stop running {_TIMES}"),
)


@dataclass(frozen=True, slots=True)
class StopJob:
    """A unit that a shutdown waited for, as the guest calls it, and how long it was seen to wait.

    ``limit_ns`` is when systemd would give up on it; None where it never would.
    """

    unit: str
    waited_ns: int
    limit_ns: int | None


def _seen(console: str) -> Iterator[StopJob]:
    for line in _LINES:
        for found in line.finditer(console):
            limit = found["limit"]
            limit_ns = None if limit == "no limit" else timespan_ns(limit)
            yield StopJob(found["unit"].strip(), timespan_ns(found["waited"]), limit_ns)


def stop_jobs(console: str) -> tuple[StopJob, ...]:
    """Return what a shutdown waited for by a console's text, the longest wait of each unit first.

    At most ``MAX_UNITS`` of them: the words are a guest's.
    """
    longest: dict[str, StopJob] = {}
    for job in _seen(console):
        known = longest.get(job.unit)
        if known is None or job.waited_ns > known.waited_ns:
            longest[job.unit] = job
    ordered = sorted(longest.values(), key=lambda job: (-job.waited_ns, job.unit))
    return tuple(ordered[:MAX_UNITS])


def stop_jobs_of(attempt: Attempt) -> tuple[StopJob, ...]:
    """Return what an attempt's shutdown waited for, as far as the end of its console tells."""
    return stop_jobs(attempt.console.text) if attempt.console else ()
