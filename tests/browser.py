"""A headless Chromium for tests of pages: what it requests, what it complains of, and what it shows."""

from __future__ import annotations

import base64
import itertools
import re
import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator
from urllib.request import urlopen

import orjson
import pytest
import websocket

from .programs import running

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")
_PATIENCE = 120.0  # a browser that starts on a busy machine


class Browser:
    """One tab, by Chrome's DevTools protocol."""

    def __init__(self, endpoint: str) -> None:
        self._socket = websocket.create_connection(endpoint, timeout=_PATIENCE, suppress_origin=True)
        self._numbers = itertools.count(1)
        self.requested: list[str] = []
        """The URLs of everything that was requested, whether it came or not."""
        self.complaints: list[str] = []
        """Errors and warnings of the console, exceptions, and requests that failed."""
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def open(self, url: str) -> None:
        """Go to a page, and return when it has loaded."""
        self.call("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + _PATIENCE
        while not self.evaluate(expression):
            assert time.monotonic() < deadline, f"never: {expression}; {self.complaints}"
            time.sleep(0.02)

    def screenshot(self, file: Path, width: int = 1200, height: int = 900) -> None:
        """Write what the page looks like to a PNG file."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def call(self, method: str, **parameters: Any) -> Any:
        """Return what a method of the protocol answers; take in what happens meanwhile."""
        number = next(self._numbers)
        self._socket.send(orjson.dumps({"id": number, "method": method, "params": parameters}).decode())
        while True:
            message = orjson.loads(self._socket.recv())
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self._take(message.get("method", ""), message.get("params", {}))

    def _take(self, event: str, told: dict[str, Any]) -> None:
        if event == "Network.requestWillBeSent":
            self.requested.append(told["request"]["url"])
        elif event == "Network.loadingFailed" or event == "Runtime.exceptionThrown":
            self.complaints.append(str(told))
        elif event == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.complaints.append(str(told["entry"]))
        elif event == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.complaints.append(str(told["args"]))

    def close(self) -> None:
        self._socket.close()


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """A browser with a profile of its own in `folder`, which resolves no name: it has no internet."""
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
               f"--user-data-dir={folder / 'profile'}", "--remote-debugging-port=0",
               "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost", "about:blank"]
    with running(command, folder) as lines:
        deadline = time.monotonic() + _PATIENCE
        while not (found := re.search(r"DevTools listening on ws://([\d.:]+)/", "".join(lines))):
            assert time.monotonic() < deadline, lines
            time.sleep(0.02)
        with urlopen(f"http://{found[1]}/json/list", timeout=_PATIENCE) as answer:
            tab = next(tab for tab in orjson.loads(answer.read()) if tab["type"] == "page")
        browser = Browser(tab["webSocketDebuggerUrl"])
        try:
            yield browser
        finally:
            browser.close()
