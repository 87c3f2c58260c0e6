"""A run as CSV (RFC 4180): a row for each attempt of each VM, times in seconds.

Texts come from guests nobody vouches for: everything unseen is shown as an escape, and a cell that
a spreadsheet would take for a formula is led by an apostrophe (OWASP, CSV Injection).
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence

from vmtiming_tui.analysis.stop_jobs import stop_jobs_of
from vmtiming_tui.escape import printable
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.stage import Stage
from vmtiming_tui.report.export.document import Document, ExportedBoot
from vmtiming_tui.report.wording import in_seconds

CsvValue = str | int | float | bool | None

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "＝", "＋", "－", "＠")


def safe_cell(text: str) -> str:
    """Return foreign text as a cell that no spreadsheet reckons with and no terminal obeys."""
    shown = printable(text, keep="")
    return f"'{shown}" if text.lstrip(" ").startswith(_FORMULA) else shown


def _stop_jobs(attempt: Attempt) -> Iterator[str]:
    """Yield what the guest's shutdown waited for, with the seconds it was seen to wait."""
    for job in stop_jobs_of(attempt):
        yield f"{job.unit} {job.waited_ns / 1e9:g}"


COLUMNS: Mapping[str, Callable[[ExportedBoot], CsvValue]] = {
    "storm": lambda boot: boot.attempt.storm,
    "kind": lambda boot: str(boot.kind),
    "vm": lambda boot: boot.attempt.vm,
    "attempt": lambda boot: boot.attempt.number,
    "round": lambda boot: boot.attempt.round,
    "state": lambda boot: str(boot.attempt.state),
    "qemu_ended": lambda boot: boot.attempt.exited_ns is not None,
    "counts": lambda boot: boot.counts,
    "boot_s": lambda boot: in_seconds(boot.attempt.boot_ns),
    "uncertainty_s": lambda boot: in_seconds(boot.attempt.uncertainty_ns),
    "disturbed_s": lambda boot: in_seconds(boot.attempt.disturbed_ns),
    "qemu_s": lambda boot: in_seconds(boot.stages.qemu_ns),
    "firmware_s": lambda boot: in_seconds(boot.stages.of(Stage.FIRMWARE)),
    "loader_s": lambda boot: in_seconds(boot.stages.of(Stage.LOADER)),
    "kernel_s": lambda boot: in_seconds(boot.stages.of(Stage.KERNEL)),
    "initrd_s": lambda boot: in_seconds(boot.stages.of(Stage.INITRD)),
    "userspace_s": lambda boot: in_seconds(boot.stages.of(Stage.USERSPACE)),
    "lag_s": lambda boot: in_seconds(boot.stages.of(Stage.LAG)),
    "residual_s": lambda boot: in_seconds(boot.stages.residual_ns),
    "shutdown_s": lambda boot: in_seconds(boot.attempt.shutdown_took_ns),
    "qemu_exit_s": lambda boot: in_seconds(boot.attempt.exit_took_ns),
    "stop_jobs": lambda boot: "; ".join(_stop_jobs(boot.attempt)),
    "doubtful": lambda boot: boot.stages.is_doubtful,
    "doubts": lambda boot: "; ".join(map(str, boot.stages.doubts)),
    "accel": lambda boot: boot.conditions.accel,
    "cache": lambda boot: boot.conditions.cache,
    "boot": lambda boot: boot.conditions.boot,
    "cpu_s": lambda boot: in_seconds(boot.attempt.usage.cpu_ns) if boot.attempt.usage else None,
    "vcpu_wait_s": lambda boot: (
        in_seconds(boot.attempt.usage.vcpu_wait_ns) if boot.attempt.usage else None
    ),
    "rss_bytes": lambda boot: boot.attempt.usage.rss_bytes if boot.attempt.usage else None,
    "qmp_left_out": lambda boot: sum(boot.attempt.qmp_left_out.values()),
    "dropped_bytes": lambda boot: boot.attempt.details.dropped_bytes if boot.attempt.details else 0,
    "exit_code": lambda boot: boot.attempt.exit_code,
    "why": lambda boot: boot.attempt.why,
    "text": lambda boot: boot.attempt.text,
    "host": lambda boot: boot.attempt.host,
}


def render_csv(document: Document) -> str:
    """Return a header and a row for each attempt; ``partial`` says that the run had not ended.

    ``started_at_s`` and ``reported_at_s`` count from the run's start; what a sweep varied stands
    in columns of its own, ``parameter_<name>``, and so does each label, ``label_<key>``.
    """
    zero = document.fleet.run.at_ns if document.fleet.run else 0
    run = document.fleet.run.run if document.fleet.run else ""
    varied = list(dict.fromkeys(name for boot in document.boots for name in boot.parameters))
    labels = document.plan.labels if document.plan else {}
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(
        _cells(
            ["run", "partial", *COLUMNS, "started_at_s", "reported_at_s"]
            + [f"parameter_{name}" for name in varied]
            + [f"label_{key}" for key in labels]
        )
    )
    for boot in document.boots:
        moments = (boot.attempt.go_ns, boot.attempt.report_ns)
        cells: list[CsvValue] = [run, document.is_partial]
        cells += [value(boot) for value in COLUMNS.values()]
        cells += [None if moment is None else (moment - zero) / 1e9 for moment in moments]
        cells += [boot.parameters.get(name, "") for name in varied]
        cells += labels.values()
        writer.writerow(_cells(cells))
    return file.getvalue()


def _cells(values: Sequence[CsvValue]) -> list[str]:
    return [_cell(value) for value in values]


def _cell(value: CsvValue) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return safe_cell(value)
        case _:
            return repr(value)
