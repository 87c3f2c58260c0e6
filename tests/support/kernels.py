"""Runs whose guests told what their kernels took."""

from collections.abc import Iterator, Mapping, Sequence

from support.facts import plan
from support.making import run_events
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.config import KernelDetail
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.kernel_events import KernelLog, Spans
from vmtiming_tui.model.plan import StormKind


def spans(took_ms: Mapping[str, float], *, returns: bool = True) -> Spans:
    """These parts, one after another."""
    took_us = [round(ms * 1000) for ms in took_ms.values()]
    began_us = [sum(took_us[:place]) for place in range(len(took_us))]
    returned = (0,) * len(took_us) if returns else ()
    return Spans(
        names=tuple(took_ms),
        began_us=tuple(began_us),
        took_us=tuple(took_us),
        returned=returned,
        count=len(took_us),
        total_us=sum(took_us),
    )


def log(initcalls_ms: Mapping[str, float], **more: object) -> KernelLog:
    return KernelLog(lines=9, initcalls=spans(initcalls_ms), **more)


def told(stream: Sequence[ev.Event], logs: Sequence[KernelLog]) -> Iterator[ev.Event]:
    """Yield a run's events, with these logs beside the details of its boots in turn."""
    left = iter(logs)
    for event in stream:
        yield event
        if isinstance(event, ev.VmDetails) and (found := next(left, None)) is not None:
            yield ev.VmKernel(at_ns=event.at_ns, vm=event.vm, attempt=event.attempt, log=found)


def kernel_fleet(
    logs: Sequence[Sequence[KernelLog]],
    *,
    kinds: Sequence[StormKind] | None = None,
    detail: KernelDetail = KernelDetail.ON,
    **options: object,
) -> Fleet:
    """A run of a storm for each of these rows of logs, a VM for each log."""
    rows = [[5.0 + vm / 10 for vm in range(len(row))] for row in logs]
    number = max(map(len, logs))
    started = {"plan": plan(number, len(rows), kernel_detail=detail)}
    stream = run_events(rows, kinds=kinds, started=started, **options)
    return Fleet(told(stream, [each for row in logs for each in row]))
