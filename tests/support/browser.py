"""A headless Chromium to open a page in and ask it things, over DevTools' pipe."""

import base64
import fcntl
import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)
_CONTROLS = re.compile(r"\x1b\[[0-9;?<>=]*[a-zA-Z]")


def _pipe():
    """A pipe whose ends are out of the way of the descriptors the browser wants."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 50) for end in ends]
    for end in ends:
        os.close(end)
    return high


class Browser:
    """One browser with one page; a context manager that leaves no process and no folder."""

    def __init__(self):
        self._ids = itertools.count(1)
        self._rest = b""
        self.events = []

    def __enter__(self):
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        assert program, "these tests need Chromium: apt install chromium"
        self._home = tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True)
        theirs_in, self._out = _pipe()
        self._in, theirs_out = _pipe()
        # DevTools' pipe is descriptors 3 and 4 of the browser; the shell puts them there.
        command = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self._process = subprocess.Popen(
            ["bash", "-c", command, "bash", program, *_FLAGS, f"--user-data-dir={self._home.name}"],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        return self

    def __exit__(self, *_):
        try:
            self._ask("Browser.close")
            self._process.wait(timeout=20)
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            os.close(self._out)
            os.close(self._in)
            self._home.cleanup()

    def _send(self, message):
        os.write(self._out, json.dumps(message).encode() + b"\0")

    def _receive(self):
        while b"\0" not in self._rest:
            piece = os.read(self._in, 1 << 16)
            assert piece, "the browser went away"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _ask(self, method, session=None, **parameters):
        number = next(self._ids)
        message = {"id": number, "method": method, "params": parameters}
        self._send(message | ({"sessionId": session} if session else {}))
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self.events.append(answer)

    def ask(self, method, **parameters):
        """Return the answer to a DevTools command about the page."""
        return self._ask(method, self._session, **parameters)

    def open(self, path: Path):
        """Open a file and wait until it is loaded."""
        self.visit(path.as_uri())

    def visit(self, address: str):
        """Open an address and wait until its page is loaded."""
        self.events.clear()
        self.ask("Page.navigate", url=address)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self._receive())

    def run(self, script: str):
        """Return what a script evaluates to in the page."""
        result = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def press(self, key: str, text: str = "", control: bool = False):
        """Press a key, by its name in DOM; ``text`` is what it types."""
        code = {"Enter": 13, "Tab": 9}.get(key, ord(key[0].upper()))
        how = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 2 if control else 0}
        self.ask(
            "Input.dispatchKeyEvent", type="keyDown", **how, **({"text": text} if text else {})
        )
        self.ask("Input.dispatchKeyEvent", type="keyUp", **how)

    def download_to(self, folder: Path):
        """Put what is downloaded into a folder."""
        self._ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    def drawn(self):
        """Return what a terminal in the page was sent since that was opened, as words."""
        frames = [event["response"] for event in self.seen("Network.webSocketFrameReceived")]
        sent = b"".join(base64.b64decode(f["payloadData"]) for f in frames if f["opcode"] == 2)
        return _CONTROLS.sub("", sent.decode(errors="replace"))

    def seen(self, method: str):
        """Return the parameters of every event of that name since the page was opened."""
        self.run("0")
        return [event["params"] for event in self.events if event["method"] == method]
