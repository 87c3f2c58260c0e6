"""A host that is brought what a plan's VMs boot from before its engine hears of the plan."""

from collections.abc import Callable, Mapping, Sequence

from vmtiming_tui.cluster.host_link import HostLink, Lines
from vmtiming_tui.cluster.shipping.placed import Placed
from vmtiming_tui.cluster.shipping.shipment import Shipped, ship
from vmtiming_tui.cluster.shipping.shipped_file import Looks
from vmtiming_tui.cluster.shipping.store_link import StoreLink
from vmtiming_tui.errors import EngineError, HostError, ImageError
from vmtiming_tui.model import commands
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.request.shipping import shipping_problems


class Shipper:
    """Brings hosts what plans need, for as long as they are reached."""

    def __init__(self) -> None:
        self._looks = Looks()

    async def bring(
        self,
        plan: RunPlan,
        stores: Sequence[StoreLink],
        tell: Callable[[Shipped], None] = lambda _: None,
    ) -> Mapping[str, Placed | HostError]:
        """Return where each host has what a plan's VMs boot from, or why it has not, by its name.

        ``tell`` hears of progress. Raises ``ImageError`` and ``EngineError`` for what cannot be
        brought to any.
        """
        if problems := shipping_problems(plan):
            raise ImageError(str(problems[0]))
        return await ship(await self._looks.at(plan), stores, tell)


class ShippingLink:
    """A ``HostLink`` that knows what its host has where, and puts that into its commands.

    What was brought before is not brought again, so each plan asks for all of it: a host that
    joined late has nothing yet.
    """

    def __init__(self, link: HostLink, store: StoreLink, shipper: Shipper) -> None:
        self._link, self._store, self._shipper = link, store, shipper
        self._placed = Placed({})

    @property
    def name(self) -> str:
        """What the host is called."""
        return self._link.name

    @property
    def address(self) -> str:
        """Where it is reached."""
        return self._link.address

    async def send(self, lines: tuple[bytes, ...]) -> None:
        """Hand commands to its engine, with its own paths in them; raise ``HostError``."""
        placed = [await self._command(commands.decode(line)) for line in lines]
        await self._link.send(tuple(commands.encode(command).encode() for command in placed))

    async def next(self, after: int) -> Lines:
        """As ``HostLink.next``."""
        return await self._link.next(after)

    async def clock_ns(self) -> int:
        """As ``HostLink.clock_ns``."""
        return await self._link.clock_ns()

    async def _command(self, command: commands.Command) -> commands.Command:
        if isinstance(command, commands.Start):
            self._placed = await self._bring(command.plan)
        return self._placed.command(command)

    async def _bring(self, plan: RunPlan) -> Placed:
        try:
            outcome = (await self._shipper.bring(plan, [self._store]))[self.name]
        except (ImageError, EngineError) as error:
            raise HostError(error.message, hint=error.hint) from error
        if isinstance(outcome, HostError):
            raise outcome
        return outcome
