"""A form for a run with other settings, validated while typing by the command line's own code."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Input, Label, Static

from vmtiming_tui.analysis.comparison.sequential import with_looks
from vmtiming_tui.errors import ConfigError
from vmtiming_tui.escape import plural
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.config import Accel, AfterReport, End, RunConfig
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.request.settings import field_problem, raw_of
from vmtiming_tui.request.sweeps import build_plan
from vmtiming_tui.tui.drawing.styled import clip, shown_lines
from vmtiming_tui.tui.screens.dialog import Dialog
from vmtiming_tui.tui.state import keymap
from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.state.keymap import Scope
from vmtiming_tui.tui.widgets.field import Field

CONFIG_FIELDS = (
    ("number", "Number of VMs", ""),
    ("memory_mib", "Memory", "MiB each"),
    ("smp", "vCPUs", "each"),
    ("accel", "Accelerator", ", ".join(Accel)),
    ("append", "Kernel arguments", ""),
    ("parallel", "At once", "VMs boot; empty for all"),
    ("stagger_s", "Stagger", "s between two starts"),
    ("timeout_s", "Timeout", "s for each VM"),
    ("after_report", "After the report", ", ".join(AfterReport)),
    ("end", "End", ", ".join(End)),
    ("shutdown_timeout_s", "Shutdown limit", "s for each VM"),
)
PLAN_FIELDS = (
    ("runs", "Storms", "alike that count"),
    ("warmup", "Warm-up", "storms that do not count"),
    ("name", "Name", ""),
)
FIELDS = (*CONFIG_FIELDS, *PLAN_FIELDS)
"""The settings that can be changed: (its field, what it is called, what it is given in)."""

_WIDE = frozenset({"append", "name"})
_MOST_FAULT = 300


def _as_typed(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def _askable(model: Model) -> RunPlan:
    """Return what was last asked for, as far as one setting can be booted so.

    Where it was to decide between several settings, nothing is left to be decided.
    """
    if model.asked.until_decided is not None and model.baseline is None:
        return replace(model.asked, until_decided=None, runs=1)
    return model.asked


class NewRunScreen(Dialog[RunPlan]):
    """Answers with the plan to start."""

    SCOPE = Scope.NEW_RUN
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings((*keymap.NEW_RUN, *keymap.FORM))]
    AUTO_FOCUS = "#number"

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model
        self._asked = _askable(model)
        self._host_problems: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        """A row a setting, its fault beneath it."""
        with Vertical(classes="box form") as box:
            box.border_title = "New run"
            with VerticalScroll(classes="fields", can_focus=False):
                for name, label, unit in FIELDS:
                    with Horizontal(classes="field"):
                        yield Label(label, classes="name")
                        value = _as_typed(self._given(name))
                        classes = "wide" if name in _WIDE else ""
                        yield Field(value, id=name, classes=classes)
                        if unit:
                            yield Label(unit, classes="unit")
                    yield Static("", id=f"{name}-fault", classes="fault under", markup=False)
                yield Static("", id="other-fault", classes="fault", markup=False)
            if self._model.is_busy:
                count = len(self._model.running)
                what = plural(count, "running VM") if count else "the run under way"
                yield Static(f"Starting ends {what} first.", classes="warn", markup=False)
            with Horizontal(classes="buttons"):
                yield Button(self.way_out("Cancel"), id="cancel", compact=True)
                yield Button("Start (enter)", id="start", variant="primary", compact=True)

    def _given(self, name: str) -> object:
        """Return what was last asked for."""
        if any(name == field for field, _, _ in PLAN_FIELDS):
            return getattr(self._asked, name)
        return raw_of(self._asked.config)[name]

    def _typed(self, fields: Iterable[tuple[str, str, str]]) -> dict[str, str]:
        return {name: self.query_one(f"#{name}", Input).value for name, _, _ in fields}

    def _build(self, *, files: bool = True) -> RunPlan:
        """Return the plan last asked for, with what was typed and none besides.

        Raises ``ConfigError`` with every fault there is.
        """
        raw = raw_of(self._asked.config) | self._typed(CONFIG_FIELDS)
        typed = self._typed(PLAN_FIELDS)
        built = build_plan(
            raw, runs=typed["runs"] or "0", warmup=typed["warmup"], name=typed["name"], files=files
        )
        plan = replace(
            self._asked,
            variants=built.variants,
            runs=built.runs,
            warmup=built.warmup,
            name=built.name,
        )
        return with_looks(plan, self._model.baseline)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say what is wrong as it is typed."""
        self._host_problems.clear()
        self._show_faults()

    def on_mount(self) -> None:
        """The settings of the last run may be at fault themselves."""
        self._show_faults()

    def _faults(self) -> dict[str, str]:
        typed = self._typed(CONFIG_FIELDS)
        faults = {name: text for name, raw in typed.items() if (text := field_problem(name, raw))}
        try:
            self._build(files=False)
        except ConfigError as error:
            for problem in error.problems:
                faults.setdefault(problem.field, problem.text)
        return faults

    def _show_faults(self) -> bool:
        faults = self._faults() | self._host_problems
        names = [name for name, _, _ in FIELDS]
        for name in names:
            self._mark(name, faults.get(name, ""))
            self.query_one(f"#{name}").set_class(name in faults, "-faulty")
        self._mark("other", "\n".join(text for name, text in faults.items() if name not in names))
        self.query_one("#start", Button).disabled = bool(faults)
        return bool(faults)

    def _mark(self, name: str, fault: str) -> None:
        widget = self.query_one(f"#{name}-fault", Static)
        cross = self.host.glyphs.states[VmState.FAILED]
        words = "\n".join(clip(line, _MOST_FAULT) for line in shown_lines(fault))
        widget.update(f"{cross} {words}" if fault else "")
        widget.display = bool(fault)

    def on_input_submitted(self) -> None:
        """Enter starts."""
        self.action_start()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Start, or not."""
        if event.button.id == "start":
            self.action_start()
        else:
            self.dismiss(None)

    def action_start(self) -> None:
        """Check files and the host's room too, off the loop, then answer."""
        if not self._show_faults():
            self.run_worker(self._check_and_answer(), exclusive=True)

    async def _check_and_answer(self) -> None:
        try:
            files = not self._model.fleet.hosts.are_many  # each host has its own
            plan = await asyncio.to_thread(partial(self._build, files=files))
        except ConfigError as error:
            self._host_problems = {problem.field: problem.text for problem in error.problems}
        else:
            self._host_problems = await asyncio.to_thread(self._shortages, plan.config)
        if not self._show_faults():
            self.dismiss(plan)

    def _shortages(self, config: RunConfig) -> dict[str, str]:
        """Return what the host has too little of: the engine would say so too, but after the end
        of what runs now.
        """
        from vmtiming_tui.engine.host.capacity import room_for

        if self._model.fleet.hosts.are_many:
            return {}  # each host looks for itself
        run, accel = self._model.fleet.run, config.accel
        if accel is Accel.AUTO and run is not None:
            accel = Accel(run.accel)
        room = room_for(config, accel, freed_bytes=self._model.held_bytes)
        if room.vms:
            return {}
        return {"host": "; ".join(f"{each.text}: {each.hint}" for each in room.lacking)}
