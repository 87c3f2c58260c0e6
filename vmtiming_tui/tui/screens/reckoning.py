"""Something that takes long to reckon from the fleet: beside the loop, and no more than needed."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from textual.screen import Screen
from textual.worker import Worker

from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.tui.state.dashboard import Model

Found = TypeVar("Found")

_LEAST_PAUSE_S = 1.0
_COST_SHARE = 10


class Reckoning(Generic[Found]):
    """Has ``reckon`` done in a thread when what it rests on has changed; ``show`` takes the result.

    The fleet stands still meanwhile. What has just been reckoned is not reckoned again before ten
    times as long has passed as it took, so that little of the host goes into it.
    """

    def __init__(
        self,
        screen: Screen[Any],
        model: Model,
        reckon: Callable[[Fleet], Found],
        show: Callable[[Found], None],
    ) -> None:
        self._screen, self._model = screen, model
        self._reckon, self._show = reckon, show
        self._is_stale = self._is_busy = False
        self._due_s = 0.0

    def spoil(self) -> None:
        """Say that what was found may no longer hold."""
        self._is_stale = True

    def tick(self) -> None:
        """Reckon anew where that is called for."""
        if self._is_stale and not self._is_busy and time.monotonic() >= self._due_s:
            self._is_stale, self._is_busy = False, True
            _: Worker[None] = self._screen.run_worker(self._work)

    async def _work(self) -> None:
        began_s = time.monotonic()
        try:
            with self._model.held():
                found = await asyncio.to_thread(self._reckon, self._model.fleet)
        finally:
            self._is_busy = False
            took_s = time.monotonic() - began_s
            self._due_s = began_s + took_s + max(_LEAST_PAUSE_S, _COST_SHARE * took_s)
        self._show(found)
