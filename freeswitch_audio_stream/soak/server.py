"""The servers of all streams of a soak, on one thread: they hear, answer, and do on purpose what servers do."""

from __future__ import annotations

import asyncio
import concurrent.futures
import ssl
import threading
from pathlib import Path
from typing import Any, Coroutine, Mapping

from .kinds import Kind
from .line import Line
from .servers.audiosocket import AudioSocketListener
from .servers.conversation import StreamEnd
from .servers.http import HttpListener
from .servers.listener import Listener
from .servers.websocket import WebSocketListener


class SoakServer:
    """On a thread of its own; its methods, but for `start`, may be called from any other."""

    def __init__(self, lines: Mapping[int, Line], certificate: Path | None) -> None:
        """`lines` by number; `certificate`, with its key, for kinds with TLS, where there are any."""
        self.errors: list[str] = []
        """What could not be read, or else went wrong."""
        self._ends = {(number, "stream"): StreamEnd(line) for number, line in lines.items()}
        callers = {(number, "caller"): StreamEnd(line, by_caller=True) for number, line in lines.items()}
        self._audiosocket = AudioSocketListener()
        self._listeners: dict[str, Listener] = {
            "ws": WebSocketListener({**self._ends, **callers}), "audiosocket": self._audiosocket,
            "http": HttpListener(self._ends)}
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._listeners.update(wss=WebSocketListener(self._ends, context), https=HttpListener(self._ends, context))
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _, context: self.errors.append(
            repr(context.get("exception") or context["message"])))
        self._thread = threading.Thread(target=self._loop.run_forever, name="soak-server", daemon=True)

    def start(self) -> None:
        """Listen on free ports of 127.0.0.1."""
        self._thread.start()
        self.come_back()

    def stop(self) -> None:
        """Close all connections, and end the thread."""
        self.go_away()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def url(self, kind: Kind, number: int, generation: int, role: str) -> str:
        """Return where a stream of a line is to go."""
        place = f"{kind.scheme}://127.0.0.1:{self._listeners[kind.scheme].port}"
        if kind.scheme == "audiosocket":
            return place
        return f"{place}/{number}/{generation}" + (f"/{role}" if kind.scheme.startswith("ws") else "")

    def expect(self, call: str, number: int, generation: int) -> None:
        """Have the line's stream be known by the UUID of its call, where nothing else says whose it is."""
        self._loop.call_soon_threadsafe(self._audiosocket.expect, call, self._ends[number, "stream"], generation)

    def cut(self, number: int) -> None:
        """Break the connections of a line's stream."""
        self._loop.call_soon_threadsafe(self._ends[number, "stream"].cut)

    def stall(self, number: int, seconds: float) -> None:
        """Read nothing from a line's stream for so long."""
        stall = self._ends[number, "stream"].stall
        self._loop.call_soon_threadsafe(lambda: self._loop.create_task(stall(seconds)))

    def go_away(self) -> None:
        """End, as servers that are killed: nobody listens any more."""
        for listener in self._listeners.values():
            self._do(listener.go_away())

    def come_back(self) -> None:
        """Listen, after `go_away` at the same places."""
        for listener in self._listeners.values():
            self._do(listener.listen())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        future: concurrent.futures.Future[None] = asyncio.run_coroutine_threadsafe(work, self._loop)
        future.result(60)
