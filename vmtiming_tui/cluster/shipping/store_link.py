"""What shipping needs of each host, however it is reached."""

from typing import Protocol

from vmtiming_tui.cluster.shipping.store import Content


class StoreLink(Protocol):
    """The functions of ``store`` as one host carries them out; each raises ``HostError``."""

    @property
    def name(self) -> str:
        """What the host is called."""

    async def present(self, content: Content) -> bytes:
        """As ``store.present``."""

    async def put(self, content: Content, offset: int, piece: bytes) -> None:
        """As ``store.put``; several may be under way."""

    async def finish(self, content: Content, modified_ns: int, image_format: str) -> str:
        """As ``store.finish``."""
