"""One VM's boot drawn to scale, its attempts under one another, and what its QEMU has used."""

from rich.style import Style

from vmtiming_tui.analysis.stages import DoubtCode, stages_of, was_disturbed
from vmtiming_tui.analysis.stages_seen import seen_pieces
from vmtiming_tui.analysis.stop_jobs import StopJob, stop_jobs_of
from vmtiming_tui.analysis.straggler import waited_share
from vmtiming_tui.escape import plural
from vmtiming_tui.model.attempt import Attempt, Phase, Vm, VmState
from vmtiming_tui.model.events import ReleaseCause, VmConsole
from vmtiming_tui.report.straggler import straggler_words
from vmtiming_tui.tui.drawing.scale_bars import UNSEEN, BarMaker, scale_for
from vmtiming_tui.tui.drawing.styled import (
    Part,
    fitting,
    flowing,
    passing,
    seconds,
    shown,
    size,
    spread,
)
from vmtiming_tui.tui.drawing.wrapping import first_lines, wrapped
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.state.phases import awaits_details, phase_of, phase_words, told_phase
from vmtiming_tui.tui.widgets.lines_widget import ModelLines

MAX_ATTEMPTS = 6
_BAR_AT = 8 + 12 + 9
_MUCH_WAITING = 0.2
_MOST_JOBS = 2
_MOST_WORDS = 3
_PASSING = (Phase.COLLECTING, Phase.ENDING)
_WAYS = {
    ReleaseCause.OWN_WAY: "its guest waits for nobody",
    ReleaseCause.NOT_STOPPED: "QEMU did not have it stand still",
}


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
        if (phase := told_phase(self.model.fleet, attempt)) is not None:
            right.append((f"{glyphs.phases[phase]} {phase}  ", palette.strong))
        elif attempt.exited_ns is not None:
            right.append(("off  ", palette.dim))
        if attempt.host:
            right.append((f"host {shown(attempt.host)}  ", palette.text))
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


class AfterLine(VmLine):
    """What came after the report, and whether what others did then disturbed this boot."""

    def __init__(self, model: Model, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(model, id=id)
        self._read: VmConsole | None = None
        self._jobs: tuple[StopJob, ...] = ()

    def height_wanted(self, width: int) -> int:
        """Return how many lines there are to show."""
        return len(self.lines(width))

    def lines(self, width: int) -> list[list[Part]]:
        """Return nothing where the stream tells no phases."""
        attempt = self.attempt
        if attempt is None or told_phase(self.model.fleet, attempt) is None:
            return []
        return flowing(self._groups(attempt), width)

    def _groups(self, attempt: Attempt) -> list[list[Part]]:
        palette, fleet = self.host.palette, self.model.fleet
        groups: list[list[Part]] = [[("  after: ", palette.dim), *self._stage(attempt)]]
        for job in self._stop_jobs(attempt):
            waited = f"{seconds(job.waited_ns, 0)} s "
            groups.append(
                [(f"  waited for {shown(job.unit)} ", palette.warning), (waited, palette.text)]
            )
        storm = fleet.storms.get(attempt.storm)
        if storm is not None and storm.rounds > 1:
            groups.append([(f"  round {attempt.round}/{storm.rounds} ", palette.text)])
        if attempt.release in _WAYS:
            groups.append([(f"  {_WAYS[attempt.release]} ", palette.warning)])
        if (disturbed_ns := attempt.disturbed_ns) is not None:
            style = palette.warning if was_disturbed(attempt) else palette.text
            groups.append([
                ("  disturbed by others for ", palette.dim),
                (f"{seconds(disturbed_ns, 3)} s ", style),
            ])  # fmt: skip
        return groups

    def _stop_jobs(self, attempt: Attempt) -> tuple[StopJob, ...]:
        """Return what the shutdown waited for most, as far as the console's end tells."""
        if attempt.console is None or attempt.ending_ns is None:
            return ()
        if attempt.console is not self._read:
            self._read, self._jobs = attempt.console, stop_jobs_of(attempt)
        return self._jobs[:_MOST_JOBS]

    def _stage(self, attempt: Attempt) -> list[Part]:
        """Return the shutdown in figures, or what there is before it."""
        palette = self.host.palette
        shutdown_ns, exit_ns = attempt.shutdown_took_ns, attempt.exit_took_ns
        if shutdown_ns is not None:
            parts = [("shutdown ", palette.dim), (f"{seconds(shutdown_ns)} ", palette.text)]
            if exit_ns is not None:
                parts += [(" exit ", palette.dim), (f"{seconds(exit_ns)} ", palette.text)]
            return parts
        words = phase_words(self.model.fleet, attempt)
        if attempt.exited_ns is not None:
            reason = f" ({shown(attempt.exit_reason)})" if attempt.exit_reason else ""
            return [(f"{words}{reason} ", palette.text)]
        parts = [(f"{words} ", palette.text)]
        since_ns = attempt.ending_ns or attempt.released_ns
        if since_ns is not None and phase_of(attempt) in _PASSING:
            passed_ns = max(self.model.now_ns - since_ns, 0)
            parts.append((f"{passing(passed_ns)} s ", palette.strong))
        return parts


class StageBar(VmLine):
    """Every attempt's boot on one scale, newest first, and the chosen one's stages in figures."""

    @property
    def attempts(self) -> list[Attempt]:
        """The attempts that are drawn."""
        return self.vm.attempts[: -MAX_ATTEMPTS - 1 : -1] if self.vm else []

    def height_wanted(self, width: int) -> int:
        """Return how many lines there are to show."""
        return len(self.lines(width)) or 1

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
        return [*lines, *self._words(self.attempt, width), *self._why_slow(self.attempt, width)]

    def _bar(self, attempt: Attempt, scale_ns: int, room: int) -> list[Part]:
        palette, glyphs = self.host.palette, self.host.glyphs
        chosen = attempt is self.attempt
        mark = glyphs.mark if chosen and len(self.attempts) > 1 else " "
        elapsed_ns = attempt.elapsed_ns(self.model.now_ns)
        style = palette.states[attempt.state]
        figure = seconds(elapsed_ns) if attempt.state.is_decided else f"{passing(elapsed_ns)} "
        bar = BarMaker(palette, glyphs).attempt(
            attempt, elapsed_ns, scale_ns, room, median_ns=self.model.figures.median_ns
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
        maker = BarMaker(palette, self.host.glyphs)
        if not stages.claimed:
            return fitting(self._seen(attempt, maker), width)
        groups: list[list[Part]] = [[(" ", palette.dim)]]
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

    def _seen(self, attempt: Attempt, maker: BarMaker) -> list[list[Part]]:
        """Return the stages as the host saw them, and the median boot."""
        palette, figure_of = self.host.palette, seconds if attempt.state.is_decided else passing
        unseen = "not seen" if attempt.state.is_decided else "not seen yet"
        groups: list[list[Part]] = [[(" ", palette.dim)]]
        for stage, ns in seen_pieces(attempt, self.model.now_ns):
            sign = maker.stage_part(UNSEEN if stage is None else stage, 1)
            figure = self._figure(f" {stage or unseen}", figure_of(ns))
            groups.append([(" ", palette.dim), sign, *figure])
        if median := self.model.figures.median_ns:
            groups.append(self._figure(f"  {self.host.glyphs.median} median", seconds(median)))
        return groups

    def _figure(self, name: str, text: str) -> list[Part]:
        palette = self.host.palette
        return [(f"{name} ", palette.dim), (f"{text} ", palette.text)]

    def _why_slow(self, attempt: Attempt, width: int) -> list[list[Part]]:
        """Return why this was the slowest boot, where it was."""
        found = self.model.outcome.slowest if self.model.outcome else None
        if found is None or found.slowest is not attempt or not found.is_slow:
            return []
        words = f"  {shown(straggler_words(found))}"
        return self._wrapped(words, self.host.palette.strong, width)

    def _wrapped(self, words: str, style: Style, width: int) -> list[list[Part]]:
        """Return words as a few lines at the most."""
        lines = wrapped(words, width, hang=2)
        few = first_lines(lines, _MOST_WORDS, width, self.host.glyphs.ellipsis)
        return [[(line, style)] for line in few]

    def _words(self, attempt: Attempt, width: int) -> list[list[Part]]:
        palette, glyphs = self.host.palette, self.host.glyphs
        if attempt.state.is_lost:
            why = self._wrapped(f"  {shown(attempt.why)}", palette.states[attempt.state], width)
            hint = self._wrapped(f"  {shown(attempt.hint)}", palette.dim, width)
            return [*why, *(hint if attempt.hint else [])]
        stages = stages_of(attempt)
        doubts = stages.doubts
        if awaits_details(self.model.fleet, attempt):
            doubts = tuple(doubt for doubt in doubts if doubt.code is not DoubtCode.NOT_DIVIDED)
        if doubts and attempt.state.is_booted:
            doubtful = "doubtful: " if stages.is_doubtful else ""
            first, *others = map(str, doubts)
            words = [f"  {glyphs.states[VmState.TIMED_OUT]} {doubtful}{first}"]
            words += [f"  {glyphs.dot} {other}" for other in others]
        elif attempt.rejected:
            words = [f"  {plural(len(attempt.rejected), 'message')} of this guest rejected"]
        else:
            words = []
        return [line for each in words for line in self._wrapped(each, palette.warning, width)]
