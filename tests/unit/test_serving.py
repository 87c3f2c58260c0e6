"""The server of pages: how many it has watch, and what a page may say to it."""

import asyncio

import pytest
from aiohttp import WSServerHandshakeError
from aiohttp.test_utils import TestClient, TestServer

from vmtiming_tui.serving import server as module
from vmtiming_tui.serving.server import Server

TOKEN = "token"  # noqa: S105  of no server but this test's

# What textual-serve waits for, then each message that comes, as a picture.
ECHO = """
import sys
out = sys.stdout.buffer
out.write(b"__GANGLION__\\n")
while True:
    out.flush()
    data = sys.stdin.buffer.read1(1 << 16)
    if not data:
        break
    out.write(b"D" + len(data).to_bytes(4, "big") + data)
"""
PYTHON = __import__("sys").executable


@pytest.fixture
async def client():
    server = Server([PYTHON, "-c", ECHO], TOKEN, only_here=True)
    async with TestClient(TestServer(server.application())) as made:
        yield made


def opened(client):
    return client.ws_connect(f"/{TOKEN}/events", origin=str(client.make_url("/")).rstrip("/"))


async def test_no_more_watch_than_it_bears_and_that_is_said(client, monkeypatch):
    monkeypatch.setattr(module, "MOST_VIEWERS", 1)
    async with opened(client) as socket:
        assert await socket.receive_json() == ["instance_id", TOKEN]
        full = await client.get(f"/{TOKEN}/")
        assert full.status == 503
        assert await full.text() == "1 are watching, as many as this serves; try again later.\n"
        with pytest.raises(WSServerHandshakeError):
            async with opened(client):
                pass
    async with asyncio.timeout(20):
        while (await client.get(f"/{TOKEN}/")).status != 200:
            pass


async def test_a_page_says_only_what_it_may_and_no_size_is_too_large(client):
    async with opened(client) as socket:
        await socket.receive_json()
        for nonsense in ("{", "[]", '["stdin", 1]', '["resize", {"width": "a"}]', "[" * 5000):
            await socket.send_str(nonsense)
        await socket.send_json(["ping", "7"])
        assert await socket.receive_json() == ["pong", "7"]
        await socket.send_json(["stdin", "k"])
        assert await socket.receive_bytes() == b"D\0\0\0\1k"
        await socket.send_json(["resize", {"width": 10**9, "height": -1}])
        assert b'"width": 500, "height": 1' in await socket.receive_bytes()
