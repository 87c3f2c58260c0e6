"""One VM's boot drawn to scale, its attempts under one another, and what its QEMU has used."""

from vmtiming_tui.analysis.stages import stages_of
from vmtiming_tui.analysis.straggler import waited_share
from vmtiming_tui.escape import plural
from vmtiming_tui.model.attempt import Attempt, Vm, VmState
from vmtiming_tui.tui.drawing.scale_bars import BarMaker, scale_for
from vmtiming_tui.tui.drawing.styled import (
    Part,
    clip,
    fitting,
    passing,
    seconds,
    shown,
    size,
    spread,
)
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.widgets.lines_widget import ModelLines

MAX_ATTEMPTS = 6
_BAR_AT = 8 + 12 + 9
_MUCH_WAITING = 0.2


class VmLine(ModelLines):
    """A line about one VM and one of its attempts."""

    def __init__(self, model: Model, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(model, id=id)
        self.vm_id = 0
        self.attempt_number = 0

    @property
    def vm(self) -> Vm | None:
        """The VM, while there is one of that number."""
        return self.model.fleet.vms.get(self.vm_id)

    @property
    def attempt(self) -> Attempt | None:
        """The attempt that is looked at."""
        vm = self.vm
        if vm is None:
            return None
        at = min(self.attempt_number, len(vm.attempts)) - 1
        return vm.attempts[at]


class VmTitle(VmLine):
    """Which VM this is, what state it is in, and since when."""

    def lines(self, width: int) -> list[list[Part]]:
        """Return the line."""
        palette, glyphs = self.host.palette, self.host.glyphs
        vm, attempt = self.vm, self.attempt
        if vm is None or attempt is None:
            return [[(f" VM {self.vm_id} is not part of this run", palette.dim)]]
        style = palette.states[attempt.state]
        elapsed_ns = attempt.elapsed_ns(self.model.now_ns)
        left: list[Part] = [
            (f" VM {vm.id}  ", palette.strong),
            (f"{glyphs.states[attempt.state]} {attempt.state}  ", style),
        ]
        if elapsed_ns is not None:
            left.append((f"{seconds(elapsed_ns, 3 if attempt.report_ns else 1)} s", palette.strong))
            if attempt.report_ns and attempt.uncertainty_ns:
                left.append((f" ± {attempt.uncertainty_ns / 1e6:.1f} ms"
                             if glyphs.braille else f" +- {attempt.uncertainty_ns / 1e6:.1f} ms",
                             palette.dim))  # fmt: skip
        if attempt.paused:
            left.append((f"  {glyphs.paused} paused", palette.warning))
        if attempt.resets:
            left.append((f"  {glyphs.reset} reset {attempt.resets}{glyphs.times}", palette.warning))
        if attempt.panicked:
            left.append(("  guest panicked", palette.error))
        right: list[Part] = []
        if len(vm.attempts) > 1:
            right.append((f"attempt {attempt.number} of {len(vm.attempts)}  ", palette.accent))
        if attempt.exited_ns is not None:
            right.append(("off  ", palette.dim))
        if attempt.pid:
            right.append((f"pid {attempt.pid} ", palette.dim))
        return [spread(left, right, width, glyphs.ellipsis)]


class UsageLine(VmLine):
    """What the QEMU process has used, and how long its vCPUs waited for a CPU of the host."""

    def lines(self, width: int) -> list[list[Part]]:
        """Return the line."""
        palette, attempt = self.host.palette, self.attempt
        if attempt is None or (usage := attempt.usage) is None:
            return [[(" QEMU: nothing measured yet", palette.dim)]]
        groups: list[list[Part]] = [
            [(f" {name} ", palette.dim), (f"{text} ", palette.text)]
            for name, text in (
                ("RSS", size(usage.rss_bytes)),
                ("disk read", size(usage.disk_read_bytes)),
                ("CPU", f"{seconds(usage.cpu_ns)} s"),
            )
        ]
        if (share := waited_share(attempt)) is not None:
            style = palette.warning if share >= _MUCH_WAITING else palette.text
            waited = f"{seconds(usage.vcpu_wait_ns, 1)} s ({100 * share:.0f} %) "
            groups += [
                [(" waited for a CPU ", palette.dim), (waited, style)],
                [(" vCPU ran ", palette.dim), (f"{seconds(usage.vcpu_run_ns, 1)} s", palette.text)],
            ]
        return [fitting(groups, width)]


class StageBar(VmLine):
    """Every attempt's boot on one scale, newest first, and the chosen one's stages in figures."""

    @property
    def attempts(self) -> list[Attempt]:
        """The attempts that are drawn."""
        return self.vm.attempts[: -MAX_ATTEMPTS - 1 : -1] if self.vm else []

    @property
    def height_wanted(self) -> int:
        """How many lines there are to show."""
        if self.attempt is None:
            return 1
        return len(self.attempts) + 1 + bool(self._words(self.attempt, 200))

    def lines(self, width: int) -> list[list[Part]]:
        """Return a bar an attempt, the stages' names and figures, and any doubts."""
        attempts, now_ns = self.attempts, self.model.now_ns
        if not attempts or self.attempt is None:
            return []
        longest = max(attempt.elapsed_ns(now_ns) or 0 for attempt in attempts)
        scale_ns = scale_for(longest, self.model.figures.median_ns)
        room = width - _BAR_AT - 2
        lines = [self._bar(attempt, scale_ns, room) for attempt in attempts]
        lines.append(self._names(self.attempt, width))
        if words := self._words(self.attempt, width):
            lines.append(words)
        return lines

    def _bar(self, attempt: Attempt, scale_ns: int, room: int) -> list[Part]:
        palette, glyphs = self.host.palette, self.host.glyphs
        chosen = attempt is self.attempt
        mark = glyphs.mark if chosen and len(self.attempts) > 1 else " "
        elapsed_ns = attempt.elapsed_ns(self.model.now_ns)
        style = palette.states[attempt.state]
        figure = seconds(elapsed_ns) if attempt.state.is_decided else passing(elapsed_ns)
        bar = BarMaker(palette, glyphs).attempt(
            attempt, elapsed_ns, scale_ns, room, self.model.figures.median_ns
        )
        return [
            (mark, palette.accent),
            (f"{attempt.number:>4}  ", palette.strong if chosen else palette.dim),
            (f"{glyphs.states[attempt.state]} {attempt.state:<9}", style),
            (f"{figure:>9}  ", palette.strong if chosen else palette.text),
            *bar,
        ]

    def _names(self, attempt: Attempt, width: int) -> list[Part]:
        palette = self.host.palette
        stages = stages_of(attempt)
        if not stages.claimed:
            median = self.model.figures.median_ns
            words = f"{self.host.glyphs.median} median {seconds(median)} s" if median else ""
            return [(" " * _BAR_AT, palette.dim), (words, palette.dim)]
        groups: list[list[Part]] = [[(" ", palette.dim)]]
        maker = BarMaker(palette, self.host.glyphs)
        for stage, ns in stages.claimed:
            sign = maker.stage_part(str(stage), 1)
            groups.append([(" ", palette.dim), sign, *self._figure(f" {stage}", seconds(ns))])
        if stages.residual_ns is not None:
            sign = maker.stage_part("", 1)
            figure = self._figure(" residual", seconds(stages.residual_ns, 3))
            groups.append([(" ", palette.dim), *([sign] if stages.from_text else []), *figure])
        if stages.qemu_ns is not None:
            groups.append(self._figure("  before: qemu", seconds(stages.qemu_ns)))
        return fitting(groups, width)

    def _figure(self, name: str, text: str) -> list[Part]:
        palette = self.host.palette
        return [(f"{name} ", palette.dim), (f"{text} ", palette.text)]

    def _words(self, attempt: Attempt, width: int) -> list[Part]:
        palette, glyphs = self.host.palette, self.host.glyphs
        if attempt.state.is_lost:
            hint = f"  {shown(attempt.hint)}" if attempt.hint else ""
            return spread(
                [(f"  {shown(attempt.why)}", palette.states[attempt.state]), (hint, palette.dim)],
                [], width, glyphs.ellipsis,
            )  # fmt: skip
        stages = stages_of(attempt)
        doubts = stages.doubts
        if doubts and attempt.state.is_booted:
            doubtful = "doubtful: " if stages.is_doubtful else ""
            text = f"  {glyphs.states[VmState.TIMED_OUT]} {doubtful}{'; '.join(map(str, doubts))}"
            return [(clip(text, width, glyphs.ellipsis), palette.warning)]
        if attempt.rejected:
            text = f"  {plural(len(attempt.rejected), 'message')} of this guest rejected"
            return [(clip(text, width, glyphs.ellipsis), palette.warning)]
        return []
