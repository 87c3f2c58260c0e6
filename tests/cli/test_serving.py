"""``serve``: a run in a browser, for who has the address, to be looked at only."""

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from support.browser import Browser
from support.engine_lab import children_of
from support.past_runs import wait_for
from vmtiming_tui.history.owner import owner_of

LIMIT_S = 60.0


@dataclass
class Served:
    """A server, and the address that it told."""

    process: "subprocess.Popen[str]"
    address: str

    @property
    def host(self) -> str:
        return urlsplit(self.address).netloc

    @property
    def viewers(self) -> list[int]:
        return children_of(self.process.pid)


@pytest.fixture
def served(tool) -> Iterator[Served]:
    process = tool("serve")
    yield Served(process, process.stdout.readline().strip())
    process.send_signal(signal.SIGINT)
    assert process.wait(LIMIT_S) == 0
    assert process.stderr.read().splitlines() == [
        "Who has this address can watch, and nobody can change anything. Ctrl-C ends it."
    ]


@pytest.fixture
def begin(tool, arguments) -> Iterator[Callable[[], "subprocess.Popen[str]"]]:
    """Begin a run of which one VM boots soon, and the other not as long as anybody looks."""
    begun = []

    def start() -> "subprocess.Popen[str]":
        begun.append(tool(*arguments(2, "boot=5 1.boot=120", "--name", "made")))
        return begun[-1]

    yield start
    for process in begun:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT_S)


async def status(address: str, **headers: str) -> int:
    """Return what a request is answered with; all but what is served says nothing."""
    async with aiohttp.ClientSession() as session, session.get(address, headers=headers) as answer:
        assert answer.status == HTTPStatus.OK or await answer.read() == b""
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        return answer.status


@asynccontextmanager
async def watching(address: str, origin: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Have a page's socket open."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{address}events", origin=origin) as socket,
    ):
        yield socket


async def assert_nothing_is_served_without_the_token(served: Served) -> None:
    root, token = f"http://{served.host}/", served.address.split("/")[-2]
    for path in ("", "static/textual.js", "events", "download/any", f"{token[:-1]}x/", "..%2f"):
        assert await status(root + path) == HTTPStatus.NOT_FOUND, path
    assert await status(f"{root}{token[::-1]}/static/textual.js") == HTTPStatus.NOT_FOUND
    assert await status(f"{root}download/any?instance={token[::-1]}") == HTTPStatus.NOT_FOUND
    with pytest.raises(aiohttp.WSServerHandshakeError):
        async with watching(f"{root}{token[::-1]}/", f"http://{served.host}"):
            pass


async def assert_no_other_page_gets_at_it(served: Served) -> None:
    port = served.host.rpartition(":")[2]
    assert await status(served.address) == HTTPStatus.OK
    assert await status(served.address, Host=f"localhost:{port}") == HTTPStatus.OK
    assert await status(served.address, Host=f"elsewhere.example:{port}") == HTTPStatus.NOT_FOUND
    assert await status(f"{served.address}static/..%2fserver.py") == HTTPStatus.NOT_FOUND
    with pytest.raises(aiohttp.WSServerHandshakeError):
        async with watching(served.address, "http://elsewhere.example"):
            pass


def downloaded(folder: Path, ending: str) -> Path:
    """Return a file when it has come, whole."""
    return wait_for(
        lambda: next((path for path in folder.glob(f"*{ending}") if path.stat().st_size), None),
        LIMIT_S,
    )


def test_a_browser_sees_a_run_go_on_and_can_do_nothing_to_it(served, begin, tmp_path):
    asyncio.run(assert_nothing_is_served_without_the_token(served))
    asyncio.run(assert_no_other_page_gets_at_it(served))
    assert served.viewers == []

    def sees(*words: str) -> None:
        wait_for(lambda: all(word in browser.drawn() for word in words), LIMIT_S)

    with Browser() as browser:
        browser.download_to(tmp_path)
        browser.visit(served.address)
        making = begin()
        sees("made", "WATCHING", "2 connected")
        sees("1 booted", "1 connected")
        assert len(served.viewers) == 1

        for key in ("q", "R", "K"):
            browser.press(key, key)
        browser.press("c", control=True)
        browser.press("e", "e")
        sees("Download", "junit")
        for _ in range(3):
            browser.press("Tab")
        browser.press("Enter", "\r")
        assert downloaded(tmp_path, ".html").read_text().startswith("<!doctype html>")
        browser.press("s", control=True)
        assert "WATCHING" in downloaded(tmp_path, ".svg").read_text()

        asked = {urlsplit(seen["request"]["url"]).netloc
                 for seen in browser.seen("Network.requestWillBeSent")}  # fmt: skip
        assert asked == {served.host}
        assert browser.seen("Runtime.exceptionThrown") == []
        browser.visit("about:blank")
        wait_for(lambda: not served.viewers, LIMIT_S)
    assert making.poll() is None


def test_viewers_end_with_a_server_that_is_killed_and_the_run_goes_on(tool, begin):
    making = begin()

    async def killed_while_watched() -> None:
        serving = tool("serve")
        address = serving.stdout.readline().strip()
        origin = address.rstrip("/").rpartition("/")[0]
        async with watching(address, origin) as socket:
            assert (await socket.receive_json(timeout=LIMIT_S))[0] == "instance_id"
            assert await socket.receive_bytes(timeout=LIMIT_S)
            (viewer,) = children_of(serving.pid)
            serving.kill()
            wait_for(lambda: not owner_of(viewer), LIMIT_S)

    asyncio.run(killed_while_watched())
    assert making.poll() is None


def test_what_it_needs_is_said_where_it_is_not_there(the_tool, tmp_path):
    (tmp_path / "aiohttp.py").write_text("raise ModuleNotFoundError(name='aiohttp')")
    the_tool.extra = {"PYTHONPATH": str(tmp_path)}

    ended = the_tool.run("serve")

    assert (ended.code, ended.out) == (1, "")
    assert "serve needs what is not installed here: aiohttp" in ended.err
    assert "pip install 'vmtiming-tui[web]'" in ended.err
