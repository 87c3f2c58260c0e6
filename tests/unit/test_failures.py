"""Lost boots gathered by why: each reason once, with whom it befell and what one of them left."""

from dataclasses import replace

from support.making import FAILED, KILLED, TIMED_OUT, run_events
from vmtiming_tui.analysis.failures import failures_of
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet


def found(row, change=lambda event: [event]):
    stream = (each for event in run_events([row]) for each in change(event))
    return failures_of(Fleet(stream).attempts)


def test_the_same_reason_is_told_once_what_befell_the_most_first():
    reasons = found([5.0, KILLED, FAILED, FAILED, TIMED_OUT, FAILED])

    assert [(str(each.state), each.vms) for each in reasons] == [
        ("failed", (2, 3, 5)),
        ("killed", (1,)),
        ("timed out", (4,)),
    ]


def test_reasons_that_differ_in_a_number_alone_are_one():
    def of_its_own_image(event):
        is_failed = isinstance(event, ev.VmFailed)
        return [replace(event, why=f"vm-{event.vm}.img is damaged") if is_failed else event]

    (reason,) = found([FAILED] * 12, of_its_own_image)
    assert len(reason.vms) == 12
    assert reason.why == "vm-0.img is damaged"


def test_the_one_that_is_shown_is_one_with_a_console():
    def only_vm_2_wrote(event):
        who = {"at_ns": event.at_ns, "vm": 2, "attempt": 1}
        is_failed = isinstance(event, ev.VmFailed) and event.vm == 2
        return [event, *([ev.VmConsole(text="oops\n", total_bytes=5, **who)] if is_failed else [])]

    (reason,) = found([FAILED] * 4, only_vm_2_wrote)
    assert reason.example.vm == 2
