"""The stages of one boot, all on the host's axis, from two clocks and no tracing.

The guest says what its ``CLOCK_MONOTONIC`` read just before it wrote its first line, and the host
knows when that line arrived; so the guest's clock began at ``report - clock`` on the host. Linux
starts that clock at the kernel's start, and systemd stamps the rest of the boot by it
(``org.freedesktop.systemd1(5)``: ``InitRDTimestampMonotonic`` and its kin). Hence::

    go ............ kernel start ... initrd ... userspace ... finish ... report
       firmware        kernel        initrd      userspace       lag

``qemu`` lies before the go: from the process's creation to the VM being let go. ``firmware`` is all
from the go to the first tick of the guest's clock: firmware, boot loader, and the kernel's first
steps before it keeps time (unpacking itself among them).

The guest measures kernel to lag, the host the whole; firmware is what is left, so a guest whose
clock is wrong shows as a firmware that cannot be. Whether the guest agrees with itself is told by
comparing its stamps with what systemd-analyze said.

A guest that sends only the first line gives durations without a place on the axis; they are read
from systemd-analyze's text, and what the host saw beyond their sum is the residual.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from vmtiming_tui.fleet import Attempt, Fleet

MAX_ERROR_NS = 50_000_000
_TEXT_ROUNDING_NS = 2_000_000  # systemd writes three digits of each part


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

    @property
    def known(self) -> tuple[tuple[Stage, int], ...]:
        """The stages that are known, in order, with their durations in ns."""
        durations = (
            (Stage.FIRMWARE, self.firmware_ns),
            (Stage.KERNEL, self.kernel_ns),
            (Stage.INITRD, self.initrd_ns),
            (Stage.USERSPACE, self.userspace_ns),
            (Stage.LAG, self.lag_ns),
        )
        return tuple((stage, ns) for stage, ns in durations if ns is not None)

    def of(self, stage: Stage) -> int | None:
        """Return one stage's duration in ns."""
        return dict(self.known).get(stage)


_UNITS_NS = {
    "y": 31_557_600_000_000_000, "month": 2_629_800_000_000_000, "w": 604_800_000_000_000,
    "d": 86_400_000_000_000, "h": 3_600_000_000_000, "min": 60_000_000_000,
    "s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "µs": 1_000,
}  # fmt: skip
_TERM = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(month|min|ms|us|µs|y|w|d|h|s)(?![a-z])")
_PART = re.compile(
    r"((?:\d{1,9}(?:\.\d{1,9})?(?:month|min|ms|us|µs|y|w|d|h|s)\s{0,2}){1,7})"
    r"\((firmware|loader|kernel|initrd|userspace)\)"
)
_MAX_TEXT = 500  # a guest may write more, and a pattern is not to be led through all of it


def timespan_ns(text: str) -> int:
    """Return a time span as systemd writes them (``1min 2.345s``, ``988ms``) in ns."""
    return round(sum(float(number) * _UNITS_NS[unit] for number, unit in _TERM.findall(text)))


def text_parts_ns(text: str) -> dict[str, int]:
    """Return the parts of a ``Startup finished in`` line by their names, in ns."""
    if not text.startswith("Startup finished in"):
        return {}
    return {name: timespan_ns(span) for span, name in _PART.findall(text[:_MAX_TEXT])}


def _from_text(attempt: Attempt, qemu_ns: int | None, boot_ns: int) -> Stages:
    parts = text_parts_ns(attempt.text)
    inside = [parts[name] for name in ("kernel", "initrd", "userspace") if name in parts]
    residual = boot_ns - sum(inside) if inside else None
    doubts = list(_report_doubts(attempt))
    if not inside:
        doubts.append("the guest did not say how its boot divides")
    elif residual is not None and residual < -attempt.uncertainty_ns - _TEXT_ROUNDING_NS:
        doubts.append(
            f"the guest's own figure is {-residual / 1e9:.3f} s longer than the host's: "
            "its clock ran fast or was set"
        )
    return Stages(
        qemu_ns=qemu_ns,
        kernel_ns=parts.get("kernel"),
        initrd_ns=parts.get("initrd"),
        userspace_ns=parts.get("userspace"),
        residual_ns=residual,
        error_ns=attempt.uncertainty_ns + _TEXT_ROUNDING_NS,
        from_text=True,
        doubts=tuple(doubts),
    )


def _report_doubts(attempt: Attempt) -> list[str]:
    doubts = []
    if attempt.resets:
        doubts.append("the VM was reset while it booted")
    if attempt.pauses:
        doubts.append("the VM was paused while it booted")
    if any("second report" in rejected.why for rejected in attempt.rejected):
        doubts.append("the guest reported more than once; the first report counts")
    if attempt.uncertainty_ns > MAX_ERROR_NS:
        doubts.append(f"the report's stamp may be off by {attempt.uncertainty_ns / 1e6:.0f} ms")
    return doubts


def _negative_doubts(parts: Mapping[Stage, int], error_ns: int) -> list[str]:
    """Name the stages that cannot be; only firmware mixes both clocks and may be off a little."""
    return [
        f"the {stage} stage would be negative ({ns / 1e9:.3f} s): the clocks disagree"
        for stage, ns in parts.items()
        if ns < (-error_ns if stage is Stage.FIRMWARE else 0)
    ]


def _text_doubts(attempt: Attempt, parts: Mapping[Stage, int], error_ns: int) -> list[str]:
    """Compare the guest's stamps with its words: a clock that jumped makes them differ."""
    said = text_parts_ns(attempt.text)
    return [
        f"systemd-analyze says {stage} took {said[stage] / 1e9:.3f} s, its stamps {ns / 1e9:.3f} s"
        for stage, ns in parts.items()
        if stage in said and abs(said[stage] - ns) > error_ns + _TEXT_ROUNDING_NS
    ]


def _qemu_ns(attempt: Attempt) -> int | None:
    if attempt.spawn_ns is None or attempt.go_ns is None:
        return None
    return attempt.go_ns - attempt.spawn_ns


def stages_of(attempt: Attempt) -> Stages:
    """Return the stages of an attempt; all None where it has not booted.

    With the guest's clock the stages sum to the host's boot time by construction, within
    ``error_ns``; ``doubts`` says in words why they should not be believed as they are.
    """
    boot_ns = attempt.boot_ns
    if boot_ns is None:
        return Stages(qemu_ns=_qemu_ns(attempt))
    details = attempt.details
    stamp = details.timestamps_us if details is not None else {}
    userspace_us = stamp.get("UserspaceTimestampMonotonic", 0)
    if details is None or details.clock_us is None or not userspace_us:
        return _from_text(attempt, _qemu_ns(attempt), boot_ns)
    initrd_us = stamp.get("InitRDTimestampMonotonic", 0)
    finish_us = stamp.get("FinishTimestampMonotonic", 0)
    error_ns = attempt.uncertainty_ns + details.clock_resolution_us * 1000
    parts = {
        Stage.FIRMWARE: boot_ns - details.clock_us * 1000,
        Stage.KERNEL: (initrd_us or userspace_us) * 1000,
        Stage.USERSPACE: ((finish_us or details.clock_us) - userspace_us) * 1000,
    }
    doubts = _report_doubts(attempt)
    if initrd_us:
        parts[Stage.INITRD] = (userspace_us - initrd_us) * 1000
    elif "-initrd" in attempt.argv:
        doubts.append("no initrd part: the initrd did not say when it began, so kernel includes it")
    if finish_us:
        parts[Stage.LAG] = (details.clock_us - finish_us) * 1000
        doubts += _text_doubts(attempt, parts, error_ns)
    else:
        doubts.append("systemd had not finished booting when the guest reported")
    return Stages(
        qemu_ns=_qemu_ns(attempt),
        firmware_ns=parts[Stage.FIRMWARE],
        kernel_ns=parts[Stage.KERNEL],
        initrd_ns=parts.get(Stage.INITRD),
        userspace_ns=parts[Stage.USERSPACE],
        lag_ns=parts.get(Stage.LAG),
        residual_ns=boot_ns - sum(parts.values()),
        error_ns=error_ns,
        doubts=(*doubts, *_negative_doubts(parts, error_ns)),
    )


@dataclass(frozen=True, slots=True)
class Labels:
    """Under what conditions an attempt booted.

    ``cache`` is what the host's page cache held of the images: ``cold`` where it was emptied,
    ``warm`` where an earlier storm of the run read them, else ``as found``. ``boot`` is ``first``
    or ``repeated`` in this run.
    """

    accel: str
    cache: str
    boot: str


def _accel(attempt: Attempt, otherwise: str) -> str:
    words = attempt.argv
    if "-accel" in words[:-1]:
        return words[words.index("-accel") + 1].partition(",")[0]
    return "kvm" if "-enable-kvm" in words else otherwise


def labels_of(fleet: Fleet, attempt: Attempt) -> Labels:
    """Return under what conditions an attempt booted; its accelerator is what QEMU was given."""
    plan = fleet.run.plan if fleet.run else {}
    storm = fleet.storms.get(attempt.storm)
    refused = any(
        notice.text.startswith("the page cache was not emptied") for notice in fleet.notices
    )
    is_first_storm = storm is None or storm.number == min(fleet.storms)
    if plan.get("drop_caches") and not refused:
        cache = "cold"
    else:
        cache = "as found" if is_first_storm else "warm"
    return Labels(
        accel=_accel(attempt, fleet.run.accel if fleet.run else ""),
        cache=cache,
        boot="first" if attempt.number == 1 else "repeated",
    )
