"""The stages of one boot, all on the host's axis, from two clocks and no tracing.

The guest says what its ``CLOCK_MONOTONIC`` read just before it wrote its first line, and the host
knows when that line arrived; so the guest's clock began at ``report - clock`` on the host. Linux
starts that clock at the kernel's start, and systemd stamps the rest of the boot by it
(``org.freedesktop.systemd1(5)``: ``InitRDTimestampMonotonic`` and its kin). Hence::

    go ......... loader ... kernel start ... initrd ... userspace ... finish ... report
       firmware     loader     kernel          initrd      userspace       lag

``qemu`` lies before the go: from the process's creation to the VM being let go. ``shutdown`` lies
after the boot: from the host's request to the end of the guest. Neither is part of the sum. All
from the go to the first tick of the guest's clock is ``firmware``: firmware, the kernel's first
steps before it keeps time, and a boot loader. ``loader`` stands apart from it where the guest tells
it apart, as systemd-boot does; it counts by a clock that may have run since the host was switched
on, so it is believed only where it fits into what the host saw.

The guest measures kernel to lag, the host the whole; firmware is what is left, so a guest whose
clock is wrong shows as a firmware that cannot be. Whether the guest agrees with itself is told by
comparing its stamps with what systemd-analyze said.

A guest that sends only the first line gives durations without a place on the axis; they are read
from systemd-analyze's text, and what the host saw beyond their sum is the residual.

What is wrong with a division is a ``Doubt``, told by its code. A grave one makes the VM doubtful:
its stages are then in no figure. That others disturbed a boot is a doubt too: its stages are true,
only longer.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.events import RejectionCode
from vmtiming_tui.model.stage import Stage

MAX_ERROR_NS = 50_000_000
MAX_ERROR_SHARE = 0.01
MAX_DISTURBED_SHARE = 0.01
_TEXT_ROUNDING_NS = 2_000_000  # systemd writes three digits of each part


_GUESTS_OWN = (Stage.KERNEL, Stage.INITRD, Stage.USERSPACE)


class DoubtCode(StrEnum):
    """What may be wrong with how a boot is divided into stages."""

    RESET = "reset"
    PAUSED = "paused"
    REPORTED_TWICE = "reported twice"
    UNSURE_STAMP = "unsure stamp"
    IMPOSSIBLE_CLOCK = "impossible clock"
    CLOCK_JUMPED = "clock jumped"
    NOT_FINISHED = "not finished"
    NOT_DIVIDED = "not divided"
    NO_INITRD_PART = "no initrd part"
    FIRMWARE_CLOCK = "firmware clock"
    DISTURBED = "disturbed"
    RESUMED = "resumed"

    @property
    def is_grave(self) -> bool:
        """Whether it makes the VM doubtful; what is not grave leaves true stages.

        They are coarser, or longer than they would have been undisturbed.
        """
        return self not in _HARMLESS


_HARMLESS = frozenset(
    {
        DoubtCode.NOT_DIVIDED,
        DoubtCode.NO_INITRD_PART,
        DoubtCode.FIRMWARE_CLOCK,
        DoubtCode.DISTURBED,
        DoubtCode.RESUMED,
    }
)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a division should not be believed as it is: a code to go by, and words for people."""

    code: DoubtCode
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """How long each stage took (ns; None where it is not known), and what is doubtful about it.

    ``residual_ns`` is the host's boot time less the stages' sum; ``error_ns`` is how far the sum
    may honestly be off; ``from_text`` says that only systemd-analyze's text was there. ``claimed``
    is what the two clocks say, believed or not; every figure is made of ``known``.
    """

    qemu_ns: int | None = None
    claimed: tuple[tuple[Stage, int], ...] = ()
    residual_ns: int | None = None
    error_ns: int = 0
    from_text: bool = False
    doubts: tuple[Doubt, ...] = ()

    @property
    def is_doubtful(self) -> bool:
        """Whether the stages are in no figure."""
        return any(doubt.code.is_grave for doubt in self.doubts)

    @property
    def known(self) -> tuple[tuple[Stage, int], ...]:
        """The known stages in order, with their durations in ns; none of a doubtful VM."""
        return () if self.is_doubtful else self.claimed

    @property
    def kernel_start_ns(self) -> int | None:
        """When the guest's clock began to tick, from the go; None where that cannot be believed."""
        known = dict(self.known)
        if self.from_text or Stage.FIRMWARE not in known:
            return None
        return known[Stage.FIRMWARE] + known.get(Stage.LOADER, 0)

    def of(self, stage: Stage) -> int | None:
        """Return one known stage's duration in ns."""
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


def _in_order(parts: Mapping[Stage, int]) -> tuple[tuple[Stage, int], ...]:
    return tuple((stage, parts[stage]) for stage in Stage if stage in parts)


def _from_text(attempt: Attempt, qemu_ns: int | None, boot_ns: int) -> Stages:
    said = text_parts_ns(attempt.text)
    parts = {stage: said[stage] for stage in _GUESTS_OWN if stage in said}
    error_ns = attempt.uncertainty_ns + _TEXT_ROUNDING_NS
    residual_ns = boot_ns - sum(parts.values()) if parts else None
    doubts = _report_doubts(attempt)
    if residual_ns is None:
        was_asked = attempt.text or attempt.details or attempt.released_ns is not None
        why = "the guest did not say" if was_asked else "the guest was not asked"
        doubts.append(Doubt(DoubtCode.NOT_DIVIDED, f"{why} how its boot divides"))
    elif residual_ns < -error_ns:
        doubts.append(
            Doubt(
                DoubtCode.IMPOSSIBLE_CLOCK,
                f"the guest's own figure is {-residual_ns / 1e9:.3f} s longer than the host's: "
                "its clock ran fast or was set",
            )
        )
    else:
        early, found = _before_kernel(said, residual_ns, error_ns)
        parts |= early
        residual_ns -= sum(early.values())
        doubts += found
    return Stages(
        qemu_ns=qemu_ns,
        claimed=_in_order(parts),
        residual_ns=residual_ns,
        error_ns=error_ns,
        from_text=True,
        doubts=tuple(doubts),
    )


def _before_kernel(
    said: Mapping[str, int], before_ns: int, error_ns: int
) -> tuple[dict[Stage, int], list[Doubt]]:
    """Return firmware and loader as the guest tells them, where they fit into ``before_ns``.

    That is what the host saw before the kernel's clock began: the bound they are checked against.
    """
    early = {stage: said[stage] for stage in (Stage.FIRMWARE, Stage.LOADER) if stage in said}
    told_ns = sum(early.values())
    if not early or (min(early.values()) >= 0 and told_ns <= before_ns + error_ns):
        return early, []
    text = (
        "the guest's firmware clock is not to be believed: it says "
        f"{told_ns / 1e9:.3f} s passed before the kernel, the host saw {before_ns / 1e9:.3f} s"
    )
    return {}, [Doubt(DoubtCode.FIRMWARE_CLOCK, text)]


def _report_doubts(attempt: Attempt) -> list[Doubt]:
    doubts = []
    if attempt.resets:
        doubts.append(Doubt(DoubtCode.RESET, "the VM was reset while it booted"))
    if attempt.pauses:
        doubts.append(Doubt(DoubtCode.PAUSED, "the VM was paused while it booted"))
    if any(rejected.code is RejectionCode.SECOND_REPORT for rejected in attempt.rejected):
        text = "the guest reported more than once; the first report counts"
        doubts.append(Doubt(DoubtCode.REPORTED_TWICE, text))
    if attempt.uncertainty_ns > max(MAX_ERROR_NS, MAX_ERROR_SHARE * (attempt.boot_ns or 0)):
        text = f"the report's stamp may be off by {attempt.uncertainty_ns / 1e6:.0f} ms"
        doubts.append(Doubt(DoubtCode.UNSURE_STAMP, text))
    return doubts + _foreign_doubts(attempt)


def was_disturbed(attempt: Attempt) -> bool:
    """Return whether others that had reported went on for more than 1 % of a boot."""
    return (attempt.disturbed_ns or 0) > MAX_DISTURBED_SHARE * (attempt.boot_ns or 0)


def hundredths(duration_ns: int | None) -> str:
    """Return a duration (s) so that a part never reads as more than its whole."""
    return f"{round((duration_ns or 0) / 1e9, 2):g}"


def _foreign_doubts(attempt: Attempt) -> list[Doubt]:
    """Return what came between a boot and others of its storm."""
    doubts = []
    if was_disturbed(attempt):
        text = (
            "VMs that had reported were not idle for "
            f"{hundredths(attempt.disturbed_ns)} s of its boot"
        )
        doubts.append(Doubt(DoubtCode.DISTURBED, text))
    if attempt.was_resumed:
        text = "somebody resumed the VM after its report"
        doubts.append(Doubt(DoubtCode.RESUMED, text))
    return doubts


def _impossible(parts: Mapping[Stage, int], error_ns: int) -> list[Doubt]:
    """Name the stages that cannot be; only firmware mixes both clocks and may be off a little.

    All stages sum to the host's boot time, so where none is negative none is longer than that.
    """
    return [
        Doubt(
            DoubtCode.IMPOSSIBLE_CLOCK,
            f"the {stage} stage would be negative ({ns / 1e9:.3f} s): the clocks disagree",
        )
        for stage, ns in parts.items()
        if ns < (-error_ns if stage is Stage.FIRMWARE else 0)
    ]


def _text_doubts(said: Mapping[str, int], parts: Mapping[Stage, int], error_ns: int) -> list[Doubt]:
    """Compare the guest's stamps with its words: a clock that jumped makes them differ."""
    return [
        Doubt(
            DoubtCode.CLOCK_JUMPED,
            f"systemd-analyze says {stage} took {said[stage] / 1e9:.3f} s, "
            f"its stamps {parts[stage] / 1e9:.3f} s",
        )
        for stage in _GUESTS_OWN
        if stage in said
        and stage in parts
        and abs(said[stage] - parts[stage]) > error_ns + _TEXT_ROUNDING_NS
    ]


def _qemu_ns(attempt: Attempt) -> int | None:
    if attempt.spawn_ns is None or attempt.go_ns is None:
        return None
    return attempt.go_ns - attempt.spawn_ns


def _early_ns(stamp: Mapping[str, int], said: Mapping[str, int]) -> dict[str, int]:
    """Return what the guest says of firmware and loader, by its stamps or else by its words.

    These two stamps count backwards from the kernel's start (systemd, ``boot-timestamps.c``).
    """
    firmware_us = stamp.get("FirmwareTimestampMonotonic", 0)
    loader_us = stamp.get("LoaderTimestampMonotonic", 0)
    if firmware_us and loader_us:
        return {"firmware": (firmware_us - loader_us) * 1000, "loader": loader_us * 1000}
    return {name: said[name] for name in ("firmware", "loader") if name in said}


def stages_of(attempt: Attempt) -> Stages:
    """Return the stages of an attempt; all None where it has not booted.

    With the guest's clock the stages sum to the host's boot time by construction, within
    ``error_ns``; ``doubts`` says why they should not be believed as they are.
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
    said = text_parts_ns(attempt.text)
    before_ns = boot_ns - details.clock_us * 1000
    early, doubts = _before_kernel(
        _early_ns(stamp, said), before_ns, error_ns + 2 * _TEXT_ROUNDING_NS
    )
    loader_ns = early.get(Stage.LOADER, 0)
    parts = {
        Stage.FIRMWARE: before_ns - loader_ns,
        Stage.KERNEL: (initrd_us or userspace_us) * 1000,
        Stage.USERSPACE: ((finish_us or details.clock_us) - userspace_us) * 1000,
    }
    if loader_ns:
        parts[Stage.LOADER] = loader_ns
    doubts += _report_doubts(attempt)
    if initrd_us:
        parts[Stage.INITRD] = (userspace_us - initrd_us) * 1000
    elif "-initrd" in attempt.argv:
        text = "no initrd part: the initrd did not say when it began, so kernel includes it"
        doubts.append(Doubt(DoubtCode.NO_INITRD_PART, text))
    if finish_us:
        parts[Stage.LAG] = (details.clock_us - finish_us) * 1000
        doubts += _text_doubts(said, parts, error_ns)
    else:
        text = "systemd had not finished booting when the guest reported"
        doubts.append(Doubt(DoubtCode.NOT_FINISHED, text))
    return Stages(
        qemu_ns=_qemu_ns(attempt),
        claimed=_in_order(parts),
        residual_ns=boot_ns - sum(parts.values()),
        error_ns=error_ns,
        doubts=(*doubts, *_impossible(parts, error_ns)),
    )
