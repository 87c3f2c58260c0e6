"""Where the events of a live run come from: an engine of this host, or one on each of several."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from typing import TypeAlias

from vmtiming_tui.model.cluster import Cluster
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.session.shipping_progress import ShippingProgress
from vmtiming_tui.session.streams import Streams
from vmtiming_tui.setup.checks import Check
from vmtiming_tui.sources.event_lines import Told
from vmtiming_tui.sources.live_engine import EngineClient
from vmtiming_tui.sources.source import EventSource

Tap: TypeAlias = Callable[[Sequence[Told]], None]
OpenSource: TypeAlias = Callable[[Tap | None], AbstractAsyncContextManager[EventSource]]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@asynccontextmanager
async def live_source(
    cluster: Cluster | None, plan: RunPlan, streams: Streams
) -> AsyncIterator[OpenSource]:
    """Yield how a source is opened, as often as it takes: with new engines on the same hosts.

    Without a ``cluster`` they are of this host. Else its hosts are reached first, each looks
    whether it can boot its share of the plan, and what takes time is said. Raises ``ConfigError``
    with all that they found, ``VmTimingError`` where they cannot be reached, and
    ``KeyboardInterrupt`` where a signal came meanwhile: nothing is left of it then.
    """
    if cluster is None:
        yield EngineClient
        return
    from vmtiming_tui.cluster.connect import reached  # noqa: PLC0415  Dask takes half a second

    async with AsyncExitStack() as held:
        with _ended_by_signals():
            hosts = await held.enter_async_context(reached(cluster, streams.say))
            await hosts.look(plan, ShippingProgress(streams).show)
        yield hosts.source


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Have the first signal cancel what is done meanwhile, so that it ends in order."""
    received = list[signal.Signals]()
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101  this is inside one

    def end(number: signal.Signals) -> None:
        if not received:
            task.cancel()
        received.append(number)

    for number in SIGNALS:
        loop.add_signal_handler(number, end, number)
    try:
        yield
    except asyncio.CancelledError:
        if received:
            raise KeyboardInterrupt from None
        raise
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


def examine_hosts(
    cluster: Cluster, config: RunConfig, say: Callable[[str], None]
) -> dict[str, list[Check]]:
    """Return what ``doctor`` says of each host of a cluster; raise as ``live_source`` does."""
    from vmtiming_tui.cluster.connect import reached  # noqa: PLC0415  Dask takes half a second

    async def ask() -> dict[str, list[Check]]:
        with _ended_by_signals():
            async with reached(cluster, say) as hosts:
                return await hosts.examine(config)
        raise AssertionError("a signal that ends it is raised")

    return asyncio.run(ask())
