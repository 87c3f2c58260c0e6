"""The stages of one boot, all on the host's axis, from two clocks and no tracing.

The guest says what its ``CLOCK_MONOTONIC`` read just before it wrote its first line, and the host
knows when that line arrived; so the guest's clock began at ``report - clock`` on the host. Linux
starts that clock at the kernel's start, and systemd stamps the rest of the boot by it
(``org.freedesktop.systemd1(5)``: ``InitRDTimestampMonotonic`` and its kin). Hence::

    go ............ kernel start ... initrd ... userspace ... finish ... report
       firmware        kernel        initrd      userspace       lag

``qemu`` lies before the go: from the process's creation to the VM being let go.

A guest that sends only the first line gives durations without a place on the axis; they are read
from systemd-analyze's text, and what the host saw beyond their sum is the residual.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from vmtiming_tui.fleet import Attempt

MAX_ERROR_NS = 50_000_000


class Stage(StrEnum):
    """The parts of a boot, in their order."""

    FIRMWARE = "firmware"
    KERNEL = "kernel"
    INITRD = "initrd"
    USERSPACE = "userspace"
    LAG = "lag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """How long each stage took (ns; None where it is not known), and what is doubtful about it.

    ``residual_ns`` is the host's boot time less the known stages' sum; ``error_ns`` is how far the
    sum may honestly be off; ``from_text`` says that only systemd-analyze's text was there.
    """

    qemu_ns: int | None = None
    firmware_ns: int | None = None
    kernel_ns: int | None = None
    initrd_ns: int | None = None
    userspace_ns: int | None = None
    lag_ns: int | None = None
    residual_ns: int | None = None
    error_ns: int = 0
    from_text: bool = False
    doubts: tuple[str, ...] = ()

    def of(self, stage: Stage) -> int | None:
        """Return one stage's duration in ns."""
        match stage:
            case Stage.FIRMWARE:
                return self.firmware_ns
            case Stage.KERNEL:
                return self.kernel_ns
            case Stage.INITRD:
                return self.initrd_ns
            case Stage.USERSPACE:
                return self.userspace_ns
            case Stage.LAG:
                return self.lag_ns

    @property
    def known(self) -> tuple[tuple[Stage, int], ...]:
        """The stages that are known, in order, with their durations in ns."""
        return tuple((stage, ns) for stage in Stage if (ns := self.of(stage)) is not None)


_UNITS_NS = {
    "y": 31_557_600_000_000_000, "month": 2_629_800_000_000_000, "w": 604_800_000_000_000,
    "d": 86_400_000_000_000, "h": 3_600_000_000_000, "min": 60_000_000_000,
    "s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "µs": 1_000,
}  # fmt: skip
_TERM = re.compile(r"(\d+(?:\.\d+)?)(month|min|ms|us|µs|y|w|d|h|s)(?![a-z])")
_PART = re.compile(
    r"((?:\d+(?:\.\d+)?(?:month|min|ms|us|µs|y|w|d|h|s)\s*)+)"
    r"\((firmware|loader|kernel|initrd|userspace)\)"
)


def timespan_ns(text: str) -> int:
    """Return a time span as systemd writes them (``1min 2.345s``, ``988ms``) in ns."""
    return round(sum(float(number) * _UNITS_NS[unit] for number, unit in _TERM.findall(text)))


def text_parts_ns(text: str) -> dict[str, int]:
    """Return the parts of a ``Startup finished in`` line by their names, in ns."""
    if not text.startswith("Startup finished in"):
        return {}
    return {name: timespan_ns(span) for span, name in _PART.findall(text)}


def _from_text(attempt: Attempt, qemu_ns: int | None, boot_ns: int) -> Stages:
    parts = text_parts_ns(attempt.text)
    inside = [parts[name] for name in ("kernel", "initrd", "userspace") if name in parts]
    residual = boot_ns - sum(inside) if inside else None
    doubts = list(_report_doubts(attempt))
    if not inside:
        doubts.append("the guest did not say how its boot divides")
    elif residual is not None and residual < -MAX_ERROR_NS:
        doubts.append(
            f"the guest's own figure is {-residual / 1e9:.2f} s longer than the host's: "
            "its clock ran fast or was set"
        )
    return Stages(
        qemu_ns=qemu_ns,
        kernel_ns=parts.get("kernel"),
        initrd_ns=parts.get("initrd"),
        userspace_ns=parts.get("userspace"),
        residual_ns=residual,
        error_ns=attempt.uncertainty_ns,
        from_text=True,
        doubts=tuple(doubts),
    )


def _report_doubts(attempt: Attempt) -> list[str]:
    doubts = []
    if attempt.resets:
        doubts.append("the VM was reset while it booted")
    if attempt.pauses:
        doubts.append("the VM was paused while it booted")
    if any(
        "second" in rejected.why or "duplicate" in rejected.why for rejected in attempt.rejected
    ):
        doubts.append("the guest reported more than once; the first report counts")
    if attempt.uncertainty_ns > MAX_ERROR_NS:
        doubts.append(f"the report's stamp may be off by {attempt.uncertainty_ns / 1e6:.0f} ms")
    return doubts


def _stamps_doubts(stages: dict[Stage, int], finish_us: int, has_initrd: bool) -> list[str]:
    doubts = [
        f"the {stage} stage would be negative ({ns / 1e9:.2f} s): the clocks disagree"
        for stage, ns in stages.items()
        if ns < -MAX_ERROR_NS
    ]
    if not has_initrd:
        doubts.append("no initrd part: the initrd does not tell systemd when it began")
    if not finish_us:
        doubts.append("systemd had not finished booting when the guest reported")
    return doubts


def stages_of(attempt: Attempt) -> Stages:
    """Return the stages of an attempt; all None where it has not booted."""
    qemu_ns = None
    if attempt.spawn_ns is not None and attempt.go_ns is not None:
        qemu_ns = attempt.go_ns - attempt.spawn_ns
    boot_ns = attempt.boot_ns
    if boot_ns is None:
        return Stages(qemu_ns=qemu_ns)
    details = attempt.details
    if details is None or details.clock_us is None:
        return _from_text(attempt, qemu_ns, boot_ns)
    stamp = details.timestamps_us
    finish_us = stamp.get("FinishTimestampMonotonic", 0)
    userspace_us = stamp.get("UserspaceTimestampMonotonic", 0)
    if not userspace_us:
        return _from_text(attempt, qemu_ns, boot_ns)
    initrd_us = stamp.get("InitRDTimestampMonotonic", 0)
    parts = {
        Stage.FIRMWARE: boot_ns - details.clock_us * 1000,
        Stage.KERNEL: (initrd_us or userspace_us) * 1000,
        Stage.USERSPACE: ((finish_us or details.clock_us) - userspace_us) * 1000,
    }
    if initrd_us:
        parts[Stage.INITRD] = (userspace_us - initrd_us) * 1000
    if finish_us:
        parts[Stage.LAG] = (details.clock_us - finish_us) * 1000
    has_initrd = bool(initrd_us) or not any("-initrd" in word for word in attempt.argv)
    return Stages(
        qemu_ns=qemu_ns,
        firmware_ns=parts[Stage.FIRMWARE],
        kernel_ns=parts[Stage.KERNEL],
        initrd_ns=parts.get(Stage.INITRD),
        userspace_ns=parts[Stage.USERSPACE],
        lag_ns=parts.get(Stage.LAG),
        residual_ns=boot_ns - sum(parts.values()),
        error_ns=attempt.uncertainty_ns + details.clock_resolution_us * 1000,
        doubts=(*_report_doubts(attempt), *_stamps_doubts(parts, finish_us, has_initrd)),
    )
