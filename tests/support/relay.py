"""A long link: a program that passes TCP connections on, and every byte of them late.

``relay.py DELAY_MS LISTEN TARGET [LISTEN TARGET ...]``, each an ADDRESS:PORT; it says ``ready``.
Bytes are as late on the way there as on the way back.
"""

import asyncio
import sys
from contextlib import closing


def _place(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    return address, int(port)


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter, delay_s: float) -> None:
    """Pass on what comes, in its order, till no more comes."""
    loop = asyncio.get_running_loop()
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def arrive() -> None:
        while True:
            due_s, data = await under_way.get()
            await asyncio.sleep(due_s - loop.time())
            if not data:
                sink.close()
                return
            sink.write(data)
            await sink.drain()

    async with asyncio.TaskGroup() as group:
        group.create_task(arrive())
        while True:
            data = await source.read(1 << 16)
            under_way.put_nowait((loop.time() + delay_s, data))
            if not data:
                return


async def _relay(delay_s: float, places: list[tuple[tuple[str, int], tuple[str, int]]]) -> None:
    async with asyncio.TaskGroup() as group:
        for listen, target in places:

            async def joined(
                source: asyncio.StreamReader,
                sink: asyncio.StreamWriter,
                target: tuple[str, int] = target,
            ) -> None:
                with closing(sink):
                    try:
                        far_source, far_sink = await asyncio.open_connection(*target)
                    except OSError:
                        return
                    with closing(far_sink):
                        await asyncio.gather(
                            _carry(source, far_sink, delay_s),
                            _carry(far_source, sink, delay_s),
                            return_exceptions=True,  # one of them was closed
                        )

            server = await asyncio.start_server(joined, *listen)
            group.create_task(server.serve_forever())
        print("ready", flush=True)


def main() -> None:
    delay_ms, *rest = sys.argv[1:]
    places = [_place(each) for each in rest]
    pairs = list(zip(places[::2], places[1::2], strict=True))
    asyncio.run(_relay(int(delay_ms) / 1000, pairs))


if __name__ == "__main__":
    main()
