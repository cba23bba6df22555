"""The server of all streams of a soak: it hears, answers, and does on purpose what servers do."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from typing import Any, Coroutine, Mapping

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from .kinds import CALLER, Kind
from .line import Line, Speech
from .numbered_noise import RATE

_PIECE_SECONDS = 0.1
_LEAD_SECONDS = 0.5  # of what a server has said before the caller hears it


class SoakServer:
    """On a thread of its own; its methods, but for `start`, may be called from any other."""

    def __init__(self, lines: Mapping[int, Line]) -> None:
        """`lines` by number; streams come to ``/NUMBER/GENERATION/stream`` and ``…/caller``."""
        self.port = 0
        self._lines = lines
        self._connections: dict[int, ServerConnection] = {}
        self._reading: dict[int, asyncio.Event] = {}
        self._loop = asyncio.new_event_loop()
        self._server: Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="soak-server", daemon=True)

    def start(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        self._thread.start()
        self._do(self._listen())

    def stop(self) -> None:
        """Close all connections, and end the thread."""
        self._do(self._away())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self, number: int) -> None:
        """Break the connection of a line's stream."""
        self._loop.call_soon_threadsafe(self._cut, number)

    def stall(self, number: int, seconds: float) -> None:
        """Read nothing from a line's stream for so long."""
        self._loop.call_soon_threadsafe(lambda: self._loop.create_task(self._stall(number, seconds)))

    def go_away(self) -> None:
        """End, as a server that is killed: nobody listens any more."""
        self._do(self._away())

    def come_back(self) -> None:
        """Listen again, at the same place."""
        self._do(self._listen())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        future: concurrent.futures.Future[None] = asyncio.run_coroutine_threadsafe(work, self._loop)
        future.result(60)

    async def _listen(self) -> None:
        self._server = await serve(self._converse, "127.0.0.1", self.port, compression=None, max_size=None,
                                   ping_interval=None)
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def _away(self) -> None:
        assert self._server is not None
        for connection in list(self._server.connections):
            connection.transport.abort()
        self._server.close()
        await self._server.wait_closed()

    def _cut(self, number: int) -> None:
        if number in self._connections:
            self._connections[number].transport.abort()

    async def _stall(self, number: int, seconds: float) -> None:
        reading = self._reading.get(number)
        if reading is not None:
            reading.clear()
            await asyncio.sleep(seconds)
            reading.set()

    async def _converse(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        _, number, generation, role = connection.request.path.split("/")
        line = self._lines[int(number)]
        with contextlib.suppress(ConnectionClosed):
            if role == "caller":
                await self._serve(connection, line, int(generation), CALLER, line.said, asyncio.Event())
            else:
                self._connections[line.number] = connection
                reading = self._reading[line.number] = asyncio.Event()
                await self._serve(connection, line, int(generation), line.kind, line.answered, reading)

    async def _serve(self, connection: ServerConnection, line: Line, generation: int, kind: Kind, speech: Speech,
                     reading: asyncio.Event) -> None:
        """Hear and speak; nothing is read while `reading` is not set."""
        reading.set()
        speaking = asyncio.create_task(self._speak(connection, kind, speech))
        try:
            async for message in connection:
                samples = kind.read(message)
                if samples is not None:
                    line.feed(samples, generation, by_caller=kind is CALLER)
                await reading.wait()
        finally:
            speaking.cancel()

    async def _speak(self, connection: ServerConnection, kind: Kind, speech: Speech) -> None:
        piece = int(_PIECE_SECONDS * RATE)
        begun, sent = self._loop.time() - _LEAD_SECONDS, 0
        with contextlib.suppress(ConnectionClosed):
            while True:
                await connection.send(kind.write(speech.next(piece)))
                sent += piece
                await asyncio.sleep(max(0.0, begun + sent / RATE - self._loop.time()))
