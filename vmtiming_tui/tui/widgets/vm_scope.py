"""Which VMs an export is of: all, those marked, those that the filter leaves."""

from collections.abc import Collection

from textual.widgets import RadioSet

from vmtiming_tui.tui.state.dashboard import Model
from vmtiming_tui.tui.widgets.choice import Choice


class VmScope(RadioSet):
    """Asks; those marked, where there are any, are what is most likely meant."""

    def __init__(self, model: Model) -> None:
        self._view = view = model.view
        filtered = len(view.shown) if view.filter_text else 0
        super().__init__(
            Choice(f"all ({len(model.fleet.vms):,})", value=not view.marked, id="all"),
            Choice(
                f"marked ({len(view.marked):,})",
                value=bool(view.marked),
                disabled=not view.marked,
                id="marked",
            ),
            Choice(f"filtered ({filtered:,})", disabled=not view.filter_text, id="filtered"),
            id="scope",
            compact=True,
        )

    @property
    def chosen(self) -> Collection[int] | None:
        """The VMs that are meant; None for all."""
        match self.pressed_button.id if self.pressed_button else "all":
            case "marked":
                return frozenset(self._view.marked)
            case "filtered":
                return frozenset(self._view.shown)
        return None
